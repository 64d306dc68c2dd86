//! Time zones: the IANA database through jiff, fixed offsets, and the abbreviations of PostgreSQL's default list.

use super::{DAY, SECOND, UNIX_EPOCH_DAYS};
use crate::error::{Error, Result, SqlState};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use std::fmt;

/// A time zone, as set for a session or written in a timestamp.
#[derive(Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { zone: TimeZone::UTC, name: "UTC".to_string() }
    }

    /// A fixed offset in seconds east of UTC, within 16 hours.
    pub fn fixed(seconds_east: i32) -> Result<Zone> {
        let offset = Offset::from_seconds(seconds_east).map_err(|_| displacement())?;
        let mut name = String::new();
        super::format::write_offset(seconds_east, &mut name);
        // PostgreSQL shows a fixed offset in POSIX form, where the number counts west.
        let mut west = String::new();
        super::format::write_offset(-seconds_east, &mut west);
        let west = west.strip_prefix('+').unwrap_or(&west);
        Ok(Zone { zone: TimeZone::fixed(offset), name: format!("<{name}>{west}") })
    }

    /// The zone of a name: IANA (`Europe/Berlin`), an abbreviation (`CET`), hours east as a number (`2`, `-5.5`), or a
    /// POSIX rule; SQLSTATE 22023 otherwise.
    pub fn by_name(name: &str) -> Result<Zone> {
        Zone::find(name).ok_or_else(|| unknown(name))
    }

    fn find(name: &str) -> Option<Zone> {
        let trimmed = name.trim();
        if trimmed.eq_ignore_ascii_case("utc") || trimmed.eq_ignore_ascii_case("default") {
            return Some(Zone::utc());
        }
        if let Ok(hours) = trimmed.parse::<f64>() {
            return (hours.abs() <= 15.0).then(|| Zone::fixed((hours * 3600.0) as i32).ok()).flatten();
        }
        if let Ok(zone) = TimeZone::get(trimmed) {
            let shown = zone.iana_name().unwrap_or(trimmed).to_string();
            return Some(Zone { zone, name: shown });
        }
        if let Some(seconds) = abbreviation(trimmed) {
            return Zone::fixed(seconds).ok();
        }
        let zone = TimeZone::posix(trimmed).ok()?;
        Some(Zone { zone, name: trimmed.to_string() })
    }

    /// The name as `SHOW TimeZone` gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC at an instant, given in microseconds since 2000-01-01 UTC.
    pub fn offset_at(&self, micros: i64) -> i32 {
        if let Some(offset) = self.fixed_offset() {
            return offset;
        }
        let seconds = micros.div_euclid(SECOND) + i64::from(UNIX_EPOCH_DAYS) * 86_400;
        self.zone.to_offset(clamped_timestamp(seconds)).seconds()
    }

    /// Seconds east of UTC for a local time, given in microseconds since 2000-01-01 local time. A local time that
    /// occurs twice means standard time; one that is skipped is read with the offset before the change.
    pub fn offset_of_local(&self, local: i64) -> i32 {
        if let Some(offset) = self.fixed_offset() {
            return offset;
        }
        let seconds = local.div_euclid(SECOND) + i64::from(UNIX_EPOCH_DAYS) * 86_400;
        let civil = Offset::UTC.to_datetime(clamped_timestamp(seconds));
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Gap { before, .. } => before.seconds(),
            AmbiguousOffset::Fold { after, .. } => after.seconds(),
        }
    }

    fn fixed_offset(&self) -> Option<i32> {
        self.zone.to_fixed_offset().ok().map(Offset::seconds)
    }
}

/// jiff counts years -9999 to 9999. The calendar repeats every 400 years, so later instants take the rules of the same
/// day before the end of that range; in earlier ones no zone changed its clocks.
fn clamped_timestamp(unix_seconds: i64) -> jiff::Timestamp {
    let day = DAY / SECOND;
    let (low, high) = (jiff::Timestamp::MIN.as_second() + 2 * day, jiff::Timestamp::MAX.as_second() - 2 * day);
    let cycle = 146_097 * day;
    let excess = (unix_seconds - high).max(0);
    let known = unix_seconds - (excess + cycle - 1) / cycle * cycle;
    jiff::Timestamp::from_second(known.max(low)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Seconds east of UTC of an abbreviation in PostgreSQL's default list.
pub(super) fn abbreviation(word: &str) -> Option<i32> {
    let upper = word.to_ascii_uppercase();
    let quarters = match upper.as_str() {
        "UTC" | "GMT" | "UT" | "UCT" | "Z" | "ZULU" | "WET" => 0,
        "BST" | "CET" | "MEZ" | "WEST" | "WETDST" => 4,
        "CEST" | "CETDST" | "MESZ" | "EET" | "SAST" | "IST" => 8,
        "EEST" | "EETDST" | "MSK" | "EAT" => 12,
        "MSD" => 16,
        "PKT" | "UZT" => 20,
        "NPT" => 23,
        "ICT" => 28,
        "AWST" | "HKT" | "PHT" | "SGT" => 32,
        "JST" | "KST" => 36,
        "ACST" => 38,
        "AEST" => 40,
        "AEDT" => 44,
        "NZST" => 48,
        "NZDT" => 52,
        "AST" | "EDT" => -16,
        "ADT" => -12,
        "EST" | "CDT" => -20,
        "CST" | "MDT" => -24,
        "MST" | "PDT" => -28,
        "PST" | "AKDT" => -32,
        "AKST" => -36,
        "HST" => -40,
        "NST" => -14,
        "NDT" => -10,
        _ => return None,
    };
    Some(quarters * 900)
}

fn unknown(name: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
}

fn displacement() -> Error {
    Error::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range")
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::utc()
    }
}
