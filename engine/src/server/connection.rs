//! One connection with its session: takes messages and dispatches them.
//!
//! ```text
//!  error in Query                     ErrorResponse, ReadyForQuery
//!  error in the extended protocol     ErrorResponse, then everything is skipped until Sync
//!  broken framing, unknown message    ErrorResponse (FATAL), end
//!  COPY messages outside of a COPY    skipped: the client did not know yet that its COPY had failed
//! ```
//! Invariant: output is written before the connection waits for input that the client sends only after reading it.

use super::backend::{Bare, Loudness};
use super::ending::{Ending, Flow};
use super::frontend::violation;
use super::input::{Frame, Input};
use super::output::Output;
use super::portal::{Names, Progress};
use super::registry::Seat;
use crate::error::{Error, SqlState};
use crate::session::{Session, TransactionStatus};
use crate::sql::types::TypeContext;
use pgwire::messages::{copy, extendedquery, simplequery, terminate};
use std::sync::Arc;

/// A connection that has started its session.
pub(super) struct Connection {
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) session: Session,
    pub(super) seat: Arc<Seat>,
    pub(super) names: Names,
    /// Whether a statement of this pipeline waits for Sync to commit it.
    pub(super) pipelined: bool,
    /// Whether a statement of this pipeline failed: everything until Sync is skipped.
    pub(super) skipping: bool,
    /// For values whose text does not depend on the session.
    pub(super) plain: TypeContext,
}

impl Connection {
    pub(super) fn new(input: Input, output: Output, session: Session, seat: Arc<Seat>) -> Connection {
        Connection {
            input,
            output,
            session,
            seat,
            names: Names::default(),
            pipelined: false,
            skipping: false,
            plain: TypeContext::default(),
        }
    }

    /// Serves the client until it leaves or must leave.
    pub(super) async fn serve(mut self) {
        let ending = self.run().await;
        self.session.end().await;
        let told = match &ending {
            Ok(()) => self.output.close().await,
            Err(Ending::Gone) => Ok(()),
            Err(Ending::Fatal(error)) => farewell(&mut self.output, error).await,
        };
        if told.is_err() {
            tracing::debug!("the client was gone before it was told that its connection ends");
        }
    }

    async fn run(&mut self) -> Flow<()> {
        self.ready()?;
        while let Some(frame) = self.next_frame(true).await? {
            self.dispatch(frame).await?;
        }
        Ok(())
    }

    /// The next message; `None` when the client says goodbye. Between statements (`idle`), a transaction is not left open
    /// for longer than the session allows.
    pub(super) async fn next_frame(&mut self, idle: bool) -> Flow<Option<Frame>> {
        loop {
            if let Some(frame) = self.input.frame()? {
                let goodbye = frame.kind == terminate::MESSAGE_TYPE_BYTE_TERMINATE;
                return Ok((!goodbye).then_some(frame));
            }
            self.output.flush_wanted().await?;
            let limit = self.session.idle_in_transaction_timeout().filter(|_| idle);
            let free = !self.pipelined && self.session.transaction_status() == TransactionStatus::Idle;
            tokio::select! {
                biased;
                filled = self.input.fill() => filled?,
                () = self.seat.drained(), if free => return Err(Ending::Fatal(shutting_down())),
                () = self.session.pause(limit.unwrap_or_default()), if limit.is_some() => {
                    return Err(Ending::Fatal(idle_for_too_long()));
                }
            }
        }
    }

    async fn dispatch(&mut self, frame: Frame) -> Flow<()> {
        match frame.kind {
            extendedquery::MESSAGE_TYPE_BYTE_SYNC => return self.sync().await,
            _ if self.skipping => return Ok(()),
            simplequery::MESSAGE_TYPE_BYTE_QUERY => return self.query(&frame.body).await,
            extendedquery::MESSAGE_TYPE_BYTE_FLUSH => {
                self.output.want();
                return Ok(());
            }
            copy::MESSAGE_TYPE_BYTE_COPY_DATA
            | copy::MESSAGE_TYPE_BYTE_COPY_DONE
            | copy::MESSAGE_TYPE_BYTE_COPY_FAIL => return Ok(()),
            _ => {}
        }
        let sql = match self.extended(&frame).await? {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        self.send_notices()?;
        self.output.error(Loudness::Error, &sql.error, sql.sql.as_deref())?;
        self.session.fail();
        self.skipping = true;
        Ok(())
    }

    /// Commits what the pipeline did, or learns that it cannot.
    async fn sync(&mut self) -> Flow<()> {
        if self.pipelined || self.skipping {
            self.end_implicit().await?;
        }
        self.drop_portals_outside_of_transactions().await?;
        self.ready()
    }

    /// Ends the implicit transaction of a pipeline, if there is one.
    pub(super) async fn end_implicit(&mut self) -> Flow<()> {
        self.pipelined = false;
        self.skipping = false;
        match Box::pin(self.session.sync()).await {
            Ok(()) => Ok(()),
            Err(error) => self.output.error(Loudness::Error, &error, None),
        }
    }

    /// The server is ready for the next command: tells so, and everything that has changed beside results.
    pub(super) fn ready(&mut self) -> Flow<()> {
        self.send_notices()?;
        for (name, value) in self.session.changed_parameters() {
            self.output.parameter_status(name, &value)?;
        }
        self.output.ready(self.session.transaction_status());
        Ok(())
    }

    pub(super) fn send_notices(&mut self) -> Flow<()> {
        for notice in self.session.notices() {
            self.output.notice(&notice)?;
        }
        Ok(())
    }

    /// Portals end with their transaction.
    pub(super) async fn drop_portals_outside_of_transactions(&mut self) -> Flow<()> {
        if self.names.has_portals() && self.session.transaction_status() == TransactionStatus::Idle {
            for portal in self.names.take_portals() {
                self.close_portal(portal.progress).await;
            }
        }
        Ok(())
    }

    /// Gives up what is left of a portal. An error of it concerns rows that nobody wants any more.
    pub(super) async fn close_portal(&mut self, progress: Progress) {
        if let Progress::Running(execution) = progress
            && let Err(error) = Box::pin(self.session.close(execution)).await
        {
            tracing::debug!(%error, "closing a portal failed");
        }
    }

    pub(super) fn bare(&mut self, message: Bare) {
        self.output.bare(message);
    }
}

/// Tells the client why its connection ends.
pub(super) async fn farewell(output: &mut Output, error: &Error) -> Flow<()> {
    output.error(Loudness::Fatal, error, None)?;
    output.close().await
}

fn shutting_down() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

fn idle_for_too_long() -> Error {
    let state = SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT;
    Error::new(state, "terminating connection due to idle-in-transaction timeout")
}

/// A message that no state knows.
pub(super) fn unknown_message(kind: u8) -> Ending {
    Ending::Fatal(violation(format!("invalid frontend message type {kind}")))
}
