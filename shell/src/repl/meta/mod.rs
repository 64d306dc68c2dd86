//! Meta-commands: psql's backslash set, and sqlite's dot commands as other names for some of them.

mod codes;
mod describe;
mod display;
mod help;
mod relation;
mod syntax;

use super::run::{CopySource, Stop};
use super::script::Script;
use super::shell::Shell;
use crate::client::SqlError;
use quorate::sql::catalog::closest;
use std::fs::File;
use std::io::BufReader;

/// How deep `\i` may nest.
const MOST_DEPTH: usize = 16;

/// A meta-command.
pub(super) struct Meta {
    /// Its name with the backslash.
    pub(super) name: &'static str,
    /// What follows it.
    pub(super) args: &'static str,
    /// What it does.
    pub(super) help: &'static str,
}

const fn meta(name: &'static str, args: &'static str, help: &'static str) -> Meta {
    Meta { name, args, help }
}

/// All of them, as `\?` lists them.
pub(super) const COMMANDS: &[Meta] = &[
    meta("\\d", "[NAME]", "tables, or one table: columns, indexes, constraints"),
    meta("\\dt", "[PATTERN]", "tables"),
    meta("\\di", "[PATTERN]", "indexes"),
    meta("\\ds", "[PATTERN]", "sequences"),
    meta("\\dn", "", "schemas"),
    meta("\\du", "", "roles"),
    meta("\\l", "", "databases"),
    meta("\\c", "[DATABASE]", "a new session, with another database"),
    meta("\\conninfo", "", "where this session is"),
    meta("\\x", "[on|off|auto]", "one value per line"),
    meta("\\pset", "format|rows VALUE", "format of results; most rows shown (or all)"),
    meta("\\timing", "[on|off]", "how long statements take"),
    meta("\\set", "safe on|off", "whether to ask before much is destroyed"),
    meta("\\i", "FILE", "run the statements of a file"),
    meta("\\o", "[FILE]", "send results to a file, or back here"),
    meta("\\g", "", "run the last statement again"),
    meta("\\echo", "TEXT", "write a line"),
    meta("\\h", "[NAME]", "syntax of a statement"),
    meta("\\err", "CODE", "what an SQLSTATE means and what to do"),
    meta("\\demo", "ls|kill N|stop N|start N", "break the nodes of `quorate demo`"),
    meta("\\demo", "pause pre-commit|resume", "hold a commit between two ranges"),
    meta("\\demo", "kill coordinator", "and see how the ranges end it"),
    meta("\\?", "", "this list"),
    meta("\\q", "", "leave"),
];

/// The dot commands and what they stand for.
const DOTS: &[(&str, &str)] = &[
    (".tables", "\\dt"),
    (".indexes", "\\di"),
    (".databases", "\\l"),
    (".schema", "\\d"),
    (".quit", "\\q"),
    (".exit", "\\q"),
    (".help", "\\?"),
    (".read", "\\i"),
    (".timer", "\\timing"),
    (".mode", "\\pset format"),
    (".output", "\\o"),
];

/// Runs one; `Some` if it ends the script.
pub(super) fn run(shell: &mut Shell, text: &str) -> Result<Option<Stop>, SqlError> {
    let text = undotted(text.trim().trim_end_matches(';'))?;
    let words = words(&text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((name, args)) = words.split_first() else { return Ok(None) };
    match (name.trim_end_matches(['+', 'S']), args) {
        ("\\q" | "\\quit", _) => return Ok(Some(Stop::Quit)),
        ("\\?", _) => shell.say(&help::list())?,
        ("\\h" | "\\help", _) => shell.say(&syntax::page(&args.join(" "))?)?,
        ("\\err", [code]) => shell.say(&codes::page(code)?)?,
        ("\\d", []) => describe::relations(shell, &["r", "p", "v", "S"], None)?,
        ("\\d", [name]) => relation::describe(shell, name)?,
        ("\\dt", _) => describe::relations(shell, &["r", "p"], args.first().copied())?,
        ("\\di", _) => describe::indexes(shell, args.first().copied())?,
        ("\\ds", _) => describe::relations(shell, &["S"], args.first().copied())?,
        ("\\dn", _) => describe::schemas(shell)?,
        ("\\du", _) => describe::roles(shell)?,
        ("\\l", _) => describe::databases(shell)?,
        ("\\x", _) => display::expanded(shell, args.first().copied())?,
        ("\\timing", _) => display::timing(shell, args.first().copied())?,
        ("\\pset" | "\\set", _) => display::set(shell, args)?,
        ("\\o", _) => display::output(shell, args.first().copied())?,
        ("\\echo", _) => shell.say(&args.join(" "))?,
        ("\\c" | "\\connect", _) => connect(shell, args.first().copied())?,
        ("\\conninfo", _) => conninfo(shell)?,
        ("\\i" | "\\include", [file]) => return include(shell, file),
        ("\\g" | "\\gx" | "\\G", []) => again(shell, *name != "\\g")?,
        ("\\demo", _) => demo(shell, args)?,
        _ => return Err(unknown(name)),
    }
    Ok(None)
}

/// A dot command in backslashes.
fn undotted(text: &str) -> Result<String, SqlError> {
    if !text.starts_with('.') {
        return Ok(text.to_owned());
    }
    let (name, args) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match DOTS.iter().find(|(dot, _)| *dot == name) {
        Some((_, means)) => Ok(format!("{means} {args}")),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> SqlError {
    if let Some(known) = COMMANDS.iter().find(|known| known.name == name) {
        return SqlError::usage(format!("{} needs: {} {}", name, name, known.args));
    }
    let names = COMMANDS.iter().map(|known| known.name).chain(DOTS.iter().map(|(dot, _)| *dot));
    let error = SqlError::usage(format!("there is no command {name}"));
    match closest(name, names) {
        Some(near) => error.with_hint(format!("Did you mean {near}?  \\? lists all.")),
        None => error.with_hint("\\? lists all commands."),
    }
}

/// Words, with quotes around those that hold spaces.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |at| at + 2),
            _ => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(rest[..end].trim_matches('\'').to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

fn connect(shell: &mut Shell, database: Option<&str>) -> Result<(), SqlError> {
    let current = shell.database.clone();
    shell.reconnect(Some(database.unwrap_or(&current)))?;
    if shell.options.interactive { conninfo(shell) } else { Ok(()) }
}

fn conninfo(shell: &mut Shell) -> Result<(), SqlError> {
    let place = shell.connector.describe();
    let session = shell.session()?;
    let text = format!("database \"{}\" as \"{}\", {place}", session.database(), session.user());
    shell.say(&text)
}

fn include(shell: &mut Shell, file: &str) -> Result<Option<Stop>, SqlError> {
    if shell.depth >= MOST_DEPTH {
        return Err(SqlError::usage(format!("files include each other more than {MOST_DEPTH} deep")));
    }
    let opened = File::open(file).map_err(|error| SqlError::usage(format!("cannot open {file}: {error}")))?;
    let mut script = Script::new(file, Box::new(BufReader::new(opened)));
    shell.depth += 1;
    let done = shell.run_script(&mut script);
    shell.depth -= 1;
    match done {
        Ok(()) => Ok(None),
        // A person goes on after a file that failed.
        Err(Stop::Failed(_)) if shell.options.interactive => Ok(None),
        Err(stop) => Ok(Some(stop)),
    }
}

fn again(shell: &mut Shell, vertical: bool) -> Result<(), SqlError> {
    let last = shell.last.clone();
    if last.is_empty() {
        return Err(SqlError::usage("no statement was run yet"));
    }
    if shell.is_confirmed(&last) { shell.statement(&last, vertical, CopySource::Typed) } else { Ok(()) }
}

fn demo(shell: &mut Shell, args: &[&str]) -> Result<(), SqlError> {
    let Some(demo) = shell.demo.clone() else {
        return Err(SqlError::usage("\\demo works in `quorate demo` only"));
    };
    let runtime = shell.runtime.clone();
    let Some(told) = runtime.block_on(demo.control(args))? else { return Err(unknown("\\demo")) };
    shell.say(&told.text)?;
    if told.session_lost {
        // Its node is gone: there is nobody to say good-bye to.
        shell.connection = None;
        let database = shell.database.clone();
        shell.reconnect(Some(&database))?;
    }
    Ok(())
}

/// A name or pattern as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_commands_stand_for_others() {
        assert_eq!(undotted(".mode csv").unwrap(), "\\pset format csv");
        assert_eq!(undotted("\\d t").unwrap(), "\\d t");
        assert_eq!(undotted(".tabels").unwrap_err().hint.as_deref(), Some("Did you mean .tables?  \\? lists all."));
    }

    #[test]
    fn slips_are_noticed() {
        assert_eq!(unknown("\\timign").hint.as_deref(), Some("Did you mean \\timing?  \\? lists all."));
        assert_eq!(unknown("\\err").message, "\\err needs: \\err CODE");
    }

    #[test]
    fn words_may_be_quoted() {
        assert_eq!(words("\\i 'a b.sql'  c"), vec!["\\i", "a b.sql", "c"]);
        assert_eq!(words("\\echo 'open"), vec!["\\echo", "open"]);
    }
}
