//! Statements of the session itself: transactions, settings, prepared statements.

use super::commit_trace;
use super::execution::{ExecuteMode, Execution};
use super::prepared::describe;
use super::{ColumnDesc, CommandTag, Notice, Prepared, Row, Session};
use crate::error::{Error, SqlState};
use crate::sql::binder::BindContext;
use crate::sql::exec::settings::unknown_setting;
use crate::sql::exec::{Outcome, Program, Run};
use crate::sql::optimizer;
use crate::sql::parser::{Discard, Statement, StatementKind, TransactionModes};
use crate::sql::plan::OutputColumn;
use crate::sql::types::{Text, Type, Value};
use std::sync::Arc;

impl Session {
    /// Runs a statement of the session.
    pub(super) async fn command(&mut self, statement: &Statement, sql: &Arc<str>) -> Result<Execution, Error> {
        use StatementKind as K;
        let tag = match &statement.kind {
            K::Begin(modes) => self.begin(*modes)?,
            K::Commit { chain } => self.commit(*chain).await?,
            K::Rollback { chain } => self.rollback(*chain).await,
            K::PrepareTransaction(gid) => self.prepare_transaction(gid).await?,
            K::CommitPrepared(gid) => self.finish_prepared(gid, true).await?,
            K::RollbackPrepared(gid) => self.finish_prepared(gid, false).await?,
            K::Savepoint(name) => self.savepoint(name).await?,
            K::Release(name) => self.release(name).await?,
            K::RollbackTo(name) => self.rollback_to(name).await?,
            K::SetTransaction { modes, session } => self.set_transaction(*modes, *session)?,
            K::Set { name, value, local } => self.set(name, value.as_deref(), *local)?,
            K::Reset(name) => self.reset(name.as_deref())?,
            K::Show(name) => return self.show(name.as_deref()),
            K::ShowCommitTrace => {
                let rows = self.show_commit_trace();
                return Ok(Execution::with_rows(CommandTag::new("SHOW"), Some(commit_trace::columns()), rows));
            }
            K::Prepare { name, types, statement } => self.prepare_named(name, types, statement, sql).await?,
            K::Execute { name, args } => return self.execute_named(name, args, sql).await,
            K::Deallocate(name) => self.deallocate(name.as_deref())?,
            K::Discard(what) => self.discard(*what).await?,
            K::Nothing(tag) => CommandTag::new(*tag),
            _ => return Err(Error::internal("a planned statement was taken for one of the session")),
        };
        Ok(Execution::done(tag))
    }

    fn in_explicit_block(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.explicit)
    }

    fn set_transaction(&mut self, modes: TransactionModes, session: bool) -> Result<CommandTag, Error> {
        if modes.deferrable == Some(true) {
            return Err(Error::unsupported(
                "DEFERRABLE transactions are not supported",
                "A serializable transaction here never waits for others to read.",
            ));
        }
        if session && modes.as_of.is_some() {
            return Err(Error::unsupported(
                "AS OF SYSTEM TIME for all transactions of a session is not supported",
                "Use BEGIN AS OF SYSTEM TIME.",
            ));
        }
        if session {
            let in_block = self.in_explicit_block();
            let settings = Arc::make_mut(&mut self.settings);
            if let Some(level) = modes.isolation {
                settings.set("default_transaction_isolation", level.name(), false, in_block)?;
            }
            if let Some(read_only) = modes.read_only {
                let value = if read_only { "on" } else { "off" };
                settings.set("default_transaction_read_only", value, false, in_block)?;
            }
        } else if self.block.is_some() {
            self.set_modes(modes)?;
        } else {
            let text = "SET TRANSACTION can only be used in transaction blocks";
            self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, text));
        }
        Ok(CommandTag::new("SET"))
    }

    fn set(&mut self, name: &str, value: Option<&[String]>, local: bool) -> Result<CommandTag, Error> {
        let in_block = self.in_explicit_block();
        match name {
            "transaction_isolation" | "transaction_read_only" => self.set_transaction_setting(name, value)?,
            _ if local && !in_block => {
                let text = "SET LOCAL can only be used in transaction blocks";
                self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, text));
            }
            _ => {
                let settings = Arc::make_mut(&mut self.settings);
                match value {
                    Some(values) => settings.set(name, &joined(name, values), local, in_block)?,
                    None => settings.reset(name, in_block)?,
                }
            }
        }
        self.settings_changed();
        Ok(CommandTag::new("SET"))
    }

    /// `SET transaction_isolation = ...` is SET TRANSACTION in another form.
    fn set_transaction_setting(&mut self, name: &str, value: Option<&[String]>) -> Result<(), Error> {
        use crate::sql::parser::IsolationLevel as L;
        let text = value.and_then(|values| values.first()).map(|value| value.to_ascii_lowercase()).unwrap_or_default();
        let invalid = || {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": \"{text}\""))
        };
        let mut modes = TransactionModes::default();
        if name == "transaction_read_only" {
            modes.read_only = Some(crate::sql::exec::settings::boolean(&text).ok_or_else(invalid)?);
        } else {
            modes.isolation = Some(match text.as_str() {
                "serializable" => L::Serializable,
                "repeatable read" => L::RepeatableRead,
                "read committed" => L::ReadCommitted,
                "read uncommitted" => L::ReadUncommitted,
                _ => return Err(invalid()),
            });
        }
        self.set_transaction(modes, false).map(|_| ())
    }

    fn reset(&mut self, name: Option<&str>) -> Result<CommandTag, Error> {
        let in_block = self.in_explicit_block();
        let settings = Arc::make_mut(&mut self.settings);
        match name {
            Some(name) => settings.reset(name, in_block)?,
            None => settings.reset_all(in_block)?,
        }
        self.settings_changed();
        Ok(CommandTag::new("RESET"))
    }

    fn show(&self, name: Option<&str>) -> Result<Execution, Error> {
        let text = |text: &str| Value::Text(Text::new(text));
        let rows: Vec<Row> = match name {
            Some(name) => {
                let value = self.setting(name).ok_or_else(|| unknown_setting(name))?;
                vec![vec![text(&value)]]
            }
            None => {
                let all = self.settings.all();
                all.map(|(definition, value)| vec![text(definition.name), text(value), text(definition.about)])
                    .collect()
            }
        };
        Ok(Execution::with_rows(CommandTag::new("SHOW"), Some(show_columns(name)), rows))
    }

    /// Columns that a statement of the session returns.
    pub(super) fn session_columns(&self, kind: &StatementKind) -> Option<Arc<[ColumnDesc]>> {
        match kind {
            StatementKind::Show(name) => Some(show_columns(name.as_deref())),
            StatementKind::ShowCommitTrace => Some(commit_trace::columns()),
            StatementKind::Execute { name, .. } => self.prepared.get(name).and_then(|it| it.columns.clone()),
            _ => None,
        }
    }

    async fn prepare_named(
        &mut self,
        name: &str,
        types: &[sqlparser::ast::DataType],
        statement: &Statement,
        sql: &Arc<str>,
    ) -> Result<CommandTag, Error> {
        if self.prepared.contains_key(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let types = types.iter().map(|ty| parameter_type(ty).map(Some)).collect::<Result<Vec<_>, _>>()?;
        let prepared = self.analyse(sql.clone(), statement.clone(), types, false).await?;
        self.prepared.insert(name.to_owned(), prepared);
        Ok(CommandTag::new("PREPARE"))
    }

    fn named(&self, name: &str) -> Result<Arc<Prepared>, Error> {
        self.prepared.get(name).cloned().ok_or_else(|| {
            Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, format!("prepared statement \"{name}\" does not exist"))
        })
    }

    async fn execute_named(
        &mut self,
        name: &str,
        args: &[sqlparser::ast::Expr],
        sql: &Arc<str>,
    ) -> Result<Execution, Error> {
        let prepared = self.named(name)?;
        if args.len() != prepared.param_types.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .with_detail(format!(
                "Expected {} parameters but got {}.",
                prepared.param_types.len(),
                args.len()
            )));
        }
        let was_open = self.block.is_some();
        let params = if args.is_empty() { Ok(Vec::new()) } else { self.arguments(&prepared, args, sql).await };
        if !was_open {
            self.abandon().await;
        }
        let mode = if was_open { ExecuteMode::Pipelined } else { ExecuteMode::Autocommit };
        self.execute_planned(&prepared, params?, mode).await
    }

    async fn arguments(
        &mut self,
        prepared: &Prepared,
        args: &[sqlparser::ast::Expr],
        sql: &Arc<str>,
    ) -> Result<Vec<Value>, Error> {
        self.ensure_transaction().await?;
        let view = self.block.as_ref().and_then(|block| block.view.clone()).unwrap_or_default();
        let context = BindContext { catalog: &view, path: &self.path, sql, parameters: &[], literals: false };
        let plan = optimizer::plan_arguments(args, &prepared.param_types, context)?;
        let mut run = Run::new(Arc::new(Program::new(Arc::new(plan))?), self.env(Vec::new())?);
        match self.pull(&mut run).await? {
            Outcome::Rows(mut rows) => Ok(rows.pop().unwrap_or_default()),
            Outcome::Done => Ok(Vec::new()),
        }
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<CommandTag, Error> {
        match name {
            Some(name) => {
                self.named(name)?;
                self.prepared.remove(name);
                Ok(CommandTag::new("DEALLOCATE"))
            }
            None => {
                self.prepared.clear();
                Ok(CommandTag::new("DEALLOCATE ALL"))
            }
        }
    }

    async fn discard(&mut self, what: Discard) -> Result<CommandTag, Error> {
        let tag = match what {
            Discard::All => {
                if self.in_explicit_block() {
                    return Err(Error::new(
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.prepared.clear();
                Arc::make_mut(&mut self.settings).reset_all(false)?;
                self.settings_changed();
                self.sequences = Arc::default();
                "DISCARD ALL"
            }
            Discard::Plans => {
                self.gateway.plans.clear();
                "DISCARD PLANS"
            }
            Discard::Sequences => {
                self.sequences = Arc::default();
                "DISCARD SEQUENCES"
            }
            Discard::Temp => "DISCARD TEMP",
        };
        Ok(CommandTag::new(tag))
    }
}

/// A value given as a list: names of a search path are quoted again where they must be.
fn joined(name: &str, values: &[String]) -> String {
    match values {
        [value] if name != "search_path" => value.clone(),
        values if name == "search_path" => {
            let quote = |value: &String| crate::sql::catalog::names::quote_ident(value);
            values.iter().map(quote).collect::<Vec<_>>().join(", ")
        }
        values => values.join(", "),
    }
}

/// The type of a parameter of PREPARE; modifiers do not count.
fn parameter_type(ty: &sqlparser::ast::DataType) -> Result<Type, Error> {
    let written = ty.to_string().to_ascii_lowercase();
    let name = written.split('(').next().unwrap_or_default().trim();
    Type::by_name(name).ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")))
}

fn show_columns(name: Option<&str>) -> Arc<[ColumnDesc]> {
    let column = |name: &str| OutputColumn { name: name.to_owned(), ty: Type::Text, origin: None };
    match name {
        Some(name) => {
            let known = crate::sql::exec::settings::names().find(|known| known.eq_ignore_ascii_case(name));
            describe(&[column(known.unwrap_or(name))])
        }
        None => describe(&[column("name"), column("setting"), column("description")]),
    }
}
