//! How results are shown: `\x`, `\timing`, `\pset`, `\set`, `\o`.

use super::super::output::Output;
use super::super::shell::Shell;
use crate::client::SqlError;
use crate::render::Format;
use clap::ValueEnum as _;
use quorate::sql::catalog::closest;
use std::path::Path;

/// `\x [on|off|auto]`
pub(super) fn expanded(shell: &mut Shell, value: Option<&str>) -> Result<(), SqlError> {
    shell.settings.expanded = match value {
        Some("auto") => None,
        other => Some(switch(other, shell.settings.expanded == Some(true))?),
    };
    let told = match shell.settings.expanded {
        None => "Expanded display is used automatically.",
        Some(true) => "Expanded display is on.",
        Some(false) => "Expanded display is off.",
    };
    acknowledge(shell, told)
}

/// `\timing [on|off]`
pub(super) fn timing(shell: &mut Shell, value: Option<&str>) -> Result<(), SqlError> {
    shell.settings.timing = switch(value, shell.settings.timing)?;
    let told = if shell.settings.timing { "Timing is on." } else { "Timing is off." };
    acknowledge(shell, told)
}

/// `\pset format|rows VALUE`, `\set safe on|off`
pub(super) fn set(shell: &mut Shell, args: &[&str]) -> Result<(), SqlError> {
    match args {
        ["format", name] => {
            shell.settings.format = Format::by_name(name).ok_or_else(|| no_format(name))?;
            acknowledge(shell, &format!("Output format is {name}."))
        }
        ["rows", "all" | "0"] => {
            shell.settings.max_rows = None;
            acknowledge(shell, "All rows are shown.")
        }
        ["rows", number] => {
            let most = number.parse().map_err(|_| SqlError::usage(format!("\"{number}\" is no number of rows")))?;
            shell.settings.max_rows = Some(most);
            acknowledge(shell, &format!("{most} rows are shown at most."))
        }
        ["expanded" | "x", value] => expanded(shell, Some(value)),
        ["safe", value] => {
            shell.settings.safe = switch(Some(value), false)?;
            acknowledge(shell, if shell.settings.safe { "Safe mode is on." } else { "Safe mode is off." })
        }
        [] => show(shell),
        [name, ..] => Err(SqlError::usage(format!("there is no setting \"{name}\""))
            .with_hint("\\pset format NAME, \\pset rows N|all, \\set safe on|off")),
    }
}

/// `\o [FILE]`
pub(super) fn output(shell: &mut Shell, file: Option<&str>) -> Result<(), SqlError> {
    shell.flush();
    shell.output = match file {
        None => Output::stdout(),
        Some(file) => Output::file(Path::new(file))
            .map_err(|error| SqlError::usage(format!("cannot write to {file}: {error}")))?,
    };
    Ok(())
}

fn show(shell: &mut Shell) -> Result<(), SqlError> {
    let settings = &shell.settings;
    let on = |value: bool| if value { "on" } else { "off" };
    let text = format!(
        "format    {}\nexpanded  {}\ntiming    {}\nsafe      {}\nrows      {}",
        settings.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
        settings.expanded.map_or("auto", on),
        on(settings.timing),
        on(settings.safe),
        settings.max_rows.map_or("all".to_owned(), |rows| rows.to_string()),
    );
    shell.say(&text)
}

fn no_format(name: &str) -> SqlError {
    let names: Vec<String> = Format::value_variants()
        .iter()
        .filter_map(|format| format.to_possible_value())
        .map(|value| value.get_name().to_owned())
        .collect();
    let error = SqlError::usage(format!("there is no format \"{name}\""));
    match closest(name, names.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
        None => error.with_hint(format!("Formats: {}.", names.join(", "))),
    }
}

fn switch(value: Option<&str>, now: bool) -> Result<bool, SqlError> {
    match value.map(str::to_lowercase).as_deref() {
        None => Ok(!now),
        Some("on" | "true" | "1") => Ok(true),
        Some("off" | "false" | "0") => Ok(false),
        Some(other) => Err(SqlError::usage(format!("\"{other}\" is neither on nor off"))),
    }
}

fn acknowledge(shell: &mut Shell, told: &str) -> Result<(), SqlError> {
    if shell.options.quiet || !shell.options.interactive { Ok(()) } else { shell.say(told) }
}
