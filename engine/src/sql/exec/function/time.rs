//! Functions of dates and times.

use super::{Call, text_value, time_format};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Function;
use crate::sql::types::datetime::{
    self, Moment, extract, extract_f64, local_to_utc, split_timestamp, trunc_interval, trunc_timestamp,
    trunc_timestamptz, utc_to_local,
};
use crate::sql::types::{CastKind, Interval, Type, Value, Zone, cast};

/// The result, if the function is one of time.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let env = call.env;
    let now = env.types.now;
    let value = match call.function {
        F::Now => Ok(Value::Timestamptz(now)),
        F::StatementTimestamp => Ok(Value::Timestamptz(env.statement_time)),
        F::ClockTimestamp => Ok(Value::Timestamptz(env.clock())),
        F::TimeOfDay => Ok(text_value(Value::Timestamptz(env.clock()).to_text(&env.types))),
        F::CurrentDate => local_now(call, &Type::Date),
        F::CurrentTime => local_now(call, &Type::TIME),
        F::LocalTimestamp => Ok(Value::Timestamp(utc_to_local(now, &env.types.zone))),
        F::DatePart => {
            moment(call, 1).and_then(|moment| Ok(extract_f64(call.text(0), moment)?.map_or(Value::Null, Value::Float8)))
        }
        F::Extract => {
            moment(call, 1).and_then(|moment| Ok(extract(call.text(0), moment)?.map_or(Value::Null, Value::Numeric)))
        }
        F::DateTrunc => date_trunc(call),
        F::Age => age(call),
        F::MakeDate => datetime::make_date(call.int(0) as i32, call.int(1) as i32, call.int(2) as i32).map(Value::Date),
        F::MakeTime => make_time(call.int(0), call.int(1), call.float(2)).map(Value::Time),
        F::MakeTimestamp => make_timestamp(call),
        F::MakeInterval => Ok(make_interval(call)),
        F::AtTimeZone => at_time_zone(call),
        F::IsFinite => Ok(Value::Bool(is_finite(call.args.first()?))),
        F::JustifyDays => interval(call, Interval::justify_days),
        F::JustifyHours => interval(call, Interval::justify_hours),
        F::JustifyInterval => interval(call, |interval| interval.justify_hours()?.justify_days()),
        F::ToChar => time_format::to_char(call),
        F::ToNumber => time_format::to_number(call),
        F::ToDate => time_format::to_timestamp(call).and_then(|micros| {
            cast(&Value::Timestamp(micros), &Type::TIMESTAMP, &Type::Date, CastKind::Explicit, &env.types)
        }),
        F::ToTimestamp => to_timestamp(call),
        _ => return None,
    };
    Some(value)
}

/// Now, in the session's zone, as a value of another type.
fn local_now(call: &Call<'_>, ty: &Type) -> Result<Value> {
    let now = Value::Timestamptz(call.env.types.now);
    cast(&now, &Type::TIMESTAMPTZ, ty, CastKind::Explicit, &call.env.types)
}

fn moment<'a>(call: &'a Call<'_>, index: usize) -> Result<Moment<'a>> {
    match &call.args[index] {
        Value::Date(days) => Ok(Moment::Date(*days)),
        Value::Time(micros) => Ok(Moment::Time(*micros)),
        Value::Timestamp(micros) => Ok(Moment::Timestamp(*micros)),
        Value::Timestamptz(micros) => Ok(Moment::Timestamptz(*micros, &call.env.types.zone)),
        Value::Interval(interval) => Ok(Moment::Interval(*interval)),
        _ => Err(Error::internal("extract from a value that is no time")),
    }
}

fn date_trunc(call: &Call<'_>) -> Result<Value> {
    let unit = call.text(0);
    match &call.args[1] {
        Value::Timestamp(micros) => trunc_timestamp(unit, *micros).map(Value::Timestamp),
        Value::Timestamptz(micros) => {
            let zone = match call.given(2) {
                Some(zone) => Zone::by_name(zone.as_str().unwrap_or_default())?,
                None => call.env.types.zone.clone(),
            };
            trunc_timestamptz(unit, *micros, &zone).map(Value::Timestamptz)
        }
        Value::Interval(interval) => trunc_interval(unit, *interval).map(Value::Interval),
        _ => Err(Error::internal("date_trunc of a value that is no time")),
    }
}

/// Ages count in the session's calendar.
fn age(call: &Call<'_>) -> Result<Value> {
    let zone = &call.env.types.zone;
    let local = |value: &Value| match value {
        Value::Timestamptz(micros) => utc_to_local(*micros, zone),
        Value::Timestamp(micros) => *micros,
        _ => 0,
    };
    let interval = match call.args {
        [one] => {
            let (today, _) = split_timestamp(utc_to_local(call.env.types.now, zone));
            datetime::age(datetime::date_to_timestamp(today)?, local(one))
        }
        [left, right] => datetime::age(local(left), local(right)),
        _ => return Ok(Value::Null),
    };
    Ok(Value::Interval(interval))
}

fn make_time(hour: i64, minute: i64, second: f64) -> Result<i64> {
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60.0).contains(&second) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("time field value out of range: {hour}:{minute:02}:{second:02}"),
        ));
    }
    Ok((hour * 3_600 + minute * 60) * 1_000_000 + (second * 1e6).round() as i64)
}

fn make_timestamp(call: &Call<'_>) -> Result<Value> {
    let days = datetime::make_date(call.int(0) as i32, call.int(1) as i32, call.int(2) as i32)?;
    let time = make_time(call.int(3), call.int(4), call.float(5))?;
    Ok(Value::Timestamp(datetime::date_to_timestamp(days)? + time))
}

fn make_interval(call: &Call<'_>) -> Value {
    let part = |index: usize| call.int(index).clamp(i64::from(i32::MIN) / 12, i64::from(i32::MAX) / 12);
    let months = part(0) * 12 + part(1);
    let days = part(2) * 7 + part(3);
    let micros = (part(4) * 3_600 + part(5) * 60) * 1_000_000 + (call.float(6) * 1e6).round() as i64;
    Value::Interval(Interval::new(months as i32, days as i32, micros))
}

/// `value AT TIME ZONE zone`; the zone is the first argument.
fn at_time_zone(call: &Call<'_>) -> Result<Value> {
    let zone = match &call.args[0] {
        Value::Interval(interval) => Zone::fixed((interval.micros / 1_000_000) as i32)?,
        _ => Zone::by_name(call.text(0))?,
    };
    match &call.args[1] {
        Value::Timestamp(micros) => local_to_utc(*micros, &zone).map(Value::Timestamptz),
        Value::Timestamptz(micros) => Ok(Value::Timestamp(utc_to_local(*micros, &zone))),
        other => Ok(other.clone()),
    }
}

fn is_finite(value: &Value) -> bool {
    match value {
        Value::Date(days) => !datetime::is_infinite_date(*days),
        Value::Timestamp(micros) | Value::Timestamptz(micros) => !datetime::is_infinite(*micros),
        _ => true,
    }
}

fn interval(call: &Call<'_>, change: impl Fn(Interval) -> Result<Interval>) -> Result<Value> {
    match call.args.first() {
        Some(Value::Interval(interval)) => change(*interval).map(Value::Interval),
        _ => Ok(Value::Null),
    }
}

/// `to_timestamp(text, format)`, or of seconds since 1970.
fn to_timestamp(call: &Call<'_>) -> Result<Value> {
    if call.args.len() == 1 {
        let micros = call.float(0) * 1e6 - 946_684_800_000_000.0;
        if !micros.is_finite() || micros.abs() > 9e18 {
            return Err(datetime::timestamp_out_of_range());
        }
        return Ok(Value::Timestamptz(micros.round() as i64));
    }
    let local = time_format::to_timestamp(call)?;
    local_to_utc(local, &call.env.types.zone).map(Value::Timestamptz)
}
