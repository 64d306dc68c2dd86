//! Waiting for a ticket.

use super::service::{Halt, Participant};
use super::state::Signal;
use crate::api::Reply;
use crate::lock::Ticket;
use std::time::Duration;
use tokio::sync::oneshot;

/// A request in a queue; dropping it takes the request out.
pub(super) struct Waiting<'a> {
    participant: &'a Participant,
    ticket: Ticket,
    receiver: oneshot::Receiver<Signal>,
}

impl<'a> Waiting<'a> {
    pub fn new(participant: &'a Participant, (ticket, receiver): (Ticket, oneshot::Receiver<Signal>)) -> Waiting<'a> {
        Waiting { participant, ticket, receiver }
    }

    /// Until the ticket is woken.
    pub async fn woken(mut self) -> Result<(), Halt> {
        let signal = (&mut self.receiver).await;
        self.outcome(signal)
    }

    /// Until the lock is granted; younger holders are wounded after `grace`.
    pub async fn granted(mut self, grace: Duration) -> Result<(), Halt> {
        let participant = self.participant;
        if let Some(signal) = participant.runtime.timeout(grace, &mut self.receiver).await {
            return self.outcome(signal);
        }
        {
            let mut state = participant.state.lock();
            let wakes = state.locks.wound(self.ticket);
            state.deliver(wakes);
        }
        self.woken().await
    }

    fn outcome(&self, signal: Result<Signal, oneshot::error::RecvError>) -> Result<(), Halt> {
        match signal {
            Ok(Signal::Go) => Ok(()),
            Ok(Signal::Wounded) => Err(Box::new(Reply::Wounded)),
            Err(_) => Err(self.participant.not_leader(false)),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.participant.state.lock().forget(self.ticket);
    }
}
