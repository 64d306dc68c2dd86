//! Errors as people and tools want to see them.
//!
//! ```text
//!   Shell    ERROR 42P01: relation "acounts" does not exist
//!            LINE 1: select * from acounts;
//!                                  ^^^^^^^
//!            HINT:  Did you mean "accounts"?
//!   Psql     file.sql:7: ERROR:  42P01: relation "acounts" does not exist      (then as above)
//! ```

use super::{Palette, width};
use crate::client::{Notice, SqlError};

/// The two layouts.
#[derive(Clone, Copy, Debug)]
pub enum Layout<'a> {
    /// For a person at the prompt.
    Shell,
    /// psql's, which editors can read; with the place, if there is one: file and line of the statement's start.
    Psql(Option<(&'a str, usize)>),
}

/// The text of an error, with a newline at the end. `sql` is the statement that the span counts in.
pub fn error_text(error: &SqlError, sql: &str, layout: Layout<'_>, palette: Palette, columns: usize) -> String {
    let code = error.sqlstate.as_deref();
    let mut text = match (layout, code) {
        (Layout::Shell, Some(code)) => palette.error(&format!("{} {code}:", error.severity)),
        (Layout::Shell, None) => palette.error(&format!("{}:", error.severity)),
        (Layout::Psql(place), code) => {
            let place = place.map(|(file, line)| format!("{file}:{}: ", line + line_of(error, sql)));
            let code = code.map(|code| format!(" {code}:")).unwrap_or_default();
            format!("{}{}: {code}", place.unwrap_or_default(), error.severity)
        }
    };
    text.push(' ');
    text.push_str(&error.message);
    text.push('\n');
    if let Some(caret) = caret(error, sql, palette, columns) {
        text.push_str(&caret);
    }
    push_field(&mut text, "DETAIL", error.detail.as_deref(), palette);
    push_field(&mut text, "HINT", error.hint.as_deref(), palette);
    text
}

/// The text of a notice, with a newline at the end.
pub fn notice_text(notice: &Notice, palette: Palette) -> String {
    let mut text = format!("{}:  {}\n", palette.note(&notice.severity), notice.message);
    push_field(&mut text, "DETAIL", notice.detail.as_deref(), palette);
    push_field(&mut text, "HINT", notice.hint.as_deref(), palette);
    text
}

fn push_field(text: &mut String, name: &str, value: Option<&str>, palette: Palette) {
    if let Some(value) = value {
        text.push_str(&format!("{}  {value}\n", palette.note(&format!("{name}:"))));
    }
}

/// Lines before the blamed one.
fn line_of(error: &SqlError, sql: &str) -> usize {
    let start = error.span.map_or(0, |(start, _)| start);
    sql.get(..start).map_or(0, |before| before.matches('\n').count())
}

/// The blamed line, and marks under the blamed part; long lines are cut around it.
fn caret(error: &SqlError, sql: &str, palette: Palette, columns: usize) -> Option<String> {
    let (start, end) = error.span?;
    let before = sql.get(..start)?;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = sql.get(begin..)?.lines().next().unwrap_or_default();
    let from = start - begin;
    let to = end.max(start + 1).min(begin + line.len()).saturating_sub(begin).max(from);
    let head = format!("LINE {}: ", before.matches('\n').count() + 1);
    let room = columns.saturating_sub(head.len() + 1).max(20);
    let (shown, offset) = clip(&line.replace('\t', " "), from, room);
    let marks = width(line.get(from..to).unwrap_or_default()).max(1).min(room.saturating_sub(offset).max(1));
    let space = " ".repeat(head.len() + offset);
    Some(format!("{head}{shown}\n{space}{}\n", palette.error(&"^".repeat(marks))))
}

/// At most `room` columns of the line, with byte `at` among them; and the column where `at` is then.
fn clip(line: &str, at: usize, room: usize) -> (String, usize) {
    let before = line.get(..at).map_or(0, width);
    if width(line) <= room {
        return (line.to_owned(), before);
    }
    let skip = before.saturating_sub(room / 2);
    let mut shown = String::from(if skip > 0 { "..." } else { "" });
    let (mut column, mut offset) = (0, None);
    for (byte, c) in line.char_indices() {
        if byte == at {
            offset = Some(width(&shown));
        }
        if column >= skip && width(&shown) < room - 3 {
            shown.push(c);
        }
        column += width(c.encode_utf8(&mut [0; 4]));
    }
    if column > skip + width(&shown) {
        shown.push_str("...");
    }
    (shown, offset.unwrap_or(before - skip))
}
