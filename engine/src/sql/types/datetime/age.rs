//! `age(a, b)`: the difference of two timestamps in years, months, days and time, counted as on a calendar.

use super::{DAY, Interval, civil_from_days, days_in_month, split_timestamp};

/// `a - b` field by field, a day borrowed from the length of the earlier timestamp's month. Both are finite.
pub fn age(a: i64, b: i64) -> Interval {
    let (later, earlier, sign) = if a >= b { (a, b, 1) } else { (b, a, -1) };
    let (later_day, later_time) = split_timestamp(later);
    let (earlier_day, earlier_time) = split_timestamp(earlier);
    let (to, from) = (civil_from_days(later_day), civil_from_days(earlier_day));
    let mut micros = later_time - earlier_time;
    let mut days = to.day - from.day;
    let mut months = (to.year - from.year) * 12 + to.month - from.month;
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        days += days_in_month(from.year, from.month);
        months -= 1;
    }
    Interval { months: sign * months, days: sign * days, micros: i64::from(sign) * micros }
}
