//! Ends an attempt that is held: its record has the word, and the registers are brought to it.
//!
//! The word is the record's alone ([`crate::held`]), so every ballot carries the same value; the registers then say it to
//! whoever asks them.

use super::outcome::Coordinator;
use super::terminate::commit_id_of;
use crate::Attempt;
use crate::commit::Value;

impl Coordinator {
    /// Brings the attempt to what its record says, and tells all participants; whether all have acknowledged it. It may be
    /// tried again, by several at once.
    pub(crate) async fn finish(
        &self,
        attempt: Attempt,
        (participants, acceptors): (&[Vec<u8>], &[Vec<u8>]),
        word: Value,
    ) -> bool {
        if participants.is_empty() {
            return true;
        }
        match self.drive(attempt, (participants, acceptors), Some(word)).await {
            Some((value, participants)) if value == word => {
                self.tell_all(attempt, participants, commit_id_of(word)).await
            }
            Some((value, _)) => {
                tracing::error!(%attempt, ?word, outcome = ?value, "the registers contradict the record of an attempt");
                false
            }
            None => false,
        }
    }
}
