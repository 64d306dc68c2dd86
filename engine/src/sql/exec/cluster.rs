//! The cluster as SQL sees it: what may be asked of it, and the rows of `quorate.*`, SHOW NODES and SHOW RANGES.
//!
//! ```text
//!   quorate.nodes         one row per member                          SHOW NODES
//!   quorate.ranges        one row per range, keys in readable form    SHOW RANGES [FROM TABLE t]
//!   quorate.join_tokens   one row per token ever made
//!   quorate.locks         one row per lock held or waited for
//!   quorate.in_doubt      one row per undecided transaction and range
//!   quorate.commits       one row per node, way of committing and reason for it
//! ```
//! Keys are shown as `/table/index/value/...`, where names are known.
//!
//! Invariant: rows have the columns that the catalog defines for the table, in its order.

use super::{Row, wall_to_pg};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::held::PreparedTransaction;
use crate::sql::catalog::{CatalogView, Index, IndexId, Table, TableId};
use crate::sql::row::{TableKey, decode_key};
use crate::sql::types::{Array, Interval, Text, Type, Value};
use async_trait::async_trait;
use quorate_storage::Span;
use quorate_storage::keys::{ARBITER_PREFIX, DIRECTORY_PREFIX, END_PREFIX};
use quorate_txn::api::RegisterState;
use quorate_txn::inspect::{InDoubt, Inspection, Locked, Work};
use quorate_txn::{Attempt, Client, CommitToken, LockMode, TxnStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node as `SHOW NODES` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its id.
    pub id: u64,
    /// Where other nodes reach it.
    pub address: String,
    /// Where SQL clients reach it, if it listens.
    pub sql_address: Option<String>,
    /// Whether it answered lately.
    pub live: bool,
    /// Replicas that it holds.
    pub replicas: u64,
    /// Ranges that it leads.
    pub leases: u64,
    /// Its release.
    pub version: String,
}

/// A range as `SHOW RANGES` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeStatus {
    /// Its id.
    pub id: u64,
    /// Its keys.
    pub span: Span,
    /// The node that leads it, if one is known.
    pub leaseholder: Option<u64>,
    /// The nodes whose replicas vote, in order.
    pub voters: Vec<u64>,
    /// The nodes whose replicas do not vote, in order.
    pub learners: Vec<u64>,
}

/// The cluster as sessions see it; implemented by the node, which SQL never sees.
#[async_trait]
pub trait ClusterInfo: Send + Sync {
    /// The id of this node.
    fn node_id(&self) -> u64;
    /// All nodes, by id.
    async fn nodes(&self) -> Result<Vec<NodeStatus>>;
    /// The ranges that share a key with `span`, by key.
    async fn ranges(&self, span: &Span) -> Result<Vec<RangeStatus>>;
    /// Why this node stopped itself, if it did.
    fn failure(&self) -> Option<Error>;
    /// Makes `key` the first key of a range. Nothing happens if it is already.
    async fn split_at(&self, key: Vec<u8>) -> Result<()>;
    /// Makes a one-time token with which a node can join.
    async fn create_join_token(&self) -> Result<String>;
    /// Id (hexadecimal), state and expiry (Unix time, microseconds) of every token.
    async fn join_tokens(&self) -> Result<Vec<(String, String, u64)>>;
    /// The transactions that are prepared under a gid, by gid.
    async fn prepared(&self) -> Result<Vec<PreparedTransaction>>;
    /// What each node that can be reached has to show.
    async fn inspect(&self) -> Result<Vec<(u64, Inspection)>>;
    /// Makes a token useless; `false` if there is none with this id.
    async fn revoke_join_token(&self, id: &str) -> Result<bool>;
}

/// What a function asks of the cluster while it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterCall {
    /// `quorate.create_join_token()`
    CreateJoinToken,
    /// `quorate.revoke_join_token(id)`
    RevokeJoinToken(String),
    /// `quorate.txn_status(token)`
    TxnStatus(CommitToken),
}

impl ClusterCall {
    /// Does it.
    ///
    /// # Errors
    /// Those of the cluster.
    pub async fn perform(&self, cluster: &dyn ClusterInfo, client: &Client) -> Result<Value> {
        match self {
            ClusterCall::CreateJoinToken => cluster.create_join_token().await.map(text),
            ClusterCall::RevokeJoinToken(id) => cluster.revoke_join_token(id).await.map(Value::Bool),
            ClusterCall::TxnStatus(token) => txn_status(client, token).await.map(|status| text(status.to_string())),
        }
    }
}

/// How the transaction of `token` ended.
///
/// # Errors
/// 40003 while those that decide cannot be reached.
pub async fn txn_status(client: &Client, token: &CommitToken) -> Result<TxnStatus> {
    client.status(token).await.map_err(|error| match error {
        quorate_txn::Error::Ambiguous => {
            Error::new(SqlState::STATEMENT_COMPLETION_UNKNOWN, "how the transaction ended cannot be found out now")
                .with_detail("The ranges that decide about it do not answer.")
                .with_txn_token(token.to_string())
                .with_hint("Ask again when a majority of their replicas can be reached; SHOW RANGES lists them.")
        }
        other => other.into(),
    })
}

/// All keys, those of the system's own ranges among them.
fn every_key() -> Span {
    Span::new([DIRECTORY_PREFIX], [END_PREFIX])
}

/// The rows of a table of the schema `quorate`.
///
/// # Errors
/// Those of the cluster; 0A000 for a table without rows of its own.
pub async fn rows(name: &str, cluster: &dyn ClusterInfo, view: &CatalogView) -> Result<Vec<Row>> {
    match name {
        "nodes" => node_rows(cluster).await,
        "ranges" => range_rows(cluster, view, None).await,
        "join_tokens" => token_rows(cluster).await,
        "locks" => {
            let all = cluster.inspect().await?;
            let sessions = all.iter().flat_map(|(_, shown)| &shown.sessions);
            let sessions: BTreeMap<Attempt, &Work> = sessions.map(|work| (work.attempt, work)).collect();
            Ok(all.iter().flat_map(|(_, shown)| lock_rows(shown, view, &sessions)).collect())
        }
        "in_doubt" => {
            let named = cluster.prepared().await?.into_iter().map(|held| (held.attempt, held.gid)).collect();
            let shown = cluster.inspect().await?;
            Ok(shown.iter().flat_map(|(_, shown)| in_doubt_rows(shown, view, &named)).collect())
        }
        "commits" => Ok(cluster.inspect().await?.into_iter().flat_map(commit_rows).collect()),
        _ => Err(Error::internal(format!("the system table \"quorate.{name}\" has no rows"))),
    }
}

/// Rows of `quorate.nodes`.
///
/// # Errors
/// Those of the cluster.
pub async fn node_rows(cluster: &dyn ClusterInfo) -> Result<Vec<Row>> {
    let row = |node: NodeStatus| {
        vec![
            number(node.id),
            text(node.address),
            node.sql_address.map_or(Value::Null, text),
            text(if node.live { "live" } else { "down" }),
            number(node.replicas),
            number(node.leases),
            text(node.version),
        ]
    };
    Ok(cluster.nodes().await?.into_iter().map(row).collect())
}

/// Rows of `quorate.ranges`, of one table or of all.
///
/// # Errors
/// Those of the cluster.
pub async fn range_rows(cluster: &dyn ClusterInfo, view: &CatalogView, table: Option<&Table>) -> Result<Vec<Row>> {
    let span = table.map_or_else(every_key, |table| TableKey::table_span(table.id.0));
    let row = |range: RangeStatus| {
        vec![
            number(range.id),
            text(key_text(view, &range.span.start)),
            text(key_text(view, &range.span.end)),
            tables_of(view, &range.span).map_or(Value::Null, text),
            range.leaseholder.map_or(Value::Null, number),
            numbers(range.voters),
            numbers(range.learners),
        ]
    };
    Ok(cluster.ranges(&span).await?.into_iter().map(row).collect())
}

/// Rows of `quorate.locks` of one node, by range and key; `sessions` of all nodes.
fn lock_rows(shown: &Inspection, view: &CatalogView, sessions: &BTreeMap<Attempt, &Work>) -> Vec<Row> {
    let mut holders: BTreeMap<&[u8], Vec<Attempt>> = BTreeMap::new();
    for lock in shown.locks.iter().filter(|lock| lock.granted) {
        holders.entry(&lock.key).or_default().push(lock.attempt);
    }
    let mut locks: Vec<&Locked> = shown.locks.iter().collect();
    locks.sort_by_key(|lock| (lock.range, &lock.key, !lock.granted));
    let row = |lock: &Locked| {
        let mode = match (lock.mode, lock.granted) {
            (Some(LockMode::Share), _) => "share",
            (Some(LockMode::Update), _) => "update",
            (None, true) => "intent",
            (None, false) => "any",
        };
        let session = sessions.get(&lock.attempt);
        let held_by = holders.get(lock.key.as_slice()).filter(|_| !lock.granted);
        let others = held_by.map(|held_by| held_by.iter().filter(|holder| **holder != lock.attempt));
        vec![
            number(lock.range.0),
            tables_of(view, &Span::point(&lock.key)).map_or(Value::Null, text),
            text(key_text(view, &lock.key)),
            text(mode),
            text(lock.attempt.to_string()),
            Value::Bool(lock.granted),
            others.map_or(Value::Null, |others| texts(others.map(Attempt::to_string))),
            session.map_or(Value::Null, |work| Value::Int4(work.session)),
            session.map_or(Value::Null, |work| text(work.statement.clone())),
        ]
    };
    locks.into_iter().map(row).collect()
}

/// Rows of `quorate.in_doubt` of one node; `named` are the prepared transactions.
fn in_doubt_rows(shown: &Inspection, view: &CatalogView, named: &BTreeMap<Attempt, String>) -> Vec<Row> {
    let row = |held: &InDoubt| {
        let state = match (held.state, held.commit_id) {
            (RegisterState::Pending, _) => "laying intents",
            (RegisterState::Prepared, None) => "prepared",
            (RegisterState::Prepared, Some(_)) => "prepared for one round",
            (RegisterState::PreCommit, _) => "pre-commit",
            (RegisterState::PreAbort, _) => "pre-abort",
            (RegisterState::Committed, _) => "committed",
            (RegisterState::Aborted, _) => "aborted",
            (RegisterState::None, _) => "unknown",
        };
        let silent = i64::try_from(held.silence.as_millis()).unwrap_or(i64::MAX / 1000) * 1000;
        vec![
            number(held.range.0),
            text(held.record.attempt.to_string()),
            number(held.record.attempt.gateway),
            text(state),
            held.commit_id.map_or(Value::Null, |id| number(id.0)),
            number(held.keys),
            text(key_text(view, &held.record.part_key)),
            Value::Interval(Interval { months: 0, days: 0, micros: silent }),
            Value::Bool(held.recovering),
            named.get(&held.record.attempt).map_or(Value::Null, |gid| text(gid.as_str())),
        ]
    };
    shown.in_doubt.iter().map(row).collect()
}

/// Rows of `pg_prepared_xacts`. An `xid` is the lower half of an ID, as in PostgreSQL.
///
/// # Errors
/// Those of the cluster.
pub async fn prepared_rows(cluster: &dyn ClusterInfo) -> Result<Vec<Row>> {
    let row = |held: PreparedTransaction| {
        vec![
            Value::Oid(held.commit_id.0 as u32),
            text(held.gid),
            Value::Timestamptz(held.about.prepared),
            text(held.about.owner),
            text(held.about.database),
        ]
    };
    Ok(cluster.prepared().await?.into_iter().map(row).collect())
}

/// Rows of `quorate.commits` of one node.
fn commit_rows((node, shown): (u64, Inspection)) -> Vec<Row> {
    let row = move |(path, reason, count): (String, Option<String>, u64)| {
        vec![number(node), text(path), reason.map_or(Value::Null, text), number(count)]
    };
    shown.commits.into_iter().map(row).collect()
}

/// Rows of `quorate.join_tokens`.
async fn token_rows(cluster: &dyn ClusterInfo) -> Result<Vec<Row>> {
    let row = |(id, state, expires_at)| vec![text(id), text(state), Value::Timestamptz(wall_to_pg(expires_at))];
    Ok(cluster.join_tokens().await?.into_iter().map(row).collect())
}

/// What evaluation answers when a call of the cluster cannot be made where it stands.
pub fn call_is_misplaced(function: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("quorate.{function} is not supported here"))
        .with_hint(format!("Use it alone: SELECT quorate.{function}."))
}

fn text(text: impl Into<Text>) -> Value {
    Value::Text(text.into())
}

fn number(number: u64) -> Value {
    Value::Int8(i64::try_from(number).unwrap_or(i64::MAX))
}

fn numbers(all: Vec<u64>) -> Value {
    Value::Array(Arc::new(Array::new(Type::Int8, all.into_iter().map(number).collect())))
}

fn texts(all: impl Iterator<Item = String>) -> Value {
    Value::Array(Arc::new(Array::new(Type::Text, all.map(text).collect())))
}

/// `/table/index/values` of a key.
pub fn key_text(view: &CatalogView, key: &[u8]) -> String {
    let Some((table, index, rest)) = TableKey::parse(key) else {
        if let [ARBITER_PREFIX, slot] = key {
            return format!("/arbiter/{slot}");
        }
        return key.iter().map(|byte| format!("{byte:02x}")).collect();
    };
    let found = view.table(TableId(table));
    let name = found.map_or_else(|| table.to_string(), |table| table.name.clone());
    let found = found.and_then(|table| Some((table, table.index(IndexId(index))?)));
    let index_name = found.map_or_else(|| index.to_string(), |(_, index)| index.name.clone());
    let values = found.map_or_else(|| hex(rest), |(table, index)| show_columns(table, index, rest));
    format!("/{name}/{index_name}{values}")
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/0x{digits}")
}

fn show_columns(table: &Table, index: &Index, mut rest: &[u8]) -> String {
    let mut out = String::new();
    for key in &index.columns {
        let Some(column) = table.column(key.column).filter(|_| !rest.is_empty()) else { break };
        match decode_key(&mut rest, &column.ty, key.descending) {
            Ok(value) if value.is_null() => out.push_str("/NULL"),
            Ok(value) => {
                out.push('/');
                out.push_str(&value.to_text(&Default::default()));
            }
            Err(_) => {
                out.push_str(&hex(rest));
                break;
            }
        }
    }
    out
}

/// Names of the tables with keys in the span.
fn tables_of(view: &CatalogView, span: &Span) -> Option<String> {
    let names: Vec<String> = view
        .tables()
        .filter(|table| table.all_indexes().any(|index| TableKey::span(table.id.0, index.id.0).overlaps(span)))
        .map(|table| table.name.clone())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
