//! Settings of a session: what SET, SHOW, RESET and `set_config` reach, and what startup parameters may give.
//!
//! ```text
//!   definition (static)   name, default, kind (how a value is checked and printed), whether clients are told of changes
//!   session value         SET, or startup; undone if the transaction that set it rolls back
//!   local value           SET LOCAL; gone at the end of the transaction
//! ```
//! Settings that the code asks for on every statement are kept decoded in [`Derived`].
//!
//! Invariant: a stored value has passed its kind's check; what SHOW prints is what a later SET accepts.

pub mod table;

use crate::error::{Error, SqlState};
use crate::sql::catalog::names::closest;
use crate::sql::types::{DateOrder, Zone};
use quorate_txn::CommitProtocol;
use std::collections::{BTreeMap, BTreeSet};
use table::{DEFINITIONS, Definition, Kind};

/// Decoded settings that are needed often.
#[derive(Clone, Debug)]
pub struct Derived {
    /// `TimeZone`
    pub zone: Zone,
    /// `DateStyle`
    pub date_order: DateOrder,
    /// `statement_timeout` in milliseconds; 0 is none.
    pub statement_timeout: u64,
    /// `lock_timeout` in milliseconds; 0 is none.
    pub lock_timeout: u64,
    /// `idle_in_transaction_session_timeout` in milliseconds; 0 is none.
    pub idle_in_transaction_timeout: u64,
    /// `commit_protocol`
    pub commit_protocol: CommitProtocol,
    /// `txn_token`
    pub txn_token: bool,
    /// `search_path`, as written: `$user` is not replaced yet.
    pub search_path: Vec<String>,
    /// `default_transaction_read_only`
    pub read_only: bool,
}

/// The settings of one session.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<usize, String>,
    local: BTreeMap<usize, String>,
    before_transaction: Option<BTreeMap<usize, String>>,
    defaults: BTreeMap<usize, String>,
    changed: BTreeSet<usize>,
    derived: Derived,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}

impl Settings {
    /// All defaults.
    pub fn new() -> Settings {
        let reported = DEFINITIONS.iter().enumerate().filter(|(_, it)| it.reported).map(|(index, _)| index);
        Settings {
            values: BTreeMap::new(),
            local: BTreeMap::new(),
            before_transaction: None,
            defaults: BTreeMap::new(),
            changed: reported.collect(),
            derived: Derived {
                zone: Zone::utc(),
                date_order: DateOrder::Mdy,
                statement_timeout: 0,
                lock_timeout: 0,
                idle_in_transaction_timeout: 0,
                commit_protocol: CommitProtocol::Auto,
                txn_token: false,
                search_path: vec!["$user".into(), "public".into()],
                read_only: false,
            },
        }
    }

    /// The decoded settings.
    pub fn derived(&self) -> &Derived {
        &self.derived
    }

    /// The value of `name` as SHOW prints it.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(name).map(|index| self.value(index))
    }

    /// Every setting: definition and value.
    pub fn all(&self) -> impl Iterator<Item = (&'static Definition, &str)> {
        DEFINITIONS.iter().enumerate().map(|(index, definition)| (definition, self.value(index)))
    }

    /// Startup parameters become the value that RESET goes back to.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let (index, value) = check(name, value, true)?;
        self.defaults.insert(index, value);
        self.derive(index)
    }

    /// Sets what the session itself decides (`is_superuser`, ...).
    pub fn set_fixed(&mut self, name: &str, value: impl Into<String>) {
        if let Some(index) = find(name) {
            self.defaults.insert(index, value.into());
            self.note(index);
        }
    }

    /// SET: `value` as text. `in_block` says whether a rollback may have to undo it.
    pub fn set(&mut self, name: &str, value: &str, local: bool, in_block: bool) -> Result<(), Error> {
        let (index, value) = check(name, value, false)?;
        self.remember(in_block);
        if local {
            self.local.insert(index, value);
        } else {
            self.local.remove(&index);
            self.values.insert(index, value);
        }
        self.derive(index)
    }

    /// RESET, or SET ... TO DEFAULT.
    pub fn reset(&mut self, name: &str, in_block: bool) -> Result<(), Error> {
        let index = find(name).ok_or_else(|| unrecognized(name))?;
        changeable(&DEFINITIONS[index])?;
        self.remember(in_block);
        self.local.remove(&index);
        self.values.remove(&index);
        self.derive(index)
    }

    /// RESET ALL.
    pub fn reset_all(&mut self, in_block: bool) -> Result<(), Error> {
        self.remember(in_block);
        let indexes: BTreeSet<usize> = self.values.keys().chain(self.local.keys()).copied().collect();
        self.values.clear();
        self.local.clear();
        indexes.into_iter().try_for_each(|index| self.derive(index))
    }

    /// The transaction has ended: local values go, and if it rolled back, so do the others that it set.
    pub fn end_transaction(&mut self, committed: bool) {
        let mut touched: BTreeSet<usize> = self.local.keys().copied().collect();
        self.local.clear();
        if let Some(before) = self.before_transaction.take()
            && !committed
        {
            touched.extend(self.values.keys().chain(before.keys()));
            self.values = before;
        }
        for index in touched {
            if let Err(error) = self.derive(index) {
                tracing::warn!(%error, "a setting that was valid before is not any more");
            }
        }
    }

    /// Whether the end of the transaction undoes something.
    pub fn in_transaction(&self) -> bool {
        !self.local.is_empty() || self.before_transaction.is_some()
    }

    /// Whether reported settings changed since they were taken last.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Reported settings that changed since the last call.
    pub fn take_changed(&mut self) -> Vec<(&'static str, String)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|index| (DEFINITIONS[index].name, self.value(index).to_owned())).collect()
    }

    fn value(&self, index: usize) -> &str {
        let set = self.local.get(&index).or_else(|| self.values.get(&index)).or_else(|| self.defaults.get(&index));
        set.map_or(DEFINITIONS[index].default, String::as_str)
    }

    fn remember(&mut self, in_block: bool) {
        if in_block && self.before_transaction.is_none() {
            self.before_transaction = Some(self.values.clone());
        }
    }

    fn note(&mut self, index: usize) {
        if DEFINITIONS[index].reported {
            self.changed.insert(index);
        }
    }

    fn derive(&mut self, index: usize) -> Result<(), Error> {
        self.note(index);
        let value = self.value(index).to_owned();
        match DEFINITIONS[index].name {
            "TimeZone" => self.derived.zone = zone(&value)?,
            "DateStyle" => self.derived.date_order = date_order(&value),
            "statement_timeout" => self.derived.statement_timeout = milliseconds(&value).unwrap_or(0),
            "lock_timeout" => self.derived.lock_timeout = milliseconds(&value).unwrap_or(0),
            "idle_in_transaction_session_timeout" => {
                self.derived.idle_in_transaction_timeout = milliseconds(&value).unwrap_or(0);
            }
            "commit_protocol" => self.derived.commit_protocol = commit_protocol(&value),
            "txn_token" => self.derived.txn_token = value == "on",
            "search_path" => self.derived.search_path = split_names(&value),
            "default_transaction_read_only" => self.derived.read_only = value == "on",
            _ => {}
        }
        Ok(())
    }
}

fn commit_protocol(name: &str) -> CommitProtocol {
    match name {
        "one_round" => CommitProtocol::OneRound,
        "three_phase" => CommitProtocol::ThreePhase,
        _ => CommitProtocol::Auto,
    }
}

fn find(name: &str) -> Option<usize> {
    DEFINITIONS.iter().position(|definition| definition.name.eq_ignore_ascii_case(name))
}

/// Every setting by name, for the catalogs and for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.iter().map(|definition| definition.name)
}

fn unrecognized(name: &str) -> Error {
    let error = Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""));
    match closest(name, names()) {
        Some(near) => error.with_hint(format!("Perhaps you meant \"{near}\".")),
        None => error,
    }
}

/// The error of a setting that does not exist.
pub fn unknown_setting(name: &str) -> Error {
    unrecognized(name)
}

fn changeable(definition: &Definition) -> Result<(), Error> {
    match definition.kind {
        Kind::Fixed => Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" cannot be changed", definition.name),
        )),
        _ => Ok(()),
    }
}

fn check(name: &str, value: &str, startup: bool) -> Result<(usize, String), Error> {
    let index = find(name).ok_or_else(|| unrecognized(name))?;
    let definition = &DEFINITIONS[index];
    if !startup {
        changeable(definition)?;
    }
    let refuse = || {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{}\": \"{value}\"", definition.name),
        )
    };
    let stored = match definition.kind {
        Kind::Fixed => value.to_owned(),
        Kind::Text => value.to_owned(),
        Kind::Bool => boolean(value).map(|on| if on { "on" } else { "off" }.to_owned()).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", definition.name),
            )
        })?,
        Kind::Integer(low, high) => integer(definition.name, value, low, high).ok_or_else(refuse)??,
        Kind::Duration => milliseconds(value).map(show_milliseconds).ok_or_else(refuse)?,
        Kind::Choice(choices) => choose(value, choices)
            .ok_or_else(|| refuse().with_hint(format!("Available values: {}.", choices.join(", "))))?,
        Kind::Encoding => encoding(value).ok_or_else(refuse)?,
        Kind::DateStyle => date_style(value).ok_or_else(refuse)?,
        Kind::TimeZone => {
            zone(value)?;
            value.to_owned()
        }
        Kind::Isolation => choose(
            &value.to_ascii_lowercase(),
            &["serializable", "repeatable read", "read committed", "read uncommitted"],
        )
        .ok_or_else(refuse)?,
    };
    Ok((index, stored))
}

fn choose(value: &str, choices: &[&str]) -> Option<String> {
    choices.iter().find(|choice| choice.eq_ignore_ascii_case(value)).map(|choice| (*choice).to_owned())
}

/// PostgreSQL's words for true and false, and their unique prefixes.
pub fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let is_prefix_of = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    match () {
        () if is_prefix_of("true", 1) || is_prefix_of("yes", 1) || value == "on" || value == "1" => Some(true),
        () if is_prefix_of("false", 1) || is_prefix_of("no", 1) || is_prefix_of("off", 2) || value == "0" => {
            Some(false)
        }
        () => None,
    }
}

fn integer(name: &str, value: &str, low: i64, high: i64) -> Option<Result<String, Error>> {
    let number: i64 = value.trim().parse().ok()?;
    if (low..=high).contains(&number) {
        return Some(Ok(number.to_string()));
    }
    Some(Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{number} is outside the valid range for parameter \"{name}\" ({low} .. {high})"),
    )))
}

/// `250`, `250ms`, `5s`, `2min`, `1h`, `1d`.
fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let number: f64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let total = (number * factor).round();
    (total <= f64::from(i32::MAX)).then_some(total as u64)
}

fn show_milliseconds(value: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    match UNITS.iter().find(|(unit, _)| value != 0 && value.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", value / unit),
        None => "0".to_owned(),
    }
}

fn encoding(value: &str) -> Option<String> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    match plain.as_str() {
        "UTF8" | "UNICODE" | "AUTO" => Some("UTF8".to_owned()),
        "SQLASCII" => Some("SQL_ASCII".to_owned()),
        _ => None,
    }
}

fn date_style(value: &str) -> Option<String> {
    let mut order = "MDY";
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        order = match word.to_ascii_uppercase().as_str() {
            "ISO" | "DEFAULT" => order,
            "MDY" | "US" | "NONEURO" | "NONEUROPEAN" => "MDY",
            "DMY" | "EURO" | "EUROPEAN" => "DMY",
            "YMD" => "YMD",
            _ => return None,
        };
    }
    Some(format!("ISO, {order}"))
}

fn date_order(value: &str) -> DateOrder {
    match value.rsplit(' ').next() {
        Some("DMY") => DateOrder::Dmy,
        Some("YMD") => DateOrder::Ymd,
        _ => DateOrder::Mdy,
    }
}

fn zone(value: &str) -> Result<Zone, Error> {
    if let Some(seconds) = offset(value) {
        return Zone::fixed(seconds);
    }
    Zone::by_name(value).map_err(|_| {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"TimeZone\": \"{value}\""))
    })
}

/// Seconds east of `+02`, `-03:30`: an interval as SET TIME ZONE takes it.
fn offset(value: &str) -> Option<i32> {
    let (sign, rest) = match value.trim().split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    (hours <= 15 && (0..60).contains(&minutes)).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Splits `"$user", public` into names: quoted ones as they are, others in lower case.
pub fn split_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut any = false;
    for c in list.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            ',' if !quoted => {
                if any {
                    names.push(std::mem::take(&mut name));
                }
                any = false;
            }
            c if quoted => name.push(c),
            c if c.is_whitespace() => {}
            c => {
                any = true;
                name.extend(c.to_lowercase());
            }
        }
    }
    if any {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_and_printed_as_postgresql_does() {
        let mut settings = Settings::new();
        settings.set("statement_timeout", "90000", false, false).unwrap();
        assert_eq!(settings.get("STATEMENT_TIMEOUT"), Some("90s"));
        assert_eq!(settings.derived().statement_timeout, 90_000);
        let error = settings.set("nope", "1", false, false).unwrap_err();
        assert_eq!(error.message(), "unrecognized configuration parameter \"nope\"");
        assert_eq!(error.sqlstate(), Some(SqlState::UNDEFINED_OBJECT));
        settings.set("datestyle", "dmy", false, false).unwrap();
        assert_eq!(settings.get("DateStyle"), Some("ISO, DMY"));
        assert!(settings.set("server_version", "16", false, false).is_err());
    }

    #[test]
    fn a_rollback_undoes_set_and_any_end_undoes_set_local() {
        let mut settings = Settings::new();
        settings.set("application_name", "a", false, false).unwrap();
        settings.set("application_name", "b", false, true).unwrap();
        settings.set("search_path", "x", true, true).unwrap();
        assert_eq!(settings.derived().search_path, ["x"]);
        settings.end_transaction(false);
        assert_eq!(settings.get("application_name"), Some("a"));
        assert_eq!(settings.derived().search_path, ["$user", "public"]);
    }

    #[test]
    fn names_of_a_search_path() {
        assert_eq!(split_names("\"$user\", Public,\"A b\""), ["$user", "public", "A b"]);
        assert!(split_names("").is_empty());
    }
}
