//! The front parser: cuts the text into statements, reads those of the session itself, hands the others to sqlparser.

use super::as_of;
use super::copy::copy;
use super::cursor::{Cursor, is_word};
use super::place::Places;
use super::statement::{Discard, ExplainOptions, IsolationLevel, Statement, StatementKind, TransactionModes};
use super::{depth, error, settings};
use crate::error::{Error, Result, SqlState};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// Longest text of one request.
const MAX_BYTES: usize = 64 << 20;

/// The statements of a text; empty ones are left out. Positions of errors are byte offsets of the text.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let places = Places::new(sql);
    if sql.len() > MAX_BYTES {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement text exceeds 64 MiB"));
    }
    let mut tokens = tokenize(&places, sql)?;
    respell(&mut tokens);
    let mut statements = Vec::new();
    for part in tokens.split(|token| token.token == Token::SemiColon) {
        if part.iter().any(error::is_significant) {
            statements.push(statement(places, part)?);
        }
    }
    Ok(statements)
}

fn tokenize(places: &Places<'_>, sql: &str) -> Result<Vec<TokenWithSpan>> {
    let dialect = PostgreSqlDialect {};
    Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| error::of_tokenizer(places, &error.message, error.location))
}

/// Spellings that sqlparser does not read, put into words that mean the same here.
///
/// `FOR NO KEY UPDATE` and `FOR KEY SHARE` are weaker locks in PostgreSQL; the stronger ones are right as well.
/// `CREATE USER` is `CREATE ROLE ... LOGIN`.
fn respell(tokens: &mut Vec<TokenWithSpan>) {
    let words: Vec<usize> = (0..tokens.len()).filter(|at| error::is_significant(&tokens[*at])).collect();
    let is = |tokens: &[TokenWithSpan], at: usize, word: &str| {
        words.get(at).is_some_and(|token| is_word(&tokens[*token].token, word))
    };
    let blank = Token::Whitespace(sqlparser::tokenizer::Whitespace::Space);
    let mut login_before = Vec::new();
    for at in 0..words.len() {
        if is(tokens, at, "for")
            && is(tokens, at + 1, "no")
            && is(tokens, at + 2, "key")
            && is(tokens, at + 3, "update")
        {
            tokens[words[at + 1]].token = blank.clone();
            tokens[words[at + 2]].token = blank.clone();
        } else if is(tokens, at, "for") && is(tokens, at + 1, "key") && is(tokens, at + 2, "share") {
            tokens[words[at + 1]].token = blank.clone();
        } else if is(tokens, at, "create") && is(tokens, at + 1, "user") && begins(tokens, &words, at) {
            tokens[words[at + 1]].token = Token::make_keyword("ROLE");
            let end = words[at..].iter().find(|token| tokens[**token].token == Token::SemiColon);
            login_before.push(end.copied().unwrap_or(tokens.len()));
        }
    }
    for at in login_before.into_iter().rev() {
        // No text of its own: the empty place behind what comes before.
        let end = tokens[at - 1].span.end;
        let span = sqlparser::tokenizer::Span::new(end, end);
        tokens.insert(at, TokenWithSpan { token: Token::make_keyword("LOGIN"), span });
    }
}

/// Whether the significant token `at` begins a statement.
fn begins(tokens: &[TokenWithSpan], words: &[usize], at: usize) -> bool {
    at == 0 || tokens[words[at - 1]].token == Token::SemiColon
}

fn statement(places: Places<'_>, tokens: &[TokenWithSpan]) -> Result<Statement> {
    depth::check(tokens)?;
    let significant = || tokens.iter().filter(|token| error::is_significant(token));
    let first = significant().next().and_then(|token| places.span(token.span));
    let last = significant().rev().find_map(|token| places.span(token.span));
    let (start, end) = (first.map_or(0, |(start, _)| start), last.map_or(0, |(_, end)| end));
    let taken = as_of::take(places, tokens)?;
    let (as_of, tokens) = taken.as_ref().map_or((None, tokens), |(as_of, rest)| (Some(*as_of), rest.as_slice()));
    let mut cursor = Cursor::new(places, tokens);
    let kind = read(&mut cursor)?;
    cursor.expect_end()?;
    Ok(Statement { kind, start, end, as_of })
}

/// The rest of the cursor as a statement of its own (EXPLAIN, PREPARE).
fn inner(cursor: &mut Cursor<'_>) -> Result<Box<Statement>> {
    let span = |token: &TokenWithSpan| cursor.places.span(token.span).unwrap_or((0, 0));
    let Some(first) = cursor.peek() else { return Err(cursor.unexpected()) };
    let (start, mut end) = span(first);
    let mut ahead = 0;
    while let Some(token) = cursor.peek_nth(ahead) {
        end = span(token).1;
        ahead += 1;
    }
    let kind = read(cursor)?;
    Ok(Box::new(Statement { kind, start, end, as_of: None }))
}

fn read(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let word = match cursor.peek().map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_lowercase(),
        Some(Token::LParen) => return sql(cursor),
        Some(_) => return sql(cursor),
        None => return Err(cursor.unexpected()),
    };
    match word.as_str() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            cursor.take();
            transaction(cursor, &word)
        }
        "set" => after(cursor, settings::set),
        "reset" => after(cursor, settings::reset),
        "show" => after(cursor, settings::show),
        "copy" => after(cursor, copy),
        "explain" => after(cursor, explain),
        "prepare" => after(cursor, prepare),
        "execute" => after(cursor, execute),
        "deallocate" => after(cursor, deallocate),
        "discard" => after(cursor, discard),
        "vacuum" => after(cursor, |cursor| vacuum(cursor, false)),
        "analyze" | "analyse" => after(cursor, |cursor| vacuum(cursor, true)),
        "close" if cursor.is_word(1, "all") => {
            cursor.eat("close all");
            Ok(StatementKind::Nothing("CLOSE CURSOR ALL"))
        }
        "unlisten" => after(cursor, unlisten),
        "alter" if is_split(cursor) => split(cursor),
        _ => match unsupported(&word) {
            Some(error) => Err(error.or_span_of(cursor)),
            None => sql(cursor),
        },
    }
}

fn after(
    cursor: &mut Cursor<'_>,
    rule: impl FnOnce(&mut Cursor<'_>) -> Result<StatementKind>,
) -> Result<StatementKind> {
    cursor.take();
    rule(cursor)
}

trait OrSpanOf {
    fn or_span_of(self, cursor: &Cursor<'_>) -> Self;
}

impl OrSpanOf for Error {
    fn or_span_of(self, cursor: &Cursor<'_>) -> Error {
        match cursor.peek().and_then(|token| cursor.places.span(token.span)) {
            Some((start, end)) => self.or_span(start, end),
            None => self,
        }
    }
}

/// Statements of PostgreSQL's that this release does not have.
fn unsupported(word: &str) -> Option<Error> {
    let hint = match word {
        "declare" | "fetch" | "move" | "close" => {
            "Cursors are not supported; fetch with a row limit in the extended protocol, or use LIMIT."
        }
        "listen" | "notify" => "Notifications are not supported.",
        "lock" => "Transactions are serializable; use SELECT ... FOR UPDATE to lock rows.",
        "grant" | "revoke" | "reassign" | "security" => "Every role may do everything in this release.",
        "do" | "call" => "Procedures are not supported; run the statements from the client.",
        "merge" => "Use INSERT ... ON CONFLICT.",
        "comment" => "Comments on objects are not supported.",
        "cluster" | "reindex" | "checkpoint" | "load" | "refresh" | "import" => "Storage takes care of itself.",
        _ => return None,
    };
    let name = word.to_uppercase();
    Some(Error::unsupported(format!("{name} is not supported"), hint))
}

/// Queries, DML and DDL: the rest belongs to sqlparser.
fn sql(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let statement = cursor.parse(|parser| parser.parse_statement())?;
    Ok(StatementKind::Sql(Box::new(statement)))
}

fn transaction(cursor: &mut Cursor<'_>, word: &str) -> Result<StatementKind> {
    match word {
        "start" => {
            cursor.expect("transaction")?;
            return Ok(StatementKind::Begin(transaction_modes(cursor)?));
        }
        "savepoint" => return Ok(StatementKind::Savepoint(cursor.name()?)),
        "release" => {
            cursor.eat("savepoint");
            return Ok(StatementKind::Release(cursor.name()?));
        }
        _ => {}
    }
    match word {
        "commit" if cursor.eat("prepared") => return Ok(StatementKind::CommitPrepared(cursor.string()?)),
        "rollback" if cursor.eat("prepared") => return Ok(StatementKind::RollbackPrepared(cursor.string()?)),
        _ => {}
    }
    if !cursor.eat("transaction") {
        cursor.eat("work");
    }
    match word {
        "begin" => Ok(StatementKind::Begin(transaction_modes(cursor)?)),
        "commit" | "end" => Ok(StatementKind::Commit { chain: chain(cursor)? }),
        _ if cursor.eat("to") => {
            cursor.eat("savepoint");
            Ok(StatementKind::RollbackTo(cursor.name()?))
        }
        _ => Ok(StatementKind::Rollback { chain: chain(cursor)? }),
    }
}

fn chain(cursor: &mut Cursor<'_>) -> Result<bool> {
    if !cursor.eat("and") {
        return Ok(false);
    }
    let chain = !cursor.eat("no");
    cursor.expect("chain")?;
    Ok(chain)
}

/// Modes with or without commas between them, up to the end.
pub(super) fn transaction_modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    while !cursor.at_end() {
        cursor.eat_token(&Token::Comma);
        if cursor.eat("isolation level") {
            modes.isolation = Some(isolation_level(cursor)?);
        } else if cursor.eat("read only") {
            modes.read_only = Some(true);
        } else if cursor.eat("read write") {
            modes.read_only = Some(false);
        } else if cursor.eat("deferrable") {
            modes.deferrable = Some(true);
        } else if cursor.eat("not deferrable") {
            modes.deferrable = Some(false);
        } else if cursor.eat("as of system time") {
            modes.as_of = Some(as_of::value(cursor)?);
        } else {
            return Err(cursor.unexpected());
        }
    }
    Ok(modes)
}

fn isolation_level(cursor: &mut Cursor<'_>) -> Result<IsolationLevel> {
    let levels = [
        IsolationLevel::Serializable,
        IsolationLevel::RepeatableRead,
        IsolationLevel::ReadCommitted,
        IsolationLevel::ReadUncommitted,
    ];
    levels.into_iter().find(|level| cursor.eat(level.name())).ok_or_else(|| cursor.unexpected())
}

/// After EXPLAIN.
fn explain(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut options = ExplainOptions::default();
    // A parenthesis begins options, unless it begins a query.
    let has_options = cursor.peek().is_some_and(|token| token.token == Token::LParen)
        && !["select", "with", "values", "table"].iter().any(|word| cursor.is_word(1, word))
        && cursor.peek_nth(1).is_some_and(|token| token.token != Token::LParen);
    if has_options {
        cursor.take();
        loop {
            explain_option(cursor, &mut options)?;
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
    } else {
        options.analyze = cursor.eat("analyze") || cursor.eat("analyse");
        options.verbose = cursor.eat("verbose");
    }
    let statement = inner(cursor)?;
    match &statement.kind {
        StatementKind::Sql(_) => Ok(StatementKind::Explain { options, statement }),
        _ => Err(Error::unsupported(
            "EXPLAIN of this statement is not supported",
            "EXPLAIN takes SELECT, INSERT, UPDATE, DELETE and VALUES.",
        )),
    }
}

fn explain_option(cursor: &mut Cursor<'_>, options: &mut ExplainOptions) -> Result<()> {
    let name = cursor.name()?;
    if name == "format" {
        return match cursor.name()?.as_str() {
            "text" => Ok(()),
            _ => Err(Error::unsupported("EXPLAIN knows the format TEXT only", "Leave FORMAT out.")),
        };
    }
    let on = match cursor.peek().map(|token| &token.token) {
        Some(Token::Comma | Token::RParen) | None => true,
        Some(token) => {
            let off = is_word(token, "off") || is_word(token, "false") || token == &Token::Number("0".into(), false);
            cursor.take();
            !off
        }
    };
    match name.as_str() {
        "analyze" => options.analyze = on,
        "verbose" => options.verbose = on,
        "costs" => options.no_costs = !on,
        "txn" => options.txn = on,
        "summary" | "timing" | "buffers" | "settings" | "wal" if !on => {}
        "summary" | "timing" => {}
        "buffers" | "settings" | "wal" => {
            return Err(Error::unsupported(
                format!("EXPLAIN option {} is not supported", name.to_uppercase()),
                "Supported are ANALYZE, VERBOSE, COSTS and TXN.",
            ));
        }
        _ => {
            return Err(Error::new(SqlState::SYNTAX_ERROR, format!("unrecognized EXPLAIN option \"{name}\"")));
        }
    }
    Ok(())
}

/// After PREPARE.
fn prepare(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.is_word(0, "transaction") && !cursor.is_word(1, "as") {
        cursor.take();
        return Ok(StatementKind::PrepareTransaction(cursor.string()?));
    }
    let name = cursor.name()?;
    let mut types = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        types = cursor.parse(|parser| parser.parse_comma_separated(|parser| parser.parse_data_type()))?;
        cursor.expect_token(&Token::RParen)?;
    }
    cursor.expect("as")?;
    Ok(StatementKind::Prepare { name, types, statement: inner(cursor)? })
}

/// After EXECUTE.
fn execute(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let name = cursor.name()?;
    let has_args = cursor.peek().is_some_and(|token| token.token == Token::LParen);
    let args = if has_args { cursor.exprs()? } else { Vec::new() };
    Ok(StatementKind::Execute { name, args })
}

/// After DEALLOCATE.
fn deallocate(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    cursor.eat("prepare");
    if cursor.eat("all") {
        return Ok(StatementKind::Deallocate(None));
    }
    Ok(StatementKind::Deallocate(Some(cursor.name()?)))
}

/// After DISCARD.
fn discard(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let what = match cursor.name()?.as_str() {
        "all" => Discard::All,
        "plans" => Discard::Plans,
        "sequences" => Discard::Sequences,
        "temp" | "temporary" => Discard::Temp,
        _ => return Err(cursor.unexpected()),
    };
    Ok(StatementKind::Discard(what))
}

/// After UNLISTEN.
fn unlisten(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if !cursor.eat_token(&Token::Mul) {
        cursor.name()?;
    }
    Ok(StatementKind::Nothing("UNLISTEN"))
}

/// After VACUUM or ANALYZE: options, then tables with column lists.
fn vacuum(cursor: &mut Cursor<'_>, analyze: bool) -> Result<StatementKind> {
    if cursor.eat_token(&Token::LParen) {
        while !cursor.eat_token(&Token::RParen) {
            if cursor.take().is_none() {
                return Err(cursor.unexpected());
            }
        }
    } else {
        while ["full", "freeze", "verbose", "analyze", "analyse"].iter().any(|word| cursor.eat(word)) {}
    }
    let mut tables = Vec::new();
    while !cursor.at_end() {
        tables.push(cursor.object_name()?);
        if cursor.peek().is_some_and(|token| token.token == Token::LParen) {
            cursor.idents()?;
        }
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    Ok(StatementKind::Vacuum { tables, analyze })
}

/// `ALTER TABLE name SPLIT AT VALUES`: three tokens, then a name of one to five tokens, then SPLIT AT.
fn is_split(cursor: &Cursor<'_>) -> bool {
    cursor.is_word(1, "table") && (3..=7).any(|ahead| cursor.is_word(ahead, "split") && cursor.is_word(ahead + 1, "at"))
}

fn split(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    cursor.expect("alter table")?;
    let table: ast::ObjectName = cursor.object_name()?;
    cursor.expect("split at values")?;
    let mut rows = vec![cursor.exprs()?];
    while cursor.eat_token(&Token::Comma) {
        rows.push(cursor.exprs()?);
    }
    Ok(StatementKind::SplitAt { table, rows })
}

#[cfg(test)]
#[path = "front_tests.rs"]
mod tests;
