//! How the transaction of a commit token ended; see [`crate::token`].
//!
//! ```text
//!   attempt := the first ─► Settle at the anchor ─ undecided ─► terminate
//!       ▲                     │ ABORTED     │ COMMITTED(C)          │
//!       │                     ▼             ▼                       └─► as decided
//!       └─ a newer one ◄─ CloseToken      committed(C)
//!                             └─ closed: aborted
//! ```
//!
//! Invariant: nothing is guessed: without an answer of those that decide, there is none here either.

use super::outcome::{Coordinator, Heard};
use crate::api::{RecordKey, RegisterState, Reply, Request};
use crate::commit::Value;
use crate::coordinator::unexpected;
use crate::error::{Error, Result};
use crate::{CommitToken, TxnStatus};
use quorate_storage::mutation::planted;

impl Coordinator {
    /// How the transaction of `token` ended. What is undecided is ended first, so the answer is final.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when those that decide cannot be reached.
    pub async fn status(&self, token: &CommitToken) -> Result<TxnStatus> {
        let anchor = RecordKey { part_key: token.anchor.clone(), attempt: token.first };
        let mut newest = token.first;
        loop {
            let status = self.outcome(RecordKey { attempt: newest, ..anchor.clone() }).await?;
            if status != TxnStatus::Aborted || planted("token-open") {
                return Ok(status);
            }
            let close = || Request::CloseToken { record: anchor.clone(), aborted: newest };
            newest = match self.router.send_to_key(&anchor.part_key, close).await {
                Ok(Reply::Token(None)) => return Ok(TxnStatus::Aborted),
                Ok(Reply::Token(Some(newer))) => newer,
                Ok(Reply::Forgotten) => return Ok(TxnStatus::Expired),
                Ok(other) => return Err(unexpected(&other)),
                Err(_) => return Err(Error::Ambiguous),
            };
        }
    }

    /// The final outcome of one attempt, of which `record` is a participant's record.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when those that decide cannot be reached.
    pub(super) async fn outcome(&self, record: RecordKey) -> Result<TxnStatus> {
        let register = match self.ask_register(&record, |record| Request::Settle { record }, None).await {
            Some(Heard::Register(register)) => register,
            Some(Heard::Forgotten) => return Ok(TxnStatus::Expired),
            None => return Err(Error::Ambiguous),
        };
        match register.state {
            RegisterState::Committed => Ok(TxnStatus::Committed(register.commit_id)),
            RegisterState::Aborted => Ok(TxnStatus::Aborted),
            _ => match self.terminate(record.attempt, &[record.part_key], &[]).await {
                Some(Value::Commit(commit_id)) => Ok(TxnStatus::Committed(commit_id)),
                Some(Value::Abort) => Ok(TxnStatus::Aborted),
                None => Err(Error::Ambiguous),
            },
        }
    }
}
