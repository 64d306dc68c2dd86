//! The loop of a person at a terminal.

use super::editor::editor;
use super::meta;
use super::prompt::StatusPrompt;
use super::run::{CopySource, Stop};
use super::schema::Schema;
use super::script::is_meta;
use super::shell::Shell;
use super::split::{cut, is_blank};
use crate::client::Status;
use crate::exit::{Exit, Failure};
use reedline::Signal;
use std::path::PathBuf;

/// Reads and runs until ^D or `\q`.
///
/// # Errors
/// The terminal cannot be read.
pub fn interact(shell: &mut Shell, history: Option<PathBuf>) -> Result<(), Failure> {
    let mut editor = editor(shell.schema.clone(), history, shell.terminal.color_stdout());
    loop {
        refresh(shell);
        let prompt = StatusPrompt::new(&shell.database, shell.status());
        let signal = editor.read_line(&prompt);
        match signal.map_err(|error| Failure::new(Exit::Failed, format!("the terminal cannot be read: {error}")))? {
            Signal::Success(text) if typed(shell, &text) == Some(Stop::Quit) => {
                return Ok(());
            }
            Signal::CtrlD => return Ok(()),
            // ^C at the prompt clears the line.
            _ => {}
        }
    }
}

/// Runs what was typed, statement by statement, up to the first error.
fn typed(shell: &mut Shell, text: &str) -> Option<Stop> {
    let mut rest = text.trim_start();
    if is_meta(rest) {
        let (command, after) = rest.split_once('\n').unwrap_or((rest, ""));
        match meta::run(shell, command) {
            Ok(None) => rest = after,
            Ok(stop) => return stop,
            Err(error) => {
                shell.show_error(&error, "", None);
                return None;
            }
        }
    }
    while let Some(cut) = cut(rest) {
        rest = cut.rest;
        if is_blank(cut.sql.trim_end_matches(';')) {
            continue;
        }
        if !shell.is_confirmed(cut.sql) {
            shell.tell("Nothing was done.");
            return None;
        }
        if let Err(error) = shell.statement(cut.sql, cut.vertical, CopySource::Typed) {
            shell.show_error(&error, cut.sql, None);
            return None;
        }
    }
    None
}

/// Reads the names for completion again, if they may have changed.
fn refresh(shell: &mut Shell) {
    let idle = matches!(shell.status(), Status::Idle | Status::Unknown);
    if !shell.schema().stale || !idle {
        return;
    }
    let runtime = shell.runtime.clone();
    let Some(connection) = shell.connection.as_mut().filter(|connection| !connection.is_closed()) else { return };
    match runtime.block_on(Schema::read(connection.as_mut())) {
        Ok(fresh) => *shell.schema() = fresh,
        Err(error) => {
            tracing::debug!(error = error.message, "names for completion were not read");
            shell.schema().stale = false;
        }
    }
}
