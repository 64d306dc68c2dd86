//! Types and values against PostgreSQL 15: `tests/postgres.tsv` holds what it answered.
//!
//! ```text
//!  parse|TYPE|TEXT               read and write            num|OP|A|B         numeric operators and functions
//!  cast|FROM|TO|TEXT             explicit cast             arith|OP|T|A|U|B   operators, with their resolution
//!  extract|FIELD|TYPE|TEXT       trunc|UNIT|TYPE|TEXT      age|A|B            fields and differences of moments
//!  cmp|TYPE|A|B                  -1, 0, 1                  like|TEXT|PATTERN|c or i
//!  wire|TYPE|TEXT                the binary format in hexadecimal
//! ```
//! The session's time zone was Europe/Berlin. An error is written `ERROR code: message DETAIL detail HINT hint`.

use super::arith::{self, ArithOp};
use super::datetime::{Moment, age, extract, trunc_interval, trunc_timestamp, trunc_timestamptz};
use super::*;
use crate::error::{Error, Result};

fn context() -> TypeContext {
    TypeContext { zone: Zone::by_name("Europe/Berlin").unwrap(), ..TypeContext::default() }
}

fn type_named(name: &str) -> Type {
    let Some((base, rest)) = name.split_once('(') else {
        return Type::by_name(name).unwrap();
    };
    let modifiers: Vec<i64> = rest.trim_end_matches(')').split(',').map(|part| part.parse().unwrap()).collect();
    let base = if base == "char" { Type::BPCHAR } else { Type::by_name(base).unwrap() };
    base.with_modifiers(&modifiers).unwrap()
}

fn shown(value: &Value, ty: &Type, ctx: &TypeContext) -> String {
    if value.is_null() {
        return "<NULL>".to_string();
    }
    let mut out = String::new();
    value.write_text(ty, ctx, &mut out);
    out
}

fn answer(case: &[&str], ctx: &TypeContext) -> Result<String> {
    match case {
        ["parse", ty, text] => {
            let ty = type_named(ty);
            Ok(shown(&Value::parse(text, &ty, ctx)?, &ty, ctx))
        }
        ["num", op, operands @ ..] => numeric(op, operands),
        ["cast", from, to, text] => {
            let (from, to) = (type_named(from), type_named(to));
            let value = Value::parse(text, &from, ctx)?;
            Ok(shown(&cast(&value, &from, &to, CastKind::Explicit, ctx)?, &to, ctx))
        }
        ["arith", op, left, a, right, b] => arithmetic(op, (&type_named(left), a), (&type_named(right), b), ctx),
        ["extract", field, ty, text] => {
            let value = Value::parse(text, &type_named(ty), ctx)?;
            let found = extract(field, moment(&value, &ctx.zone))?;
            Ok(found.map_or("<NULL>".to_string(), |number| number.to_string()))
        }
        ["trunc", unit, ty, text] => truncated(unit, &type_named(ty), text, ctx),
        ["age", a, b] => Ok(shown(&Value::Interval(age(micros(a, ctx)?, micros(b, ctx)?)), &Type::INTERVAL, ctx)),
        ["cmp", ty, a, b] => {
            let ty = type_named(ty);
            let (a, b) = (Value::parse(a, &ty, ctx)?, Value::parse(b, &ty, ctx)?);
            Ok((a.compare(&b) as i32).to_string())
        }
        ["like", text, pattern, case] => {
            let matched = like::like(text, pattern, Some('\\'), *case == "i")?;
            Ok(if matched { "t" } else { "f" }.to_string())
        }
        ["wire", ty, text] => wire(&type_named(ty), text, ctx),
        other => panic!("unknown case {other:?}"),
    }
}

fn numeric(op: &str, operands: &[&str]) -> Result<String> {
    let a: Numeric = operands[0].parse()?;
    let second = || operands[1].parse::<Numeric>();
    let digits = || operands[1].parse::<i32>().unwrap();
    let result = match op {
        "add" => a.add(&second()?),
        "sub" => a.sub(&second()?),
        "mul" => a.mul(&second()?),
        "div" => a.div(&second()?),
        "divt" => a.div_trunc(&second()?),
        "mod" => a.rem(&second()?),
        "power" => a.power(&second()?),
        "log" => second()?.log(&a),
        "sqrt" => a.sqrt(),
        "exp" => a.exp(),
        "ln" => a.ln(),
        "ceil" => a.ceil(),
        "floor" => a.floor(),
        "round" => a.round(digits()),
        "trunc" => a.trunc(digits()),
        other => panic!("unknown operator {other}"),
    };
    Ok(result?.to_string())
}

fn arithmetic(op: &str, left: (&Type, &str), right: (&Type, &str), ctx: &TypeContext) -> Result<String> {
    let op = match op {
        "+" => ArithOp::Add,
        "-" => ArithOp::Sub,
        "*" => ArithOp::Mul,
        "/" => ArithOp::Div,
        _ => ArithOp::Rem,
    };
    let undefined = || arith::undefined_operator(op.symbol(), Some(left.0), right.0);
    let signature = arith::resolve(op, left.0, right.0).ok_or_else(undefined)?;
    let operand = |(ty, text): (&Type, &str), to: &Type| {
        assert!(can_cast(ty, to, CastKind::Implicit));
        cast(&Value::parse(text, ty, ctx)?, ty, to, CastKind::Implicit, ctx)
    };
    let (a, b) = (operand(left, &signature.left)?, operand(right, &signature.right)?);
    let result = arith::eval(op, &a, &b, ctx)?;
    assert!(result.natural_type() == signature.result);
    Ok(shown(&result, &signature.result, ctx))
}

fn moment<'a>(value: &Value, zone: &'a Zone) -> Moment<'a> {
    match value {
        Value::Date(days) => Moment::Date(*days),
        Value::Time(micros) => Moment::Time(*micros),
        Value::Timestamp(micros) => Moment::Timestamp(*micros),
        Value::Timestamptz(micros) => Moment::Timestamptz(*micros, zone),
        Value::Interval(interval) => Moment::Interval(*interval),
        other => panic!("no moment: {other:?}"),
    }
}

fn micros(text: &str, ctx: &TypeContext) -> Result<i64> {
    datetime::parse_timestamp(text, ctx)
}

fn truncated(unit: &str, ty: &Type, text: &str, ctx: &TypeContext) -> Result<String> {
    let cut = match Value::parse(text, ty, ctx)? {
        Value::Timestamp(micros) => Value::Timestamp(trunc_timestamp(unit, micros)?),
        Value::Timestamptz(micros) => Value::Timestamptz(trunc_timestamptz(unit, micros, &ctx.zone)?),
        Value::Interval(interval) => Value::Interval(trunc_interval(unit, interval)?),
        other => panic!("cannot be cut: {other:?}"),
    };
    Ok(shown(&cut, ty, ctx))
}

fn wire(ty: &Type, text: &str, ctx: &TypeContext) -> Result<String> {
    let value = Value::parse(text, ty, ctx)?;
    let mut bytes = Vec::new();
    binary::encode(&value, ty, &mut bytes);
    assert_eq!(shown(&binary::decode(&bytes, ty)?, ty, ctx), shown(&value, ty, ctx));
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn error_text(error: &Error) -> String {
    let mut text = format!("ERROR {}: {}", error.sqlstate().unwrap(), error.message());
    if let Some(detail) = error.detail() {
        text.push_str(&format!(" DETAIL {detail}"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!(" HINT {hint}"));
    }
    text
}

#[test]
fn answers_as_postgres_does() {
    let ctx = context();
    let mut wrong = Vec::new();
    for line in include_str!("tests/postgres.tsv").lines() {
        let (case, expected) = line.split_once('\t').unwrap();
        let parts: Vec<&str> = case.split('|').collect();
        let got = answer(&parts, &ctx).unwrap_or_else(|error| error_text(&error));
        if got != expected {
            wrong.push(format!("{case}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn values_are_small() {
    assert!(size_of::<Value>() <= 32);
    assert_eq!(size_of::<Numeric>(), 24);
}

#[test]
fn equal_values_hash_alike() {
    use std::hash::{BuildHasher, RandomState};
    let state = RandomState::new();
    let number = |text: &str| Value::Numeric(text.parse().unwrap());
    let pairs = [
        (number("1.0"), number("1.00")),
        (number("1.00"), Value::Int8(1)),
        (Value::Int2(7), Value::Int8(7)),
        (Value::Float8(-0.0), Value::Float8(0.0)),
        (Value::Float8(f64::NAN), Value::Float8(-f64::NAN)),
        (Value::Float8(3.0), Value::Int4(3)),
        (Value::Bpchar("a  ".into()), Value::Bpchar("a".into())),
        (Value::Interval(Interval::new(1, 0, 0)), Value::Interval(Interval::new(0, 30, 0))),
    ];
    for (a, b) in pairs {
        assert_eq!(a, b);
        assert_eq!(state.hash_one(&a), state.hash_one(&b), "{a:?} {b:?}");
    }
}

#[test]
fn types_keep_their_numbers_and_names() {
    for ty in Type::SCALARS {
        assert_eq!(Type::from_oid(ty.oid(), -1).as_ref(), Some(&ty));
        assert_eq!(Type::by_name(&ty.internal_name()).map(|found| found.oid()), Some(ty.oid()), "{ty}");
        let named = ty.typmod() == -1 && !matches!(ty, Type::Char(_));
        assert!(!named || Type::by_name(&ty.to_string()).as_ref() == Some(&ty), "{ty}");
        if ty.array_oid() != 0 {
            assert_eq!(Type::from_oid(ty.array_oid(), -1), Some(Type::array_of(ty)));
        }
    }
    for (ty, typmod, name) in [
        (Type::Numeric(Some((10, 2))), 655_366, "numeric(10,2)"),
        (Type::Numeric(Some((2, -3))), 133_121, "numeric(2,-3)"),
        (Type::Varchar(Some(3)), 7, "character varying(3)"),
        (Type::Char(Some(22)), 26, "character(22)"),
        (Type::Timestamptz(Some(3)), 3, "timestamp(3) with time zone"),
        (Type::array_of(Type::Varchar(Some(5))), 9, "character varying(5)[]"),
    ] {
        assert_eq!((ty.typmod(), ty.to_string().as_str()), (typmod, name));
        assert_eq!(Type::from_oid(ty.oid(), typmod), Some(ty));
    }
}

#[test]
fn common_types_follow_postgres() {
    let common = |types: &[Type]| common_type(types, "CASE").map_err(|error| error.message().to_string());
    assert_eq!(common(&[Type::Int4, Type::Unknown, Type::Int8]), Ok(Type::Int8));
    assert_eq!(common(&[Type::Int8, Type::Float4, Type::NUMERIC]), Ok(Type::Float4));
    assert_eq!(common(&[Type::Unknown, Type::Unknown]), Ok(Type::Text));
    assert_eq!(common(&[Type::Varchar(Some(3)), Type::Varchar(Some(5))]), Ok(Type::VARCHAR));
    assert_eq!(common(&[Type::Varchar(Some(3)), Type::Text]), Ok(Type::VARCHAR));
    assert_eq!(common(&[Type::Text, Type::Varchar(Some(3))]), Ok(Type::Text));
    assert_eq!(common(&[Type::Date, Type::TIMESTAMPTZ]), Ok(Type::TIMESTAMPTZ));
    let refused = "CASE types integer and text cannot be matched".to_string();
    assert_eq!(common(&[Type::Int4, Type::Text]), Err(refused));
}

#[test]
fn casts_have_their_strength() {
    let weakest = |from: &Type, to: &Type| {
        [CastKind::Implicit, CastKind::Assignment, CastKind::Explicit]
            .into_iter()
            .find(|kind| can_cast(from, to, *kind))
    };
    let expected = [
        (Type::Int4, Type::Int8, Some(CastKind::Implicit)),
        (Type::Int8, Type::Int4, Some(CastKind::Assignment)),
        (Type::NUMERIC, Type::Float8, Some(CastKind::Implicit)),
        (Type::Int4, Type::Text, Some(CastKind::Assignment)),
        (Type::Text, Type::Int4, Some(CastKind::Explicit)),
        (Type::Int4, Type::Bool, Some(CastKind::Explicit)),
        (Type::Int8, Type::Bool, None),
        (Type::Date, Type::Int4, None),
        (Type::VARCHAR, Type::Regclass, Some(CastKind::Implicit)),
        (Type::Regclass, Type::Oid, Some(CastKind::Implicit)),
        (Type::array_of(Type::Int4), Type::array_of(Type::Int8), Some(CastKind::Implicit)),
        (Type::Jsonb, Type::Int4, Some(CastKind::Explicit)),
        (Type::Json, Type::Int4, None),
    ];
    for (from, to, kind) in expected {
        assert_eq!(weakest(&from, &to), kind, "{from} to {to}");
    }
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = Type> {
        (0..Type::SCALARS.len(), any::<bool>()).prop_map(|(at, array)| {
            let ty = Type::SCALARS[at].clone();
            if array && ty.array_oid() != 0 { Type::array_of(ty) } else { ty }
        })
    }

    proptest! {
        #[test]
        fn bytes_never_panic(ty in any_type(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = binary::decode(&bytes, &ty) {
                value.to_text(&TypeContext::default());
            }
        }

        #[test]
        fn text_never_panics(ty in any_type(), text in "[-+:.,/0-9a-zPT {}\"\\\\\\[\\]=é]{0,24}") {
            if let Ok(value) = Value::parse(&text, &ty, &TypeContext::default()) {
                value.to_text(&TypeContext::default());
            }
        }

        #[test]
        fn moments_read_what_they_write(micros in -200_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            let ctx = context();
            for value in [Value::Timestamp(micros), Value::Timestamptz(micros)] {
                let text = value.to_text(&ctx);
                prop_assert_eq!(Value::parse(&text, &value.natural_type(), &ctx).unwrap(), value, "{}", text);
            }
        }

        #[test]
        fn intervals_read_what_they_write(months in any::<i32>(), days in any::<i32>(), micros in any::<i64>()) {
            let interval = Interval::new(months, days, micros);
            let text = Value::Interval(interval).to_text(&TypeContext::default());
            let back = Interval::parse(&text).unwrap();
            prop_assert_eq!((back.months, back.days, back.micros), (months, days, micros), "{}", text);
        }
    }
}
