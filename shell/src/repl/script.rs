//! Statements from a file, a pipe or an argument, one after the other, as they arrive.

use super::lex::{Token, pieces};
use super::split::{cut, is_blank};
use std::io::{self, BufRead};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A statement.
    Statement {
        /// Its text, with the semicolon.
        sql: String,
        /// The line on which it begins, from 1.
        line: usize,
        /// Whether to show its result one value per line.
        vertical: bool,
    },
    /// A meta-command.
    Meta {
        /// Its text, from the backslash or dot on.
        text: String,
        /// Its line, from 1.
        line: usize,
    },
}

/// Text with statements in it.
pub struct Script {
    /// How errors name it; none for an argument of the command line.
    pub name: Option<String>,
    reader: Box<dyn BufRead + Send>,
    /// What was read and is not a complete statement yet.
    pending: String,
    /// The line on which `pending` begins.
    line: usize,
    ended: bool,
}

impl Script {
    /// The text of a file or a pipe.
    pub fn new(name: impl Into<String>, reader: Box<dyn BufRead + Send>) -> Script {
        Script { name: Some(name.into()), reader, pending: String::new(), line: 1, ended: false }
    }

    /// The text of an argument.
    pub fn of_argument(text: &str) -> Script {
        let reader = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        Script { name: None, ..Script::new("", reader) }
    }

    /// The next thing to do; none at the end. The last statement needs no semicolon.
    pub fn next_input(&mut self) -> io::Result<Option<Input>> {
        let mut look = true;
        loop {
            if let Some(input) = look.then(|| self.take()).flatten() {
                return Ok(Some(input));
            }
            if self.ended {
                return Ok(self.take_last());
            }
            // Reading on cannot complete a statement unless the line holds what ends one.
            let (from, fresh) = (self.pending.len(), is_blank(&self.pending));
            self.read_line()?;
            look = fresh || self.pending[from..].contains([';', '\\']) || self.ended;
        }
    }

    /// A line of COPY data; none after `\.` or at the end.
    pub fn copy_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.pending.is_empty() {
            self.reader.read_line(&mut line)?;
        } else {
            let end = self.pending.find('\n').map_or(self.pending.len(), |at| at + 1);
            line = self.pending.drain(..end).collect();
        }
        self.line += 1;
        let ends = line.is_empty() || line.trim_end_matches(['\r', '\n']) == "\\.";
        Ok((!ends).then_some(line))
    }

    /// Drops the rest of the line on which a COPY statement ended.
    pub fn end_line(&mut self) {
        let end = self.pending.find('\n').map_or(self.pending.len(), |at| at + 1);
        self.advance(end);
    }

    fn read_line(&mut self) -> io::Result<()> {
        if self.reader.read_line(&mut self.pending)? == 0 {
            self.ended = true;
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Input> {
        let blank = lead(&self.pending);
        if is_meta(&self.pending[blank..]) {
            return self.take_meta(blank);
        }
        let cut = cut(&self.pending)?;
        let used = self.pending.len() - cut.rest.len();
        let line = self.line + newlines(&self.pending[..cut.skipped]);
        let input = Input::Statement { sql: cut.sql.to_owned(), line, vertical: cut.vertical };
        self.advance(used);
        Some(input)
    }

    fn take_meta(&mut self, start: usize) -> Option<Input> {
        let line = self.line + newlines(&self.pending[..start]);
        let end = match self.pending[start..].find('\n') {
            Some(at) => start + at + 1,
            None if self.ended => self.pending.len(),
            None => return None,
        };
        let text = self.pending[start..end].trim().to_owned();
        self.advance(end);
        Some(Input::Meta { text, line })
    }

    fn take_last(&mut self) -> Option<Input> {
        if is_blank(&self.pending) {
            self.pending.clear();
            return None;
        }
        if let Some(input) = self.take() {
            return Some(input);
        }
        let text = std::mem::take(&mut self.pending);
        let (blank, sql) = text.split_at(lead(&text));
        let line = self.line + newlines(blank);
        Some(Input::Statement { sql: sql.trim_end().to_owned(), line, vertical: false })
    }

    fn advance(&mut self, bytes: usize) {
        self.line += newlines(&self.pending[..bytes]);
        self.pending.drain(..bytes);
    }
}

/// Bytes of space and comments at the start.
fn lead(text: &str) -> usize {
    pieces(text)
        .find(|piece| !matches!(piece.token, Token::Space | Token::Comment))
        .map_or(text.len(), |piece| piece.start)
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// Whether a text that begins a statement is a meta-command: `\d`, or one of the dot commands.
pub fn is_meta(text: &str) -> bool {
    let dotted = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
    text.starts_with('\\') || text.strip_prefix('.').is_some_and(dotted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(text: &'static str) -> Vec<Input> {
        let mut script = Script::new("a.sql", Box::new(text.as_bytes()));
        std::iter::from_fn(|| script.next_input().unwrap()).collect()
    }

    fn statement(sql: &str, line: usize) -> Input {
        Input::Statement { sql: sql.to_owned(), line, vertical: false }
    }

    fn meta(text: &str, line: usize) -> Input {
        Input::Meta { text: text.to_owned(), line }
    }

    #[test]
    fn statements_and_commands_know_their_lines() {
        let text = "-- head\n\\x\nselect 1; select\n 'a;\n\\d';\n\\d t\n\n.tables\nselect 3";
        assert_eq!(
            inputs(text),
            vec![
                meta("\\x", 2),
                statement("select 1;", 3),
                statement("select\n 'a;\n\\d';", 3),
                meta("\\d t", 6),
                meta(".tables", 8),
                statement("select 3", 9),
            ]
        );
    }

    #[test]
    fn ends_without_semicolon_or_newline() {
        assert_eq!(inputs("\\q"), vec![meta("\\q", 1)]);
        assert_eq!(inputs("select 1 -- end"), vec![statement("select 1 -- end", 1)]);
        assert_eq!(inputs("-- nothing\n  "), vec![]);
        assert_eq!(inputs("select 'open;"), vec![statement("select 'open;", 1)]);
    }

    #[test]
    fn copy_data_follow_their_statement() {
        let text = "copy t from stdin;\n1\ta;b\n\\N\tc\n\\.\nselect 1;";
        let mut script = Script::new("a.sql", Box::new(text.as_bytes()));
        assert_eq!(script.next_input().unwrap(), Some(statement("copy t from stdin;", 1)));
        script.end_line();
        let lines: Vec<String> = std::iter::from_fn(|| script.copy_line().unwrap()).collect();
        assert_eq!(lines, vec!["1\ta;b\n", "\\N\tc\n"]);
        assert_eq!(script.next_input().unwrap(), Some(statement("select 1;", 5)));
    }
}
