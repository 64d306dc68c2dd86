//! Named statements and portals of a connection, and how long they live.
//!
//! ```text
//!               made by   replaced by               gone
//!  statement    Parse     (an error)                Close; DEALLOCATE; DISCARD ALL     shared with PREPARE
//!    unnamed    Parse     the next Parse            the next simple query
//!  portal       Bind      (an error)                Close; the end of its transaction
//!    unnamed    Bind      the next Bind             the next simple query
//! ```

use super::encode::needs_context;
use super::frontend::Formats;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Prepared, Session};
use crate::sql::types::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What Parse made.
#[derive(Debug)]
pub(super) struct Statement {
    /// `None` for a text without a statement.
    pub(super) prepared: Option<Arc<Prepared>>,
    /// Whether reading its parameters depends on the session.
    pub(super) params_need_context: bool,
    /// Whether writing its rows depends on the session.
    pub(super) rows_need_context: bool,
}

impl Statement {
    /// A text without a statement.
    pub(super) fn empty() -> Statement {
        Statement { prepared: None, params_need_context: false, rows_need_context: false }
    }

    pub(super) fn new(prepared: Arc<Prepared>) -> Statement {
        Statement {
            params_need_context: prepared.param_types.iter().any(needs_context),
            rows_need_context: prepared.columns.iter().flat_map(|columns| columns.iter()).any(|c| needs_context(&c.ty)),
            prepared: Some(prepared),
        }
    }
}

/// What Bind made.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) statement: Arc<Statement>,
    pub(super) formats: Formats,
    pub(super) progress: Progress,
}

/// How far a portal is.
#[derive(Debug)]
pub(super) enum Progress {
    /// Bound, not executed.
    Bound(Vec<Value>),
    /// Executed; rows are left.
    Running(Execution),
    /// Executed to its end.
    Done,
}

/// The statements and portals of a connection.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By name; the empty name is the unnamed statement.
    statements: BTreeMap<Box<str>, Arc<Statement>>,
    /// By name; the empty name is the unnamed portal.
    portals: BTreeMap<Box<str>, Portal>,
}

impl Names {
    pub(super) fn add_statement(&mut self, name: &str, statement: Statement) -> Result<()> {
        if !name.is_empty() && self.statements.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        self.statements.insert(name.into(), Arc::new(statement));
        Ok(())
    }

    /// The statement of a name; `session` knows those that PREPARE made.
    pub(super) fn statement(&self, name: &str, session: &Session) -> Result<Arc<Statement>> {
        if let Some(statement) = self.statements.get(name) {
            return Ok(statement.clone());
        }
        if let Some(prepared) = session.kept_statement(name) {
            return Ok(Arc::new(Statement::new(prepared.clone())));
        }
        let message = match name {
            "" => "unnamed prepared statement does not exist".to_owned(),
            name => format!("prepared statement \"{name}\" does not exist"),
        };
        Err(Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, message))
    }

    /// Forgets a statement; whether there was one does not matter.
    pub(super) fn remove_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    /// Forgets the named statements that the session has let go of: DEALLOCATE, DISCARD ALL.
    pub(super) fn follow(&mut self, session: &Session) {
        self.statements.retain(|name, statement| {
            name.is_empty() || statement.prepared.is_none() || session.kept_statement(name).is_some()
        });
    }

    /// Adds a portal; the one that it replaces comes back, to be closed.
    pub(super) fn add_portal(&mut self, name: &str, portal: Portal) -> Result<Option<Portal>> {
        if !name.is_empty() && self.portals.contains_key(name) {
            let message = format!("cursor \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, message));
        }
        match self.portals.get_mut(name) {
            Some(old) => Ok(Some(std::mem::replace(old, portal))),
            None => Ok(self.portals.insert(name.into(), portal)),
        }
    }

    pub(super) fn portal(&mut self, name: &str) -> Result<&mut Portal> {
        self.portals.get_mut(name).ok_or_else(|| {
            let message = format!("portal \"{name}\" does not exist");
            Error::new(SqlState::INVALID_CURSOR_NAME, message)
        })
    }

    pub(super) fn remove_portal(&mut self, name: &str) -> Option<Portal> {
        self.portals.remove(name)
    }

    /// All portals; none are left.
    pub(super) fn take_portals(&mut self) -> impl Iterator<Item = Portal> + use<> {
        std::mem::take(&mut self.portals).into_values()
    }

    pub(super) fn has_portals(&self) -> bool {
        !self.portals.is_empty()
    }
}

/// Whether a text holds no statement: only blanks, comments and semicolons.
pub(super) fn is_blank(sql: &str) -> bool {
    let mut rest = sql.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [byte, after @ ..] if byte.is_ascii_whitespace() || *byte == b';' => after,
            [b'-', b'-', after @ ..] => after.split(|byte| *byte == b'\n').next().map_or(after, |l| &after[l.len()..]),
            [b'/', b'*', after @ ..] => match comment_end(after) {
                Some(end) => &after[end..],
                None => return false,
            },
            _ => return false,
        }
    }
}

/// Where a comment ends whose opening has been read; comments nest.
fn comment_end(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (1usize, 0);
    while depth > 0 {
        match bytes.get(at..at + 2)? {
            b"*/" => depth -= 1,
            b"/*" => depth += 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_texts_hold_no_statement() {
        for blank in ["", " ;\n; ", "-- x", "-- x\n;", "/* a /* b */ c */ ;"] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for text in ["select", "-- x\nselect", "/* a */ select", "/* a", "-", "é"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn names_are_unique_but_for_the_unnamed() {
        let mut names = Names::default();
        for name in ["", "", "a"] {
            names.add_statement(name, Statement::empty()).unwrap();
        }
        let twice = names.add_statement("a", Statement::empty()).unwrap_err();
        assert_eq!(twice.to_string(), "ERROR 42P05: prepared statement \"a\" already exists");
    }
}
