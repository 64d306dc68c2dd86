//! The line editor: one buffer per statement, Enter runs it when it is complete, Tab completes, ^R searches.

use super::complete::Names;
use super::highlight::Painter;
use super::history::Discreet;
use super::schema::Schema;
use super::script::is_meta;
use super::split::is_complete;
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, DefaultHinter, EditCommand, Emacs, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent,
    ReedlineMenu, ValidationResult, Validator, default_emacs_keybindings,
};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const MENU: &str = "completion";

/// An editor that completes names of `schema` and remembers what was typed in `history`.
pub(super) fn editor(schema: Arc<Mutex<Schema>>, history: Option<PathBuf>, color: bool) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
    let menu = ColumnarMenu::default().with_name(MENU).with_columns(4).with_column_padding(2);
    let mut editor = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(Complete))
        .with_highlighter(Box::new(Painter { enabled: color }))
        .with_completer(Box::new(Names { schema }))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_ansi_colors(color)
        .use_bracketed_paste(true);
    if color {
        let style = Style::new().fg(Color::DarkGray);
        editor = editor.with_hinter(Box::new(DefaultHinter::default().with_style(style).with_min_chars(3)));
    }
    match Discreet::open(history) {
        Ok(history) => editor = editor.with_history(Box::new(history)),
        Err(error) => tracing::warn!(%error, "what is typed will not be remembered"),
    }
    editor
}

/// Enter runs complete statements and meta-commands, and makes a new line otherwise.
struct Complete;

impl Validator for Complete {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_meta(line.trim_start()) || is_complete(line) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

/// Where histories are kept: `$XDG_STATE_HOME/quorate/history`, or below `~/.local/state`.
pub fn history_file(state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let state = state_home.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".local/state")))?;
    Some(state.join("quorate/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_in_the_state_directory() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(history_file(path("/s"), path("/h")), path("/s/quorate/history"));
        assert_eq!(history_file(path("relative"), path("/h")), path("/h/.local/state/quorate/history"));
        assert_eq!(history_file(None, None), None);
    }

    #[test]
    fn enter_runs_commands_without_a_semicolon() {
        let complete = |line| matches!(Complete.validate(line), ValidationResult::Complete);
        assert!(complete("\\dt") && complete(".tables") && complete("select 1;") && complete(""));
        assert!(!complete("select 1") && !complete("select '\\dt;"));
    }
}
