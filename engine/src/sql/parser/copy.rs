//! COPY: `COPY t (cols) FROM STDIN [WITH] (FORMAT csv, ...)`, the options of before 9.0, and COPY ... TO STDOUT.

use super::cursor::Cursor;
use super::statement::{Copy, CopyFormat, CopySource, StatementKind};
use crate::error::{Error, Result, SqlState};
use sqlparser::tokenizer::Token;

/// Options as written; defaults depend on the format, which may come last.
#[derive(Default)]
struct Options {
    csv: bool,
    delimiter: Option<String>,
    null: Option<String>,
    header: bool,
    quote: Option<String>,
    escape: Option<String>,
}

/// After COPY.
pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let source = source(cursor)?;
    let to = if cursor.eat("from") {
        false
    } else {
        cursor.expect("to")?;
        true
    };
    endpoint(cursor, to)?;
    let options = options(cursor)?;
    if cursor.is_word(0, "where") {
        return Err(unsupported("COPY ... WHERE is not supported", "Copy into a table and delete the other rows."));
    }
    if !to && matches!(source, CopySource::Query(_)) {
        return Err(cursor.unexpected());
    }
    Ok(StatementKind::Copy(Box::new(Copy { source, to, format: format(options)? })))
}

fn source(cursor: &mut Cursor<'_>) -> Result<CopySource> {
    if cursor.eat_token(&Token::LParen) {
        let query = cursor.parse(|parser| parser.parse_query())?;
        cursor.expect_token(&Token::RParen)?;
        return Ok(CopySource::Query(query));
    }
    cursor.eat("binary");
    let name = cursor.object_name()?;
    let has_columns = cursor.peek().is_some_and(|token| token.token == Token::LParen);
    let columns = if has_columns { cursor.idents()? } else { Vec::new() };
    Ok(CopySource::Table { name, columns })
}

fn endpoint(cursor: &mut Cursor<'_>, to: bool) -> Result<()> {
    if cursor.eat(if to { "stdout" } else { "stdin" }) {
        return Ok(());
    }
    let is_file = cursor.is_word(0, "program")
        || matches!(cursor.peek().map(|token| &token.token), Some(Token::SingleQuotedString(_)));
    if is_file {
        return Err(unsupported(
            "COPY with files of the server is not supported",
            "Use COPY ... FROM STDIN or TO STDOUT (\\copy in psql).",
        ));
    }
    Err(cursor.unexpected())
}

fn options(cursor: &mut Cursor<'_>) -> Result<Options> {
    let mut options = Options::default();
    cursor.eat("with");
    if !cursor.eat_token(&Token::LParen) {
        while !cursor.at_end() && !cursor.is_word(0, "where") {
            legacy_option(cursor, &mut options)?;
        }
        return Ok(options);
    }
    loop {
        option(cursor, &mut options)?;
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(options)
}

fn option(cursor: &mut Cursor<'_>, options: &mut Options) -> Result<()> {
    let name = cursor.name()?;
    match name.as_str() {
        "format" => set_format(&cursor.name().or_else(|_| cursor.string())?, options),
        "freeze" => boolean(cursor).map(drop),
        "delimiter" => cursor.string().map(|text| options.delimiter = Some(text)),
        "null" => cursor.string().map(|text| options.null = Some(text)),
        "header" => boolean(cursor).map(|on| options.header = on),
        "quote" => cursor.string().map(|text| options.quote = Some(text)),
        "escape" => cursor.string().map(|text| options.escape = Some(text)),
        "encoding" => check_encoding(&cursor.string()?),
        "force_quote" | "force_not_null" | "force_null" => Err(unsupported(
            format!("COPY option {} is not supported", name.to_uppercase()),
            "Supported are FORMAT, DELIMITER, NULL, HEADER, QUOTE, ESCAPE, ENCODING and FREEZE.",
        )),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("option \"{name}\" not recognized"))),
    }
}

fn legacy_option(cursor: &mut Cursor<'_>, options: &mut Options) -> Result<()> {
    if cursor.eat("csv") {
        options.csv = true;
    } else if cursor.eat("binary") {
        return set_format("binary", options);
    } else if cursor.eat("header") {
        options.header = true;
    } else if cursor.eat("delimiter") || cursor.eat("delimiters") {
        cursor.eat("as");
        options.delimiter = Some(cursor.string()?);
    } else if cursor.eat("null") {
        cursor.eat("as");
        options.null = Some(cursor.string()?);
    } else if cursor.eat("quote") {
        cursor.eat("as");
        options.quote = Some(cursor.string()?);
    } else if cursor.eat("escape") {
        cursor.eat("as");
        options.escape = Some(cursor.string()?);
    } else if cursor.eat("encoding") {
        check_encoding(&cursor.string()?)?;
    } else if !cursor.eat("freeze") {
        return Err(cursor.unexpected());
    }
    Ok(())
}

/// `true`, `on`, `1`, or nothing at all.
fn boolean(cursor: &mut Cursor<'_>) -> Result<bool> {
    for (word, value) in [("true", true), ("on", true), ("false", false), ("off", false)] {
        if cursor.eat(word) {
            return Ok(value);
        }
    }
    match cursor.peek().map(|token| &token.token) {
        Some(Token::Comma | Token::RParen) => Ok(true),
        Some(Token::Number(digit, _)) if digit == "0" || digit == "1" => {
            let value = digit == "1";
            cursor.take();
            Ok(value)
        }
        _ => Err(cursor.unexpected()),
    }
}

fn set_format(name: &str, options: &mut Options) -> Result<()> {
    match name {
        "text" => options.csv = false,
        "csv" => options.csv = true,
        "binary" => return Err(unsupported("COPY in binary format is not supported", "Use text or csv.")),
        _ => {
            let message = format!("COPY format \"{name}\" not recognized");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(())
}

fn check_encoding(name: &str) -> Result<()> {
    match name.to_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" | "sqlascii" => Ok(()),
        _ => Err(unsupported(format!("COPY with encoding \"{name}\" is not supported"), "Use UTF8.")),
    }
}

fn format(options: Options) -> Result<CopyFormat> {
    let mut format = if options.csv { CopyFormat::csv() } else { CopyFormat::text() };
    if !options.csv && (options.quote.is_some() || options.escape.is_some()) {
        return Err(Error::unsupported("COPY quote available only in CSV mode", "Add FORMAT csv."));
    }
    if let Some(text) = options.delimiter {
        format.delimiter = one_byte("delimiter", &text)?;
    }
    if let Some(text) = options.quote {
        format.quote = one_byte("quote", &text)?;
        format.escape = format.quote;
    }
    if let Some(text) = options.escape {
        format.escape = one_byte("escape", &text)?;
    }
    if let Some(null) = options.null {
        format.null = null;
    }
    format.header = options.header;
    Ok(format)
}

fn one_byte(what: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if *byte != b'\n' && *byte != b'\r' => Ok(*byte),
        _ => {
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("COPY {what} must be a single one-byte character")))
        }
    }
}

fn unsupported(message: impl Into<std::borrow::Cow<'static, str>>, hint: &'static str) -> Error {
    Error::unsupported(message, hint)
}
