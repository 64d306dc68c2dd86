//! Running statements: results, footers, timing, cancelling, COPY data; and whole scripts.

use super::meta;
use super::printer::Printer;
use super::safety::{Danger, danger};
use super::script::{Input, Script};
use super::shell::Shell;
use super::split::first_words;
use super::waiting::Waiting;
use crate::client::{ErrorKind, Flow, Receive, SqlError, Status, fetch};
use crate::exit::{Exit, Failure};
use crate::render::{Format, Shown};
use std::fmt::Write as _;
use std::io::{BufRead, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Data of COPY are sent in pieces of about this size.
const COPY_PIECE: usize = 64 << 10;
/// Rows that are counted before a question; more are "more than".
const COUNTED: usize = 1_000_000;

/// Why a script or a shell ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to (`\q`).
    Quit,
    /// An error that the user has seen.
    Failed(Exit),
}

/// Where the data of a COPY come from.
pub(super) enum CopySource<'a> {
    /// The lines after the statement.
    Script(&'a mut Script),
    /// A person.
    Typed,
}

impl Shell {
    /// Runs all of a script.
    ///
    /// # Errors
    /// The first failure, already told; with `keep_going` at the end.
    pub fn run_script(&mut self, script: &mut Script) -> Result<(), Stop> {
        loop {
            let input = match script.next_input() {
                Ok(Some(input)) => input,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let name = script.name.clone().unwrap_or_default();
                    self.tell(&format!("error: cannot read {name}: {error}"));
                    return Err(Stop::Failed(Exit::Failed));
                }
            };
            let name = script.name.clone();
            let place = |line| name.as_deref().map(|name| (name, line));
            let (done, sql, line) = match input {
                Input::Meta { text, line } => (meta::run(self, &text), text, line),
                Input::Statement { sql, line, vertical } => {
                    (self.statement(&sql, vertical, CopySource::Script(script)).map(|()| None), sql, line)
                }
            };
            match done {
                Ok(None) => {}
                Ok(Some(stop)) => return Err(stop),
                Err(error) => self.script_failed(&error, &sql, place(line))?,
            }
        }
    }

    /// After an error of a script: the end, unless it is to go on.
    fn script_failed(&mut self, error: &SqlError, sql: &str, place: Option<(&str, usize)>) -> Result<(), Stop> {
        self.show_error(error, sql, place);
        let exit = error.exit();
        let go_on = self.options.keep_going && error.kind == ErrorKind::Statement && exit != Exit::Interrupted;
        if !go_on {
            return Err(Stop::Failed(exit));
        }
        self.failed.get_or_insert(Exit::Failed);
        Ok(())
    }

    /// The failure of a script that went on after errors, if there were any.
    pub fn outcome(&self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), |exit| Err(Failure::told(exit)))
    }

    /// Runs one statement and shows its results.
    pub(super) fn statement(&mut self, sql: &str, vertical: bool, copy: CopySource<'_>) -> Result<(), SqlError> {
        sql.clone_into(&mut self.last);
        let started = Instant::now();
        let result = self.execute(sql, vertical, copy);
        if let Err(error) = &result {
            self.note_failure(error, sql);
            return result.map(|_| ());
        }
        self.unknown = false;
        let (tag, shown) = result?;
        self.note_change(sql);
        self.footer(tag, shown, vertical, started.elapsed())
    }

    fn execute(
        &mut self,
        sql: &str,
        vertical: bool,
        copy: CopySource<'_>,
    ) -> Result<(Option<String>, Option<Shown>), SqlError> {
        let (style, errors) = (self.style(vertical), self.errors());
        self.session()?;
        let mut output = std::mem::replace(&mut self.output, super::output::Output::stdout());
        let mut printer = Printer::new(style, errors, &mut output);
        let done = self.drive(sql, &mut printer, copy);
        let outcome = (printer.tag.take(), printer.shown.take());
        let flushed = output.flush();
        self.output = output;
        done?;
        flushed.map_err(|error| SqlError::output(&error))?;
        Ok(outcome)
    }

    /// Runs the statement to its end; an interrupt cancels it, a second one leaves it.
    fn drive(&mut self, sql: &str, out: &mut dyn Receive, copy: CopySource<'_>) -> Result<(), SqlError> {
        let runtime = self.runtime.clone();
        // Rows of other formats may be on the screen before the statement ends.
        let grid = matches!(self.settings.format, Format::Box | Format::Table);
        let shows_waiting = self.options.interactive && self.terminal.stderr && grid;
        let Some(connection) = self.connection.as_mut() else { return Err(SqlError::connection("no connection")) };
        let canceller = connection.canceller();
        self.running.store(true, Ordering::Release);
        let waiting = Waiting::begin(&runtime, shows_waiting);
        let result = runtime.block_on(interruptible(canceller, connection.run(sql, out)));
        waiting.end(&runtime);
        self.running.store(false, Ordering::Release);
        match result {
            None => {
                self.connection = None;
                Err(left_behind())
            }
            Some(Ok(Flow::CopyIn)) => self.copy_in(out, copy),
            Some(done) => done.map(|_| ()),
        }
    }

    fn copy_in(&mut self, out: &mut dyn Receive, mut source: CopySource<'_>) -> Result<(), SqlError> {
        let runtime = self.runtime.clone();
        match &mut source {
            CopySource::Script(script) => script.end_line(),
            CopySource::Typed => self.tell("Type one row per line. End with \\. on a line of its own."),
        }
        let Some(connection) = self.connection.as_mut() else { return Err(SqlError::connection("no connection")) };
        let mut piece = String::new();
        loop {
            let line = match &mut source {
                CopySource::Script(script) => script.copy_line(),
                CopySource::Typed => typed_line(),
            };
            let Some(line) = line.map_err(|error| SqlError::output(&error))? else { break };
            piece.push_str(&line);
            if piece.len() >= COPY_PIECE {
                runtime.block_on(connection.copy_data(piece.as_bytes()))?;
                piece.clear();
            }
        }
        runtime.block_on(connection.copy_data(piece.as_bytes()))?;
        match runtime.block_on(connection.copy_done(out))? {
            Flow::Done => Ok(()),
            Flow::CopyIn => runtime.block_on(connection.copy_fail("a second COPY in one statement")),
        }
    }

    /// What follows the result: rows, tag, time.
    fn footer(
        &mut self,
        tag: Option<String>,
        shown: Option<Shown>,
        vertical: bool,
        took: Duration,
    ) -> Result<(), SqlError> {
        let style = self.style(vertical);
        let mut text = match (&tag, shown) {
            (_, Some(shown)) if style.format.is_for_people() => rows_text(shown, style.format),
            (Some(tag), None) if style.format.is_for_people() && !self.options.quiet => tag.clone(),
            _ => String::new(),
        };
        if self.settings.timing {
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}({})", duration_text(took)).unwrap_or_default();
        }
        if !self.options.interactive && style.format == Format::Table && shown.is_some() {
            text.push('\n');
        }
        if text.is_empty() { Ok(()) } else { self.say(&text) }
    }

    /// An error may have changed what the shell believes.
    fn note_failure(&mut self, error: &SqlError, sql: &str) {
        let [verb] = first_words::<1>(sql);
        let committing = matches!(verb.as_str(), "COMMIT" | "END");
        self.unknown |= error.is_ambiguous() || (committing && error.kind == ErrorKind::Connection);
        if error.sqlstate.as_deref() == Some("42P01") {
            self.schema().stale = true;
        }
    }

    fn note_change(&mut self, sql: &str) {
        let [verb] = first_words::<1>(sql);
        if matches!(verb.as_str(), "CREATE" | "ALTER" | "DROP" | "ROLLBACK" | "COMMIT" | "SET") {
            self.schema().stale = true;
        }
    }

    /// Whether the statement may run; a person is asked if it destroys much.
    pub(super) fn is_confirmed(&mut self, sql: &str) -> bool {
        let Some(danger) = danger(sql).filter(|_| self.settings.safe && self.options.interactive) else { return true };
        let rows = self.count(&danger);
        if rows.as_deref() == Some("0") {
            return true;
        }
        self.flush();
        eprint!("{}", danger.question(rows.as_deref()));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    /// How many rows would go; none if that cannot be said without harm.
    fn count(&mut self, danger: &Danger) -> Option<String> {
        let table = danger.table()?;
        if self.status() != Status::Idle {
            // In a block the count would take part in the transaction, or fail it.
            return None;
        }
        let runtime = self.runtime.clone();
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {}) AS counted", COUNTED + 1);
        let connection = self.session().ok()?;
        let rows = runtime.block_on(fetch(connection.as_mut(), &sql)).ok()?;
        let count: usize = rows.first()?.first()?.as_deref()?.parse().ok()?;
        Some(if count > COUNTED {
            format!("(more than {}) ", grouped(COUNTED)).trim_end().to_owned()
        } else {
            grouped(count)
        })
    }
}

/// Waits for `work`; the first interrupt cancels it, the second leaves it (`None`).
///
/// Interrupts are taken by a task of their own, because `work` may compute for long without giving way.
pub(super) async fn interruptible<T>(
    canceller: crate::client::Canceller,
    work: impl Future<Output = Result<T, SqlError>>,
) -> Option<Result<T, SqlError>> {
    let (leave, left) = tokio::sync::oneshot::channel();
    let interrupts = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            canceller.cancel().await;
            if tokio::signal::ctrl_c().await.is_ok() && leave.send(()).is_err() {
                tracing::debug!("the statement ended before it was left");
            }
        }
    });
    let done = tokio::select! {
        done = work => Some(done),
        Ok(()) = left => None,
    };
    interrupts.abort();
    done
}

fn left_behind() -> SqlError {
    let mut error = SqlError::connection("the statement was left while it was running");
    error.kind = ErrorKind::Statement;
    error.sqlstate = Some("57014".to_owned());
    error.with_hint("It may still take effect. The next statement runs in a new session.")
}

fn typed_line() -> std::io::Result<Option<String>> {
    eprint!(">> ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    let ends = read == 0 || line.trim_end() == "\\.";
    Ok((!ends).then_some(line))
}

fn rows_text(shown: Shown, format: Format) -> String {
    let noun = if shown.rows == 1 { "row" } else { "rows" };
    let cut = if shown.shown < shown.rows { format!(" ({} shown)", shown.shown) } else { String::new() };
    match format {
        Format::Table => format!("({} {noun})", shown.rows),
        _ => format!("{} {noun}{cut}", grouped(shown.rows)),
    }
}

/// A number with commas.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time for people: `0.4 ms`, `2.1 ms`, `612 ms`, `1.53 s`, `2 min 5 s`.
pub(super) fn duration_text(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..100.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        ..60_000.0 => format!("{:.2} s", ms / 1000.0),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let text = |ms: f64| duration_text(Duration::from_secs_f64(ms / 1000.0));
        assert_eq!(text(0.42), "0.4 ms");
        assert_eq!(text(612.4), "612 ms");
        assert_eq!(text(1534.0), "1.53 s");
        assert_eq!(text(125_000.0), "2 min 5 s");
    }

    #[test]
    fn cut_results_say_so() {
        assert_eq!(rows_text(Shown { rows: 5000, shown: 40 }, Format::Box), "5,000 rows (40 shown)");
        assert_eq!(rows_text(Shown { rows: 1, shown: 1 }, Format::Table), "(1 row)");
    }
}
