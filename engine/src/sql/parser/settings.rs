//! SET, RESET and SHOW: names and values of settings, and the spellings that the standard gives some of them.

use super::cursor::Cursor;
use super::front::transaction_modes;
use super::statement::StatementKind;
use crate::error::{Error, Result};
use sqlparser::tokenizer::Token;

/// After SET.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat("session characteristics as transaction") {
        return Ok(StatementKind::SetTransaction { modes: transaction_modes(cursor)?, session: true });
    }
    if cursor.eat("transaction") {
        return Ok(StatementKind::SetTransaction { modes: transaction_modes(cursor)?, session: false });
    }
    if cursor.is_word(0, "constraints") {
        return Err(Error::unsupported(
            "SET CONSTRAINTS is not supported",
            "Constraints are checked by each statement.",
        ));
    }
    let local = cursor.eat("local");
    if !local {
        // SESSION is the default, unless it is the name's first word (SESSION AUTHORIZATION).
        if cursor.is_word(0, "session") && !cursor.is_word(1, "authorization") {
            cursor.take();
        }
    }
    if cursor.eat("time zone") {
        return Ok(StatementKind::Set { name: "timezone".into(), value: time_zone(cursor)?, local });
    }
    if cursor.eat("names") {
        let value = if cursor.at_end() { None } else { values(cursor)? };
        return Ok(StatementKind::Set { name: "client_encoding".into(), value, local });
    }
    if cursor.eat("schema") {
        return Ok(StatementKind::Set { name: "search_path".into(), value: values(cursor)?, local });
    }
    if cursor.eat("session authorization") {
        return Ok(StatementKind::Set { name: "session_authorization".into(), value: values(cursor)?, local });
    }
    if cursor.eat("role") {
        return Ok(StatementKind::Set { name: "role".into(), value: values(cursor)?, local });
    }
    let name = setting_name(cursor)?;
    if !cursor.eat("to") {
        cursor.expect_token(&Token::Eq)?;
    }
    Ok(StatementKind::Set { name, value: values(cursor)?, local })
}

/// `name`, `name.name`; lower case.
fn setting_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.name()?;
    while cursor.eat_token(&Token::Period) {
        name.push('.');
        name.push_str(&cursor.name()?);
    }
    Ok(name.to_lowercase())
}

/// `DEFAULT` or values with commas between them.
fn values(cursor: &mut Cursor<'_>) -> Result<Option<Vec<String>>> {
    if cursor.eat("default") {
        return Ok(None);
    }
    let mut values = vec![value(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        values.push(value(cursor)?);
    }
    Ok(Some(values))
}

fn value(cursor: &mut Cursor<'_>) -> Result<String> {
    let sign = if cursor.eat_token(&Token::Minus) { "-" } else { "" };
    cursor.eat_token(&Token::Plus);
    match cursor.peek().map(|token| &token.token) {
        Some(Token::Number(digits, _)) => {
            let value = format!("{sign}{digits}");
            cursor.take();
            Ok(value)
        }
        Some(Token::Word(_)) if sign.is_empty() => cursor.name(),
        _ if sign.is_empty() => cursor.string(),
        _ => Err(cursor.unexpected()),
    }
}

/// A zone's name, an offset in hours, LOCAL, DEFAULT, or INTERVAL '+00:00' HOUR TO MINUTE.
fn time_zone(cursor: &mut Cursor<'_>) -> Result<Option<Vec<String>>> {
    if cursor.eat("local") {
        return Ok(None);
    }
    if cursor.eat("interval") {
        let offset = cursor.string()?;
        cursor.eat("hour to minute");
        return Ok(Some(vec![offset]));
    }
    values(cursor)
}

/// After RESET.
pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    Ok(StatementKind::Reset(named(cursor)?))
}

/// After SHOW.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat("ranges") {
        let table = if cursor.eat("from") {
            cursor.eat("table");
            Some(cursor.object_name()?)
        } else {
            None
        };
        return Ok(StatementKind::ShowRanges { table });
    }
    if cursor.is_word(0, "nodes") && cursor.peek_nth(1).is_none() {
        cursor.take();
        return Ok(StatementKind::ShowNodes);
    }
    if cursor.eat("commit trace") {
        cursor.eat("for last transaction");
        return Ok(StatementKind::ShowCommitTrace);
    }
    Ok(StatementKind::Show(named(cursor)?))
}

/// ALL, a setting, or one of the names of several words.
fn named(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat("all") {
        return Ok(None);
    }
    let name = if cursor.eat("time zone") {
        "timezone".into()
    } else if cursor.eat("transaction isolation level") {
        "transaction_isolation".into()
    } else if cursor.eat("session authorization") {
        "session_authorization".into()
    } else {
        setting_name(cursor)?
    };
    Ok(Some(name))
}
