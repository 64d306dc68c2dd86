//! PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED: a transaction that outlives its session.
//!
//! ```text
//!   PREPARE TRANSACTION 'gid'    the block ends in any case     the rows it wrote stay locked, its session and node may go
//!   COMMIT PREPARED 'gid'        from any session of the database, on any node
//!   ROLLBACK PREPARED 'gid'      the same
//! ```
//! What PostgreSQL users know, with two differences. Whoever reads rows that a prepared transaction has written waits until
//! it is ended, because its place in the order of all transactions is fixed already. And rows that were only locked (`FOR
//! UPDATE`) are not locked any more once it is prepared; what was read still holds, the order sees to that.
//!
//! A change of the catalog is refused: sessions learn of it by the ID at which it commits, and cannot wait for one that may
//! come days later below what they have seen.

use super::{CommandTag, Session};
use crate::error::{Error, SqlState};
use crate::sql::catalog::held::{About, check_gid, held_key};
use crate::sql::exec::wall_to_pg;
use quorate_txn::held::Stage;
use quorate_txn::{Error as TxnError, Finish, Hold};

impl Session {
    /// PREPARE TRANSACTION; of a failed transaction, ROLLBACK.
    pub(super) async fn prepare_transaction(&mut self, gid: &str) -> Result<CommandTag, Error> {
        let failed = match &self.block {
            Some(block) if block.explicit => block.failed,
            _ => {
                self.no_transaction();
                return Ok(CommandTag::new("ROLLBACK"));
            }
        };
        if failed {
            self.abandon().await;
            return Ok(CommandTag::new("ROLLBACK"));
        }
        match self.hold_block(gid).await {
            Ok(()) => {
                self.end_block(true);
                Ok(CommandTag::new("PREPARE TRANSACTION"))
            }
            Err(error) => {
                self.abandon().await;
                Err(self.gateway.told(error))
            }
        }
    }

    async fn hold_block(&mut self, gid: &str) -> Result<(), Error> {
        check_gid(gid)?;
        if self.block.as_ref().is_some_and(|block| block.txn.is_none()) {
            self.ensure_transaction().await?;
        }
        let Some(txn) = self.block.as_mut().and_then(|block| block.txn.as_mut()) else { return Ok(()) };
        if txn.is_changing_catalog() {
            return Err(Error::unsupported(
                "cannot PREPARE a transaction that has changed the catalog",
                "COMMIT it instead, and prepare a transaction that changes rows only.",
            ));
        }
        let about = About {
            prepared: wall_to_pg(self.gateway.runtime.wall()),
            owner: self.user.to_string(),
            database: self.database.to_string(),
        };
        match txn.hold(&held_key(gid), about.encode()).await {
            Ok(Hold::Prepared(_)) => Ok(()),
            Ok(Hold::NameTaken) => {
                let message = format!("transaction identifier \"{gid}\" is already in use");
                Err(Error::new(SqlState::DUPLICATE_OBJECT, message))
            }
            Err(error @ TxnError::Ambiguous) => Err(doubt(
                error,
                "whether the transaction is prepared is unknown",
                "Look for it in pg_prepared_xacts before you run it again.",
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// COMMIT PREPARED, ROLLBACK PREPARED.
    pub(super) async fn finish_prepared(&mut self, gid: &str, commit: bool) -> Result<CommandTag, Error> {
        let verb = if commit { "COMMIT PREPARED" } else { "ROLLBACK PREPARED" };
        if self.block.is_some() {
            let message = format!("{verb} cannot run inside a transaction block");
            return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        match self.finish_held(gid, commit).await {
            Ok(()) => Ok(CommandTag::new(verb)),
            Err(error) => Err(self.gateway.told(error)),
        }
    }

    async fn finish_held(&self, gid: &str, commit: bool) -> Result<(), Error> {
        let unknown = || {
            let message = format!("prepared transaction with identifier \"{gid}\" does not exist");
            Error::new(SqlState::UNDEFINED_OBJECT, message)
        };
        let (client, key) = (&self.gateway.client, held_key(gid));
        let held = client.held(&key).await?.filter(|held| held.stage != Stage::Preparing).ok_or_else(unknown)?;
        let database = About::of(&held)?.database;
        // One whose database was dropped can still be finished, from any.
        if *database != *self.database && self.current_catalog().await?.database_named(&database).is_some() {
            return Err(Error::unsupported(
                "prepared transaction belongs to another database",
                "Connect to the database where the transaction was prepared to finish it.",
            ));
        }
        match client.end_held(&key, held.attempt, commit).await {
            Ok(Finish::Done) => Ok(()),
            Ok(Finish::Unknown) => Err(unknown()),
            Ok(Finish::Committing) => {
                let message = format!("prepared transaction with identifier \"{gid}\" is busy");
                Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                    .with_detail("It is being committed."))
            }
            Err(error @ TxnError::Ambiguous) => Err(doubt(
                error,
                "whether the prepared transaction is finished is unknown",
                "Run the statement again; if the transaction does not exist any more, it is finished.",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

fn doubt(error: TxnError, message: &'static str, hint: &'static str) -> Error {
    Error::new(SqlState::STATEMENT_COMPLETION_UNKNOWN, message).with_hint(hint).with_source(error)
}
