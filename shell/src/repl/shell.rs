//! What the shell knows between two statements: its session, its settings, its surroundings.

use super::demo::DemoControl;
use super::output::Output;
use super::schema::Schema;
use crate::client::{Connection, Connector, ErrorKind, SqlError, Status};
use crate::exit::Exit;
use crate::render::{Format, Layout, Palette, Style, error_text};
use crate::terminal::Terminal;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Rows of a result that a person sees.
const ROWS_SHOWN: usize = 40;

/// How a shell begins.
#[derive(Clone, Debug)]
pub struct Options {
    /// Format of results; the default depends on who reads them.
    pub format: Option<Format>,
    /// Whether to go on after an error, when nobody types.
    pub keep_going: bool,
    /// Whether to leave out tags.
    pub quiet: bool,
    /// Statements to run in each new session (`SET ...`).
    pub setup: Vec<String>,
    /// Whether a person types.
    pub interactive: bool,
}

/// Settings that meta-commands change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Format of results.
    pub format: Format,
    /// One value per line: always, or (`None`) when the terminal is too narrow.
    pub expanded: Option<bool>,
    /// Whether to tell how long statements took.
    pub timing: bool,
    /// Whether to ask before much is destroyed.
    pub safe: bool,
    /// Most rows shown.
    pub max_rows: Option<usize>,
}

/// A shell.
pub struct Shell {
    pub(super) runtime: Handle,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) connection: Option<Box<dyn Connection>>,
    /// The database of the session, or of the last one.
    pub(super) database: String,
    pub(super) options: Options,
    pub(super) settings: Settings,
    pub(super) terminal: Terminal,
    pub(super) output: Output,
    pub(super) demo: Option<Arc<dyn DemoControl>>,
    pub(super) schema: Arc<Mutex<Schema>>,
    /// The last commit's outcome is unknown.
    pub(super) unknown: bool,
    /// The statement that ran last, for `\g`.
    pub(super) last: String,
    /// The first failure of a script that goes on.
    pub(super) failed: Option<Exit>,
    /// Whether a statement runs: then an interrupt cancels it.
    pub(super) running: Arc<AtomicBool>,
    /// How many `\i` are open.
    pub(super) depth: usize,
}

impl Shell {
    /// A shell that has a session already, so that a target that cannot be reached is told at once.
    pub fn connect(
        runtime: Handle,
        connector: Arc<dyn Connector>,
        options: Options,
        terminal: Terminal,
    ) -> Result<Shell, SqlError> {
        let people = terminal.stdout;
        let default = if people { Format::Box } else { Format::Table };
        let settings = Settings {
            format: options.format.unwrap_or(default),
            expanded: if people { None } else { Some(false) },
            timing: options.interactive,
            safe: options.interactive,
            max_rows: (options.interactive && people).then_some(ROWS_SHOWN),
        };
        let mut shell = Shell {
            runtime,
            connector,
            connection: None,
            database: String::new(),
            options,
            settings,
            terminal,
            output: Output::stdout(),
            demo: None,
            schema: Arc::default(),
            unknown: false,
            last: String::new(),
            failed: None,
            running: Arc::default(),
            depth: 0,
        };
        shell.reconnect(None)?;
        Ok(shell)
    }

    /// The same shell with a cluster to break.
    #[must_use]
    pub fn with_demo(mut self, demo: Arc<dyn DemoControl>) -> Shell {
        self.demo = Some(demo);
        self
    }

    /// A new session, with `database` or the one of the target; the old one goes only if the new one comes.
    pub(super) fn reconnect(&mut self, database: Option<&str>) -> Result<(), SqlError> {
        let runtime = self.runtime.clone();
        let connector = self.connector.clone();
        let mut fresh = runtime.block_on(async {
            tokio::select! {
                fresh = connector.connect(database) => fresh,
                Ok(()) = tokio::signal::ctrl_c() => Err(interrupted()),
            }
        })?;
        for statement in &self.options.setup {
            runtime.block_on(crate::client::fetch(fresh.as_mut(), statement))?;
        }
        fresh.database().clone_into(&mut self.database);
        if let Some(mut old) = self.connection.replace(fresh) {
            runtime.block_on(old.close());
        }
        self.unknown = false;
        self.schema().stale = true;
        Ok(())
    }

    /// The session; a new one if the old one was lost.
    pub(super) fn session(&mut self) -> Result<&mut Box<dyn Connection>, SqlError> {
        if self.connection.as_ref().is_none_or(|connection| connection.is_closed()) {
            self.connection = None;
            let database = self.database.clone();
            self.reconnect(Some(&database))?;
            if self.options.interactive {
                self.tell("The connection was lost; this is a new one. What was not committed is gone.");
            }
        }
        self.connection.as_mut().ok_or_else(|| SqlError::connection("there is no connection"))
    }

    /// Where the session stands.
    pub(super) fn status(&self) -> Status {
        match &self.connection {
            _ if self.unknown => Status::Unknown,
            Some(connection) => connection.status(),
            None => Status::Idle,
        }
    }

    /// Names for completion. Held for moments only; nothing else is locked inside.
    pub(super) fn schema(&self) -> std::sync::MutexGuard<'_, Schema> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How results are written now.
    pub(super) fn style(&self, vertical: bool) -> Style {
        let grid = matches!(self.settings.format, Format::Box | Format::Table);
        let expanded = vertical || (grid && self.settings.expanded == Some(true));
        let to_terminal = self.output.is_stdout() && self.terminal.stdout;
        Style {
            format: if expanded { Format::Vertical } else { self.settings.format },
            palette: Palette::new(self.output.is_stdout() && self.terminal.color_stdout()),
            max_rows: self.settings.max_rows.filter(|_| to_terminal && self.settings.format == Format::Box),
            width: self.terminal.width().filter(|_| to_terminal && self.settings.expanded.is_none()),
        }
    }

    /// Colours of messages.
    pub(super) fn errors(&self) -> Palette {
        Palette::new(self.terminal.color_stderr())
    }

    /// A line for the person, on standard error.
    pub(super) fn tell(&mut self, text: &str) {
        self.flush();
        eprintln!("{text}");
    }

    /// A line among the results.
    pub(super) fn say(&mut self, text: &str) -> Result<(), SqlError> {
        writeln!(self.output, "{text}").and_then(|()| self.output.flush()).map_err(|error| SqlError::output(&error))
    }

    /// Shows an error, in the layout for who reads it.
    pub(super) fn show_error(&mut self, error: &SqlError, sql: &str, place: Option<(&str, usize)>) {
        if error.kind == ErrorKind::Output && error.message.is_empty() {
            return;
        }
        self.flush();
        let layout = if self.options.interactive && place.is_none() { Layout::Shell } else { Layout::Psql(place) };
        let width = self.terminal.width().unwrap_or(100);
        eprint!("{}", error_text(error, sql, layout, self.errors(), width));
    }

    pub(super) fn flush(&mut self) {
        if let Err(error) = self.output.flush() {
            tracing::debug!(%error, "output was not flushed");
        }
    }

    /// An interrupt while no statement runs ends the program; for shells that nobody types into.
    pub fn watch_interrupts(&self) {
        let running = self.running.clone();
        self.runtime.spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if !running.load(Ordering::Acquire) {
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        });
    }

    /// Ends the session in good order.
    pub fn close(&mut self) {
        self.flush();
        if let Some(mut connection) = self.connection.take() {
            self.runtime.block_on(connection.close());
        }
    }
}

fn interrupted() -> SqlError {
    let mut error = SqlError::usage("interrupted while connecting");
    error.sqlstate = Some("57014".to_owned());
    error
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("options", &self.options).finish_non_exhaustive()
    }
}
