//! The open transaction: begun late, ended in every case, restarted where nobody can tell.
//!
//! ```text
//!   BEGIN            nothing is asked of anybody yet
//!   first statement  the transaction begins: its S is as fresh as can be
//!   error            implicit: rolled back at once.  explicit: Failed; rolled back unless a savepoint may revive it
//! ```
//! **Commit tokens.** With `txn_token = on`, the client is told a token before its COMMIT is carried out
//! ([`Session::token_before`]). Only before an explicit COMMIT: a statement that commits by itself may be run again as
//! another transaction, so that "aborted" would be no answer about the statement; and it would pay for a second packet
//! where it needs one. Off by default: each token costs a packet, and only a client that reads it gains by it; such a
//! client says so when it connects. The error of an unknown outcome carries the token in any case.
//!
//! Invariant: `failed` means that the statements so far will never be committed.

use super::commit_trace::LastCommit;
use super::{CommandTag, Gateway, Notice, Prepared, Session};
use crate::error::{Error, SqlState};
use crate::sql::catalog::CatalogView;
use crate::sql::exec::settings::Settings;
use crate::sql::exec::{pg_to_wall, wall_to_pg};
use crate::sql::parser::{AsOf, IsolationLevel, StatementKind, TransactionModes};
use quorate_txn::{Isolation, Mark, StartId, Transaction, TxnId, TxnOptions};
use std::sync::Arc;
use std::time::Duration;

/// Savepoints by which retry helpers of other databases restart a transaction.
const RESTART_SAVEPOINTS: [&str; 2] = ["cockroach_restart", "quorate_restart"];

/// A transaction under way.
pub struct Block {
    /// BEGIN was given.
    pub explicit: bool,
    /// Implicit, and of one statement only: ends with it.
    pub alone: bool,
    /// A statement failed.
    pub failed: bool,
    /// Its isolation.
    pub isolation: Isolation,
    /// Whether writes are refused.
    pub read_only: bool,
    /// The state of the past that it reads.
    pub as_of: Option<AsOf>,
    /// The time of its begin, in microseconds since 2000.
    pub now: i64,
    /// The transaction, from the first statement on.
    pub txn: Option<Transaction>,
    /// The catalog that it sees.
    pub view: Option<Arc<CatalogView>>,
    /// The view holds changes of this transaction.
    pub overlay: bool,
    /// Statements that have run.
    pub statements: u64,
    /// Age kept from an attempt that was given up.
    pub start: Option<StartId>,
    savepoints: Vec<Savepoint>,
}

struct Savepoint {
    name: String,
    mark: Mark,
    first: bool,
    view: Option<Arc<CatalogView>>,
    overlay: bool,
    settings: Arc<Settings>,
}

/// The isolation of a level named in SQL.
pub fn isolation_of(level: IsolationLevel) -> Isolation {
    match level {
        IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
        IsolationLevel::RepeatableRead => Isolation::Snapshot,
        IsolationLevel::Serializable => Isolation::Serializable,
    }
}

fn isolation_named(name: &str) -> Isolation {
    match name {
        "repeatable read" => Isolation::Snapshot,
        "read committed" | "read uncommitted" => Isolation::ReadCommitted,
        _ => Isolation::Serializable,
    }
}

impl Session {
    /// Opens a block, or an implicit transaction; nothing is asked of anybody yet.
    pub(super) fn open_block(&mut self, explicit: bool, modes: TransactionModes) {
        let default = self.settings.get("default_transaction_isolation").unwrap_or_default();
        self.serial += 1;
        self.block = Some(Block {
            explicit,
            alone: false,
            failed: false,
            isolation: modes.isolation.map_or_else(|| isolation_named(default), isolation_of),
            read_only: modes.read_only.unwrap_or(self.settings.derived().read_only) || modes.as_of.is_some(),
            as_of: modes.as_of,
            now: wall_to_pg(self.gateway.runtime.wall()),
            txn: None,
            view: None,
            overlay: false,
            statements: 0,
            start: None,
            savepoints: Vec::new(),
        });
    }

    /// Makes sure that a transaction has begun; of an explicit block or implicit.
    pub(super) async fn ensure_transaction(&mut self) -> Result<(), Error> {
        self.ensure_transaction_of(false).await
    }

    /// The same; `one_write`: if one begins, it is for one statement that writes, and ends with it.
    pub(super) async fn ensure_transaction_of(&mut self, one_write: bool) -> Result<(), Error> {
        if self.block.is_none() {
            self.open_block(false, TransactionModes::default());
        }
        let lock_timeout = self.settings.derived().lock_timeout;
        let Some(block) = &mut self.block else { return Ok(()) };
        if let Some(txn) = &mut block.txn {
            if block.isolation == Isolation::ReadCommitted && block.statements > 0 {
                txn.restart_statement().await?;
                if !block.overlay {
                    block.view = Some(self.gateway.catalog.at(txn).await?);
                }
            }
            return Ok(());
        }
        if let Some(as_of) = block.as_of {
            let read_id = as_of_id(&self.gateway, as_of).await?;
            let mut txn = self.gateway.client.begin_as_of(read_id).await?;
            block.view = Some(self.gateway.catalog.at(&mut txn).await?);
            block.txn = Some(txn);
            return Ok(());
        }
        let options = TxnOptions {
            isolation: block.isolation,
            read_only: block.read_only,
            draws_commit_id: one_write && !block.read_only,
            start: block.start,
        };
        let mut txn = self.gateway.client.begin(options).await?;
        if lock_timeout > 0 {
            txn.set_lock_timeout(Some(Duration::from_millis(lock_timeout)));
        }
        block.view = Some(self.gateway.catalog.at(&mut txn).await?);
        block.txn = Some(txn);
        Ok(())
    }

    /// A statement reads a state of the past: so does its whole transaction.
    pub(super) fn read_as_of(&mut self, as_of: Option<AsOf>) -> Result<(), Error> {
        let Some(as_of) = as_of else { return Ok(()) };
        if self.block.is_none() {
            self.open_block(false, TransactionModes::default());
        }
        let Some(block) = &mut self.block else { return Ok(()) };
        if block.as_of != Some(as_of) {
            if block.txn.is_some() {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "AS OF SYSTEM TIME must be that of the whole transaction",
                )
                .with_hint("Use BEGIN AS OF SYSTEM TIME, or run the query outside of the transaction."));
            }
            block.as_of = Some(as_of);
            block.read_only = true;
        }
        Ok(())
    }

    /// Gives up the attempt, keeping its age, so that the next one begins anew.
    pub(super) async fn drop_attempt(&mut self) {
        let Some(block) = &mut self.block else { return };
        if let Some(mut txn) = block.txn.take() {
            block.start = Some(txn.start_id());
            txn.rollback().await;
        }
        block.view = None;
        block.overlay = false;
    }

    /// A statement failed.
    pub(super) async fn statement_failed(&mut self, mark: Option<Mark>, error: &Error) {
        let Some(block) = &mut self.block else { return };
        block.failed = true;
        if block.explicit
            && !block.savepoints.is_empty()
            && !error.is_retryable()
            && let (Some(txn), Some(mark)) = (&mut block.txn, mark)
        {
            txn.rollback_to(mark);
            return;
        }
        self.drop_attempt().await;
        if self.block.as_ref().is_some_and(|block| !block.explicit) {
            self.end_block(false);
        }
    }

    pub(super) fn end_block(&mut self, committed: bool) {
        self.block = None;
        if self.settings.in_transaction() {
            Arc::make_mut(&mut self.settings).end_transaction(committed);
            self.settings_changed();
        }
    }

    /// Commits what is open, block or not.
    pub(super) async fn commit_block(&mut self) -> Result<(), Error> {
        let protocol = self.settings.derived().commit_protocol;
        let Some(block) = &mut self.block else { return Ok(()) };
        let result = match block.txn.take() {
            Some(mut txn) => {
                block.start = Some(txn.start_id());
                txn.set_commit_protocol(protocol);
                let (read_id, view) = (txn.read_id(), block.view.take().unwrap_or_default());
                let token = txn.token();
                match txn.commit().await {
                    Ok(committed) => {
                        self.last_commit = Some(LastCommit { committed, read_id, view });
                        Ok(())
                    }
                    Err(error) => {
                        let error = self.gateway.told(error.into());
                        Err(match token.filter(|_| error.is_ambiguous()) {
                            Some(token) => error.with_txn_token(token.to_string()),
                            None => error,
                        })
                    }
                }
            }
            None => Ok(()),
        };
        self.end_block(result.is_ok());
        result
    }

    /// If this statement is about to commit a block that wrote, and `txn_token` is on: the text that a client must have
    /// before that, so that it can find out the outcome from another node (`quorate.txn_status`) should it lose this one.
    pub fn token_before(&self, prepared: &Prepared) -> Option<String> {
        self.commit_token(&prepared.statement.kind)
    }

    /// [`Session::token_before`] of a statement that needs no preparing.
    pub(super) fn commit_token(&self, statement: &StatementKind) -> Option<String> {
        let block = self.block.as_ref().filter(|block| block.explicit && !block.failed)?;
        let wanted = matches!(statement, StatementKind::Commit { .. }) && self.settings.derived().txn_token;
        block.txn.as_ref().filter(|_| wanted)?.token().map(|token| token.to_string())
    }

    /// Drops what is open.
    pub(super) async fn abandon(&mut self) {
        self.drop_attempt().await;
        if self.block.is_some() {
            self.end_block(false);
        }
    }

    /// The caller's own error (a parameter that cannot be read, an unknown portal) counts as one of a statement: an open
    /// block becomes Failed, an implicit transaction is dropped at [`Session::sync`]. Nothing changes otherwise.
    pub fn fail(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed = true;
        }
    }

    /// Ends the implicit transaction of a pipeline: commits it, or drops it if a statement failed.
    pub async fn sync(&mut self) -> Result<(), Error> {
        match &self.block {
            Some(block) if block.explicit => Ok(()),
            Some(block) if block.failed => {
                self.abandon().await;
                Ok(())
            }
            Some(_) => self.commit_block().await,
            None => Ok(()),
        }
    }

    /// BEGIN
    pub(super) fn begin(&mut self, modes: TransactionModes) -> Result<CommandTag, Error> {
        match &mut self.block {
            Some(block) if block.explicit => {
                let text = "there is already a transaction in progress";
                self.notices.push(Notice::warning(SqlState::ACTIVE_SQL_TRANSACTION, text));
            }
            Some(block) => {
                // Inside a pipeline or a text of several statements, the implicit transaction becomes the block.
                block.explicit = true;
                self.set_modes(modes)?;
            }
            None => self.open_block(true, modes),
        }
        Ok(CommandTag::new("BEGIN"))
    }

    pub(super) fn no_transaction(&mut self) {
        let text = "there is no transaction in progress";
        self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, text));
    }

    /// COMMIT; of a failed transaction, ROLLBACK.
    pub(super) async fn commit(&mut self, chain: bool) -> Result<CommandTag, Error> {
        let Some(block) = &self.block else {
            self.no_transaction();
            return Ok(CommandTag::new("COMMIT"));
        };
        let (failed, modes) = (block.failed, chained_modes(block));
        if !block.explicit {
            self.no_transaction();
        }
        let tag = if failed {
            self.abandon().await;
            "ROLLBACK"
        } else {
            self.commit_block().await?;
            "COMMIT"
        };
        if chain {
            self.open_block(true, modes);
        }
        Ok(CommandTag::new(tag))
    }

    /// ROLLBACK
    pub(super) async fn rollback(&mut self, chain: bool) -> CommandTag {
        match &self.block {
            Some(block) if block.explicit => {
                let modes = chained_modes(block);
                self.abandon().await;
                if chain {
                    self.open_block(true, modes);
                }
            }
            _ => {
                self.no_transaction();
                self.abandon().await;
            }
        }
        CommandTag::new("ROLLBACK")
    }

    /// SET TRANSACTION
    pub(super) fn set_modes(&mut self, modes: TransactionModes) -> Result<(), Error> {
        let Some(block) = &mut self.block else { return Ok(()) };
        if let Some(level) = modes.isolation {
            let isolation = isolation_of(level);
            if block.statements > 0 && isolation != block.isolation {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION ISOLATION LEVEL must be called before any query",
                ));
            }
            block.isolation = isolation;
        }
        if modes.as_of.is_some() {
            self.read_as_of(modes.as_of)?;
        }
        let Some(block) = &mut self.block else { return Ok(()) };
        if let Some(read_only) = modes.read_only {
            if !read_only && block.as_of.is_some() {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "a transaction AS OF SYSTEM TIME is read-only",
                ));
            }
            if block.read_only && !read_only && block.statements > 0 {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "transaction read-write mode must be set before any query",
                ));
            }
            block.read_only = read_only;
        }
        Ok(())
    }

    /// The isolation of the open transaction, or of the next.
    pub(super) fn isolation_name(&self) -> &str {
        match &self.block {
            Some(block) => match block.isolation {
                Isolation::Serializable => "serializable",
                Isolation::Snapshot => "repeatable read",
                Isolation::ReadCommitted => "read committed",
            },
            None => self.settings.get("default_transaction_isolation").unwrap_or_default(),
        }
    }

    /// Whether the open transaction, or the next, refuses writes.
    pub(super) fn is_read_only(&self) -> bool {
        self.block.as_ref().map_or(self.settings.derived().read_only, |block| block.read_only)
    }
}

fn chained_modes(block: &Block) -> TransactionModes {
    let isolation = match block.isolation {
        Isolation::Serializable => IsolationLevel::Serializable,
        Isolation::Snapshot => IsolationLevel::RepeatableRead,
        Isolation::ReadCommitted => IsolationLevel::ReadCommitted,
    };
    let read_only = Some(block.read_only && block.as_of.is_none());
    TransactionModes { isolation: Some(isolation), read_only, deferrable: None, as_of: None }
}

/// The ID of the state that is meant.
async fn as_of_id(gateway: &Gateway, as_of: AsOf) -> Result<TxnId, Error> {
    let now = wall_to_pg(gateway.runtime.wall());
    let time = match as_of {
        AsOf::Id(id) => return Ok(TxnId(id)),
        AsOf::Ago(age) => now.saturating_sub(age),
        AsOf::Time(time) => time,
    };
    if time > now {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "AS OF SYSTEM TIME lies in the future"));
    }
    gateway.client.oracle().read_id_at(pg_to_wall(time)).await?.ok_or_else(|| {
        Error::new(SqlState::SNAPSHOT_TOO_OLD, "no state of that time is kept")
            .with_hint("Read a newer state, or start the nodes with a longer --retention.")
    })
}

/// Savepoints.
impl Session {
    fn in_block(&self, what: &str) -> Result<(), Error> {
        match &self.block {
            Some(block) if block.explicit => Ok(()),
            _ => Err(Error::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{what} can only be used in transaction blocks"),
            )),
        }
    }

    /// SAVEPOINT
    pub(super) async fn savepoint(&mut self, name: &str) -> Result<CommandTag, Error> {
        self.in_block("SAVEPOINT")?;
        self.ensure_transaction().await?;
        let settings = self.settings.clone();
        if let Some(block) = &mut self.block
            && let Some(txn) = &block.txn
        {
            block.savepoints.push(Savepoint {
                name: name.to_owned(),
                mark: txn.mark(),
                first: block.statements == 0,
                view: block.view.clone(),
                overlay: block.overlay,
                settings,
            });
        }
        Ok(CommandTag::new("SAVEPOINT"))
    }

    fn find_savepoint(&self, name: &str) -> Result<usize, Error> {
        let savepoints = self.block.as_ref().map_or(&[][..], |block| &block.savepoints);
        savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            Error::new(SqlState::S_E_INVALID_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// RELEASE SAVEPOINT. Of a restart savepoint it commits, so that its errors can still be answered by a restart.
    pub(super) async fn release(&mut self, name: &str) -> Result<CommandTag, Error> {
        self.in_block("RELEASE SAVEPOINT")?;
        let place = self.find_savepoint(name)?;
        if let Some(block) = &mut self.block {
            block.savepoints.truncate(place);
        }
        Ok(CommandTag::new("RELEASE"))
    }

    /// ROLLBACK TO SAVEPOINT
    pub(super) async fn rollback_to(&mut self, name: &str) -> Result<CommandTag, Error> {
        self.in_block("ROLLBACK TO SAVEPOINT")?;
        let place = self.find_savepoint(name)?;
        let Some(block) = &mut self.block else { return Ok(CommandTag::new("ROLLBACK")) };
        let savepoint = &block.savepoints[place];
        let (first, mark, settings) = (savepoint.first, savepoint.mark, savepoint.settings.clone());
        let (view, overlay) = (savepoint.view.clone(), savepoint.overlay);
        block.savepoints.truncate(place + 1);
        match &mut block.txn {
            Some(txn) => {
                txn.rollback_to(mark);
                block.view = view;
                block.overlay = overlay;
            }
            None if first || RESTART_SAVEPOINTS.contains(&name) => {
                // The attempt is gone; the transaction goes on as a new one of the same age.
                block.statements = 0;
                block.savepoints.clear();
            }
            None => {
                return Err(Error::new(
                    SqlState::SERIALIZATION_FAILURE,
                    "could not serialize access due to concurrent update",
                )
                .with_hint("Roll the whole transaction back and run it again."));
            }
        }
        block.failed = false;
        let revive = block.txn.is_none();
        self.settings = settings;
        self.settings_changed();
        if revive {
            self.savepoint(name).await?;
        }
        Ok(CommandTag::new("ROLLBACK"))
    }
}
