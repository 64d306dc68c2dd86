//! Transactions as closures that are run again.
//!
//! ```text
//!  attempt n: begin ─► closure ─► Ok  ─► commit ─► Ok  ─► done
//!                        │                  └ Err ─┐
//!                        └ Err ─► rollback ────────┴─► retryable? ─ no ─► the error
//!                                                        │ yes, and time is left
//!                                                        └─► pause: random in 0 .. min(1 ms * 2^(n-1), 100 ms)
//! ```
//! Retryable is the closure's own error or, if the closure swallowed or wrapped it, the first failure of a statement of the
//! attempt.
//!
//! A commit with unknown outcome is asked for by its token, on the ranges that decide, until they answer or for
//! [`RESOLVING`]: committed is done, aborted is run again.

use super::handle::Database;
use super::transaction::Transaction;
use crate::error::{Error, Result, SqlState};
use quorate_net::runtime::Instant;
use quorate_txn::{CommitToken, Error as TxnError, TxnStatus};
use std::sync::Arc;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How long a commit with unknown outcome is asked for.
const RESOLVING: Duration = Duration::from_secs(20);
/// Retries that are worth a warning.
const MANY_ATTEMPTS: u32 = 5;

/// An async closure whose future has a name, so that it can be required to be `Send`. Implemented for all closures that
/// return futures; there is no need to implement it.
pub trait AsyncFunc<A, R>: Fn(A) -> <Self as AsyncFunc<A, R>>::Fut {
    /// What the closure returns.
    type Fut: Future<Output = R>;
}

impl<A, R, F, Fut> AsyncFunc<A, R> for F
where
    F: Fn(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// How much a transaction is kept apart from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// As if transactions ran one after the other, in the order in which they were seen to end.
    #[default]
    Serializable,
    /// Reads see the state at the beginning; writes to rows that others changed since fail. SQL's REPEATABLE READ.
    Snapshot,
    /// Each statement sees what was committed before it.
    ReadCommitted,
}

/// Told of an error after which a closure is run again, and of the number of the attempt that failed.
pub type RetryHook = Arc<dyn Fn(&Error, u32) + Send + Sync>;

/// How a transaction runs.
#[derive(Clone)]
#[non_exhaustive]
pub struct TxOptions {
    /// How much it is kept apart from others.
    pub isolation: Isolation,
    /// Whether it may not write.
    pub read_only: bool,
    /// How long a closure is run again after retryable errors.
    pub deadline: Duration,
    /// How often a closure is run at most.
    pub max_attempts: u32,
    /// Whether running the closure twice is harmless, so that it may be run again when the outcome of a commit is unknown.
    pub idempotent: bool,
    /// Told of each error after which the closure is run again, with the number of the attempt that failed.
    pub on_retry: Option<RetryHook>,
}

impl Default for TxOptions {
    fn default() -> TxOptions {
        TxOptions {
            isolation: Isolation::default(),
            read_only: false,
            deadline: Duration::from_secs(10),
            max_attempts: u32::MAX,
            idempotent: false,
            on_retry: None,
        }
    }
}

impl TxOptions {
    /// The same options with another isolation.
    #[must_use]
    pub fn isolation(self, isolation: Isolation) -> TxOptions {
        TxOptions { isolation, ..self }
    }

    /// The same options for a transaction that only reads.
    #[must_use]
    pub fn read_only(self) -> TxOptions {
        TxOptions { read_only: true, ..self }
    }

    /// The same options with another deadline.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> TxOptions {
        TxOptions { deadline, ..self }
    }

    /// The same options with a bound of attempts.
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> TxOptions {
        TxOptions { max_attempts, ..self }
    }

    /// The same options for a closure that may run twice without harm.
    #[must_use]
    pub fn idempotent(self) -> TxOptions {
        TxOptions { idempotent: true, ..self }
    }

    /// The same options with a hook that is told of retries.
    #[must_use]
    pub fn on_retry(self, hook: impl Fn(&Error, u32) + Send + Sync + 'static) -> TxOptions {
        TxOptions { on_retry: Some(Arc::new(hook)), ..self }
    }

    pub(super) fn begin_statement(&self) -> &'static str {
        match (self.isolation, self.read_only) {
            (Isolation::Serializable, false) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            (Isolation::Serializable, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
            (Isolation::Snapshot, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            (Isolation::Snapshot, true) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            (Isolation::ReadCommitted, false) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Isolation::ReadCommitted, true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        }
    }

    fn retries(&self, error: &Error) -> bool {
        error.is_retryable() || self.idempotent && error.is_ambiguous()
    }
}

impl std::fmt::Debug for TxOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TxOptions")
            .field("isolation", &self.isolation)
            .field("read_only", &self.read_only)
            .field("deadline", &self.deadline)
            .field("max_attempts", &self.max_attempts)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Runs a closure in a transaction and commits it; rolls back if the closure fails.
    ///
    /// **The closure may run several times**: after a conflict with another transaction (SQLSTATE 40001, 40P01), or when a
    /// node moves away, it is run again in a new transaction, for up to ten seconds. So it must have no effects outside of
    /// the database. A call on the database itself inside of the closure is a separate transaction.
    ///
    /// ```
    /// # async fn example(db: quorate::Database, from: i64, to: i64, amount: i64) -> quorate::Result<()> {
    /// let left: i64 = db
    ///     .transaction(async |tx| {
    ///         tx.execute("UPDATE account SET balance = balance - $2 WHERE id = $1", (from, amount)).await?;
    ///         tx.execute("UPDATE account SET balance = balance + $2 WHERE id = $1", (to, amount)).await?;
    ///         tx.query_one("SELECT balance FROM account WHERE id = $1", (from,)).await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The closure's own error (wrap errors of other crates with [`Error::user`]); the last retryable error once the time is
    /// over, with [`Error::attempts`]; an [ambiguous](Error::is_ambiguous) error if the ranges that know whether the
    /// commit happened cannot be reached for half a minute.
    pub async fn transaction<T, F>(&self, f: F) -> Result<T>
    where
        for<'r> F: AsyncFn(&'r Transaction) -> Result<T> + AsyncFunc<&'r Transaction, Result<T>, Fut: Send>,
    {
        self.transaction_with(TxOptions::default(), f).await
    }

    /// As [`Database::transaction`], with options.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub async fn transaction_with<T, F>(&self, options: TxOptions, f: F) -> Result<T>
    where
        for<'r> F: AsyncFn(&'r Transaction) -> Result<T> + AsyncFunc<&'r Transaction, Result<T>, Fut: Send>,
    {
        let runtime = &self.pool.runtime;
        let until = runtime.now() + options.deadline;
        let mut attempt = 1;
        loop {
            let error = match self.attempt(&options, attempt, &f).await {
                Ok(value) => return Ok(value),
                Err(error) => error.with_attempts(attempt),
            };
            let pause = pause(attempt, runtime.random_u64());
            if !options.retries(&error) || attempt >= options.max_attempts || late(runtime.now(), pause, until) {
                return Err(error);
            }
            tell(&options, &error, attempt);
            runtime.sleep(pause).await;
            attempt += 1;
        }
    }

    /// One attempt. Its error is retryable if any failure in it was.
    async fn attempt<T, F>(&self, options: &TxOptions, attempt: u32, f: &F) -> Result<T>
    where
        for<'r> F: AsyncFn(&'r Transaction) -> Result<T> + AsyncFunc<&'r Transaction, Result<T>, Fut: Send>,
    {
        let tx = Transaction::begin(self.call().await?, options, attempt).await?;
        match call(f, &tx).await {
            Ok(value) => match tx.commit().await {
                Err(error) if error.is_ambiguous() => self.resolve(error).await.map(|()| value),
                ended => ended.map(|()| value),
            },
            Err(error) => {
                let cause = if tx.failed_retryably() { tx.failure() } else { None };
                if let Err(rollback) = tx.rollback().await {
                    tracing::debug!(%rollback, "a failed transaction was dropped instead of rolled back");
                }
                Err(cause.filter(|_| !error.is_retryable()).unwrap_or(error))
            }
        }
    }
}

impl Database {
    /// Finds out how a commit ended, if that can be found out: an error that is still ambiguous says that it cannot.
    async fn resolve(&self, unknown: Error) -> Result<()> {
        let Some(Ok(token)) = unknown.txn_token().map(str::parse::<CommitToken>) else { return Err(unknown) };
        let (gateway, runtime) = (self.pool.gateway()?, &self.pool.runtime);
        let until = runtime.now() + RESOLVING;
        loop {
            match gateway.client.status(&token).await {
                Ok(TxnStatus::Committed(_)) => return Ok(()),
                Ok(TxnStatus::Aborted) => {
                    let message = "the transaction was aborted while its commit was under way";
                    return Err(Error::new(SqlState::SERIALIZATION_FAILURE, message).with_source(unknown));
                }
                Err(TxnError::Ambiguous) if runtime.now() < until => runtime.sleep(LONGEST_PAUSE).await,
                Ok(TxnStatus::Expired) | Err(_) => return Err(unknown),
            }
        }
    }
}

/// Calls through [`AsyncFunc`], whose future is known to be `Send`.
fn call<'r, T, F>(f: &F, tx: &'r Transaction) -> <F as AsyncFunc<&'r Transaction, Result<T>>>::Fut
where
    F: AsyncFunc<&'r Transaction, Result<T>>,
{
    f(tx)
}

fn late(now: Instant, pause: Duration, until: Instant) -> bool {
    now + pause >= until
}

/// Full jitter: any time up to a bound that doubles with each attempt.
fn pause(attempt: u32, random: u64) -> Duration {
    let doublings = (attempt - 1).min(16);
    let bound = LONGEST_PAUSE.min(FIRST_PAUSE * (1 << doublings));
    let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random % (bound_us + 1))
}

fn tell(options: &TxOptions, error: &Error, attempt: u32) {
    if attempt > MANY_ATTEMPTS {
        tracing::warn!(attempt, %error, "a transaction is run again, and was many times before");
    } else {
        tracing::debug!(attempt, %error, "a transaction is run again");
    }
    if let Some(hook) = &options.on_retry {
        hook(error, attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let longest = |attempt| (0..2000u64).map(|random| pause(attempt, random * 101)).max().unwrap_or_default();
        assert_eq!(pause(1, 0), Duration::ZERO);
        assert_eq!(longest(1), Duration::from_millis(1));
        assert!(longest(3) <= Duration::from_millis(4) && longest(3) > Duration::from_millis(3));
        assert!(longest(40) <= LONGEST_PAUSE && longest(40) > Duration::from_millis(50));
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_found_out() {
        let db = Database::in_memory().await.unwrap();
        let [committed, never] = crate::database::tests::tokens(&db).await;
        let unknown = || Error::new(SqlState::STATEMENT_COMPLETION_UNKNOWN, "the outcome of the commit is unknown");
        assert!(db.resolve(unknown().with_txn_token(committed)).await.is_ok());
        let aborted = db.resolve(unknown().with_txn_token(never)).await.unwrap_err();
        assert!(TxOptions::default().retries(&aborted) && !aborted.is_ambiguous(), "{aborted:?}");
        let stays = db.resolve(unknown()).await.unwrap_err();
        assert!(stays.is_ambiguous() && !TxOptions::default().retries(&stays), "{stays:?}");
        db.close().await.unwrap();
    }
}
