//! Functions of the session: who, where, settings, sequences.

use super::{Call, text, text_value};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::SequenceId;
use crate::sql::exec::cluster::{ClusterCall, call_is_misplaced};
use crate::sql::exec::settings::table::SERVER_VERSION;
use crate::sql::exec::settings::unknown_setting;
use crate::sql::plan::Function;
use crate::sql::types::{Array, Type, Value};
use quorate_txn::{CommitToken, TokenError};
use std::sync::Arc;

/// What `version()` answers: PostgreSQL's form, which clients parse.
fn version() -> String {
    format!("PostgreSQL {SERVER_VERSION} (Quorate {})", env!("CARGO_PKG_VERSION"))
}

/// The result, if the function is one of the session.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let facts = &call.env.facts;
    let value = match call.function {
        F::GenRandomUuid => Ok(random_uuid(call)),
        F::NextVal => next_value(call),
        F::CurrVal => current_value(call),
        F::SetVal => set_value(call),
        F::LastVal => {
            let last = facts.session_sequences.values.lock().1;
            last.map(Value::Int8).ok_or_else(|| {
                Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session")
            })
        }
        F::Version => Ok(text_value(version())),
        F::CurrentDatabase => Ok(text_value(facts.database.as_ref())),
        F::CurrentSchema => Ok(match facts.catalog.current_schema(&facts.search_path) {
            Some(id) => text_value(facts.catalog.schema_name(id).unwrap_or_default()),
            None => Value::Null,
        }),
        F::CurrentSchemas => Ok(current_schemas(call)),
        F::CurrentUser | F::SessionUser => Ok(text_value(facts.user.as_ref())),
        F::CurrentSetting => current_setting(call),
        F::SetConfig => set_config(call),
        F::BackendPid => Ok(Value::Int4(facts.process_id)),
        F::Sleep => {
            let micros = (call.float(0).max(0.0) * 1e6).min(86_400e6) as u64;
            call.env.effects.borrow_mut().sleep += micros;
            Ok(text_value(""))
        }
        F::CreateJoinToken => refuse_in_read_only(call, "create_join_token()")
            .and_then(|()| ask_cluster(call, ClusterCall::CreateJoinToken, "create_join_token()")),
        F::RevokeJoinToken => refuse_in_read_only(call, "revoke_join_token(id)").and_then(|()| {
            ask_cluster(call, ClusterCall::RevokeJoinToken(call.text(0).to_owned()), "revoke_join_token(id)")
        }),
        F::TxnStatus => commit_token(call.text(0))
            .and_then(|token| ask_cluster(call, ClusterCall::TxnStatus(token), "txn_status(token)")),
        F::TypeOf => Ok(type_of(call)),
        F::TxidCurrent => Ok(Value::Int8(i64::try_from(facts.read_id).unwrap_or(i64::MAX))),
        F::IsInRecovery => Ok(Value::Bool(false)),
        F::PostmasterStartTime | F::ConfLoadTime => Ok(Value::Timestamptz(call.env.types.now)),
        F::ClientEncoding => Ok(text_value(call.env.setting("client_encoding").unwrap_or_default())),
        F::InetClientAddr | F::InetServerPort => Ok(Value::Null),
        F::AdvisoryUnlockAll => Ok(text_value("")),
        F::CancelBackend | F::TerminateBackend => Ok(Value::Bool(false)),
        F::BlockingPids => Ok(Value::Array(Arc::new(Array::new(Type::Int4, Vec::new())))),
        _ => return None,
    };
    Some(value)
}

/// A random UUID, version 4.
fn random_uuid(call: &Call<'_>) -> Value {
    let mut bytes = call.env.facts.runtime.random_bytes::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Value::Uuid(bytes)
}

fn sequence(call: &Call<'_>) -> Result<SequenceId> {
    let oid = u32::try_from(call.int(0)).unwrap_or_default();
    match call.env.facts.catalog.sequence(SequenceId(oid)) {
        Some(sequence) => Ok(sequence.id),
        None => {
            let name = call.env.facts.catalog.relation(oid).map(|relation| relation.name().to_owned());
            Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", name.unwrap_or_else(|| oid.to_string())),
            ))
        }
    }
}

/// `nextval`: a value at hand, or a wish for more.
fn next_value(call: &Call<'_>) -> Result<Value> {
    refuse_in_read_only(call, "nextval()")?;
    let id = sequence(call)?;
    let facts = &call.env.facts;
    match facts.sequences.take(id) {
        Some(value) => {
            let mut last = facts.session_sequences.values.lock();
            last.0.insert(id, value);
            last.1 = Some(value);
            Ok(Value::Int8(value))
        }
        None => {
            call.env.effects.borrow_mut().wanted_sequence = Some(id);
            Err(Error::unsupported("nextval is not supported here", "Call it in the select list or in VALUES."))
        }
    }
}

fn refuse_in_read_only(call: &Call<'_>, function: &str) -> Result<()> {
    if !call.env.facts.read_only {
        return Ok(());
    }
    let message = format!("cannot execute {function} in a read-only transaction");
    Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, message))
}

/// The cluster's answer if it was asked already, or a wish to ask it.
fn ask_cluster(call: &Call<'_>, wanted: ClusterCall, function: &str) -> Result<Value> {
    let mut effects = call.env.effects.borrow_mut();
    let (answers, taken) = &mut effects.answers;
    if let Some(answer) = answers.get(*taken) {
        *taken += 1;
        return Ok(answer.clone());
    }
    effects.wanted_call = Some(wanted);
    Err(call_is_misplaced(function))
}

fn commit_token(text: &str) -> Result<CommitToken> {
    text.parse().map_err(|error: TokenError| {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, "the argument of quorate.txn_status is not a token of a commit")
            .with_detail(format!("{error}."))
            .with_hint("The token is in the HINT of error 40003, or the parameter txn_token after SET txn_token = on.")
    })
}

fn current_value(call: &Call<'_>) -> Result<Value> {
    let id = sequence(call)?;
    let value = call.env.facts.session_sequences.values.lock().0.get(&id).copied();
    value.map(Value::Int8).ok_or_else(|| {
        let name = call.env.facts.catalog.sequence(id).map(|sequence| sequence.name.clone()).unwrap_or_default();
        Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("currval of sequence \"{name}\" is not yet defined in this session"),
        )
    })
}

fn set_value(call: &Call<'_>) -> Result<Value> {
    if call.args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    refuse_in_read_only(call, "setval()")?;
    let id = sequence(call)?;
    let value = call.int(1);
    let called = call.given(2).is_none_or(Value::is_true);
    if let Some(sequence) = call.env.facts.catalog.sequence(id)
        && !(sequence.options.min..=sequence.options.max).contains(&value)
    {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!(
                "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                sequence.name, sequence.options.min, sequence.options.max
            ),
        ));
    }
    call.env.effects.borrow_mut().set_sequence.push((id, value, called));
    if called {
        call.env.facts.session_sequences.values.lock().0.insert(id, value);
    }
    Ok(Value::Int8(value))
}

fn current_schemas(call: &Call<'_>) -> Value {
    let facts = &call.env.facts;
    let implicit = call.args.first().is_some_and(Value::is_true);
    let ids = facts.catalog.path_schemas(&facts.search_path, implicit);
    let names = ids.into_iter().filter_map(|id| facts.catalog.schema_name(id).map(str::to_owned));
    match text::texts(names.map(Some)) {
        Value::Array(array) => Value::Array(Arc::new(Array::new(Type::Name, array.values().to_vec()))),
        other => other,
    }
}

fn current_setting(call: &Call<'_>) -> Result<Value> {
    match call.env.setting(call.text(0)) {
        Some(value) => Ok(text_value(value)),
        None if call.given(1).is_some_and(Value::is_true) => Ok(Value::Null),
        None => Err(unknown_setting(call.text(0))),
    }
}

fn set_config(call: &Call<'_>) -> Result<Value> {
    let local = call.given(2).is_some_and(Value::is_true);
    let in_block = call.env.facts.in_block;
    let mut effects = call.env.effects.borrow_mut();
    let settings = effects.settings.get_or_insert_with(|| call.env.settings.as_ref().clone());
    match call.given(1) {
        Some(value) if !value.is_null() => {
            // Outside a block a local setting lasts as long as the statement: not at all.
            if !local || in_block {
                settings.set(call.text(0), value.as_str().unwrap_or_default(), local, in_block)?;
            }
        }
        _ => settings.reset(call.text(0), in_block)?,
    }
    Ok(text_value(settings.get(call.text(0)).unwrap_or_default()))
}

fn type_of(call: &Call<'_>) -> Value {
    let ty = call.exprs.first().map_or(Type::Unknown, |expr| expr.ty().clone());
    Value::Oid(ty.oid())
}
