//! Times and sizes on the command line: a number and a unit.

use std::time::Duration;

/// Reads `500ms`, `30s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time has a unit: 500ms, 30s, 5m, 1h".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| format!("\"{number}\" is no number"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "the time is out of range".to_owned())
}

/// Reads `512KiB`, `128MiB`, `2GiB` (and KB, MB, GB as the same).
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err("a size has a unit: 512KiB, 128MiB, 2GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| format!("\"{number}\" is no whole number"))?;
    number.checked_mul(1 << shift).ok_or_else(|| "the size is out of range".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number.trim(), unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_needed() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("30").is_err() && duration("xs").is_err() && duration("-1s").is_err());
        assert_eq!(size("128MiB"), Ok(128 << 20));
        assert!(size("128").is_err() && size("99999999999GiB").is_err());
    }
}
