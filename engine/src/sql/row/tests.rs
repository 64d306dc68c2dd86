//! Keys order as values do, rows come back as they went in, and no bytes make a decoder panic.

use super::*;
use crate::sql::types::{Array, Interval, Json, Numeric, Type, TypeContext, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn numeric() -> impl Strategy<Value = Numeric> {
    prop_oneof![
        8 => (any::<i64>(), 0u16..20).prop_map(|(digits, scale)| Numeric::new(i128::from(digits), scale)),
        4 => (-200i128..200, 0u16..4).prop_map(|(digits, scale)| Numeric::new(digits, scale)),
        2 => (any::<i128>(), 0u16..50).prop_map(|(digits, scale)| Numeric::new(digits, scale)),
        2 => "-?[1-9][0-9]{35,70}(\\.[0-9]{1,30})?".prop_map(|text| text.parse().unwrap()),
        1 => prop_oneof![Just(Numeric::NAN), Just(Numeric::INFINITY), Just(Numeric::NEG_INFINITY)],
    ]
}

fn interval() -> impl Strategy<Value = Interval> {
    (-40i32..40, -100i32..100, prop_oneof![Just(0i64), -100_000_000_000i64..100_000_000_000])
        .prop_map(|(months, days, micros)| Interval::new(months, days, micros))
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -300i64..300, any::<i32>().prop_map(i64::from), Just(i64::MIN), Just(i64::MAX)]
}

/// A type and values of it.
fn values(count: usize) -> BoxedStrategy<(Type, Vec<Value>)> {
    fn of<S>(ty: Type, count: usize, strategy: S) -> BoxedStrategy<(Type, Vec<Value>)>
    where
        S: Strategy<Value = Value> + 'static,
    {
        let nullable = prop_oneof![9 => strategy.boxed(), 1 => Just(Value::Null).boxed()];
        prop::collection::vec(nullable, count).prop_map(move |values| (ty.clone(), values)).boxed()
    }
    let text = "[a-c\\x01 é]{0,6}";
    prop_oneof![
        of(Type::Bool, count, any::<bool>().prop_map(Value::Bool)),
        of(Type::Int2, count, any::<i16>().prop_map(Value::Int2)),
        of(Type::Int4, count, any::<i32>().prop_map(Value::Int4)),
        of(Type::Int8, count, integer().prop_map(Value::Int8)),
        of(Type::Float4, count, any::<f32>().prop_map(Value::Float4)),
        of(Type::Float8, count, any::<f64>().prop_map(Value::Float8)),
        of(Type::NUMERIC, count, numeric().prop_map(Value::Numeric)),
        of(Type::Text, count, text.prop_map(Value::text)),
        of(Type::BPCHAR, count, text.prop_map(|text| Value::Bpchar(text.into()))),
        of(
            Type::Bytea,
            count,
            prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..6)
                .prop_map(|bytes| Value::bytea(&bytes))
        ),
        of(Type::Date, count, any::<i32>().prop_map(Value::Date)),
        of(Type::TIMESTAMPTZ, count, integer().prop_map(Value::Timestamptz)),
        of(Type::INTERVAL, count, interval().prop_map(Value::Interval)),
        of(Type::Uuid, count, any::<[u8; 16]>().prop_map(Value::Uuid)),
        of(Type::Oid, count, any::<u32>().prop_map(Value::Oid)),
        of(
            Type::array_of(Type::NUMERIC),
            count,
            prop::collection::vec(prop_oneof![numeric().prop_map(Value::Numeric), Just(Value::Null)], 0..4)
                .prop_map(|values| Value::Array(Arc::new(Array::new(Type::NUMERIC, values))))
        ),
        of(Type::Jsonb, count, json().prop_map(|json| Value::Jsonb(Arc::new(json)))),
    ]
    .boxed()
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-50i128..50, 0u16..2).prop_map(|(digits, scale)| Json::Number(Numeric::new(digits, scale))),
        "[ab]{0,3}".prop_map(|text| Json::String(text.into())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            prop::collection::vec(("[ab]{1,2}".prop_map(Into::into), inner), 0..3).prop_map(Json::object),
        ]
    })
}

fn key(value: &Value, descending: bool) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key(&mut key, value, descending);
    key
}

/// As it shows, scale and padding included.
fn shown(value: &Value) -> String {
    format!("{} {}", value.to_text(&TypeContext::default()), value.is_null())
}

#[test]
fn json_that_cannot_be_read_is_damage() {
    let mut out = [Value::Null, Value::Null];
    for input in [&[1, 29, 0, 0][..], &[29, 0, 0]] {
        let wanted = [(0, 0, Type::Jsonb), (3, 1, Type::Jsonb)];
        if let Err(error) = decode_row(input, &wanted, &mut out) {
            assert_eq!(error.sqlstate(), Some(crate::error::SqlState::DATA_CORRUPTED));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn keys_order_as_values((_, values) in values(2)) {
        let (a, b) = (&values[0], &values[1]);
        prop_assert_eq!(key(a, false).cmp(&key(b, false)), a.compare(b), "{:?} {:?}", a, b);
        prop_assert_eq!(key(a, true).cmp(&key(b, true)), b.compare(a), "{:?} {:?}", a, b);
    }

    #[test]
    fn keys_come_back_and_know_their_end((ty, values) in values(1), descending: bool) {
        let mut bytes = key(&values[0], descending);
        bytes.extend_from_slice(&[0, 1, 254, 255]);
        let mut rest = bytes.as_slice();
        let back = decode_key(&mut rest, &ty, descending).unwrap();
        prop_assert_eq!(rest, &[0u8, 1, 254, 255]);
        prop_assert_eq!(&back, &values[0]);
        if is_exact_in_key(&ty) {
            prop_assert_eq!(shown(&back), shown(&values[0]));
        }
        let mut rest = bytes.as_slice();
        skip_key(&mut rest, descending).unwrap();
        prop_assert_eq!(rest, &[0u8, 1, 254, 255]);
    }

    #[test]
    fn any_bytes_are_keys_and_rows_or_refused((ty, _) in values(1), bytes: Vec<u8>, descending: bool) {
        drop(decode_key(&mut bytes.as_slice(), &ty, descending));
        drop(skip_key(&mut bytes.as_slice(), descending));
        drop(decode_row(&bytes, &[(1, 0, ty.clone()), (3, 1, ty)], &mut [Value::Null, Value::Null]));
    }

    #[test]
    fn rows_come_back(columns in prop::collection::vec((1u32..20, values(1)), 0..8), mask in any::<u8>()) {
        let mut id = 0;
        let columns: Vec<(u32, Type, Value)> = columns.into_iter().map(|(gap, (ty, mut values))| {
            id += gap;
            (id, ty, values.remove(0))
        }).collect();
        let mut bytes = Vec::new();
        encode_row(columns.iter().map(|(id, _, value)| (*id, value)), &mut bytes);
        let wanted: Vec<_> = columns.iter().enumerate().filter(|(slot, _)| mask >> slot & 1 == 1)
            .map(|(slot, (id, ty, _))| (*id, slot, ty.clone())).collect();
        let mut out = vec![Value::Null; columns.len()];
        decode_row(&bytes, &wanted, &mut out).unwrap();
        for (slot, (_, _, value)) in columns.iter().enumerate() {
            let expected = if mask >> slot & 1 == 1 { value } else { &Value::Null };
            prop_assert_eq!(shown(&out[slot]), shown(expected));
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), (ty, _) in values(0), descending: bool) {
        let mut out = [Value::Null, Value::Null];
        let mut row = vec![1];
        row.extend_from_slice(&bytes);
        let wanted = [(0, 0, ty.clone()), (3, 1, ty.clone())];
        for input in [&row, &bytes] {
            if let Err(error) = decode_row(input, &wanted, &mut out) {
                prop_assert_eq!(error.sqlstate(), Some(crate::error::SqlState::DATA_CORRUPTED));
            }
        }
        for tag in [0xa0, 0xb1, 0xb3, 0xc2, 0xc3, bytes.first().copied().unwrap_or(0)] {
            let mut tagged = vec![if descending { !tag } else { tag }];
            tagged.extend_from_slice(&bytes);
            let mut rest = tagged.as_slice();
            if let Ok(value) = decode_key(&mut rest, &ty, descending) {
                value.to_text(&TypeContext::default());
            }
        }
    }
}

#[test]
fn small_integers_take_one_byte() {
    assert_eq!(key(&Value::Int4(0), false), [0x40]);
    assert_eq!(key(&Value::Int8(79), false), [0x8f]);
    assert_eq!(key(&Value::Int8(80), false), [0x90, 80]);
    assert_eq!(key(&Value::Int2(-33), false), [0x1f, 0xdf]);
    assert_eq!(key(&Value::Null, false), [0xfe]);
    assert_eq!(key(&Value::Null, true), [0x01]);
}

#[test]
fn numbers_share_keys_whatever_their_scale() {
    let number = |text: &str| Value::Numeric(text.parse().unwrap());
    assert_eq!(key(&number("1.50"), false), key(&number("1.5"), false));
    let bytes = key(&number("150.00"), false);
    let back = decode_key(&mut bytes.as_slice(), &Type::Numeric(Some((12, 2))), false).unwrap();
    assert_eq!(shown(&back), shown(&number("150.00")));
}

#[test]
fn char_keys_come_back_padded() {
    let bytes = key(&Value::Bpchar("ab   ".into()), false);
    assert_eq!(bytes, key(&Value::Bpchar("ab".into()), false));
    let back = decode_key(&mut bytes.as_slice(), &Type::Char(Some(5)), false).unwrap();
    assert_eq!(back.as_str(), Some("ab   "));
}

#[test]
fn absent_columns_keep_their_slot_and_explicit_nulls_fill_it() {
    let mut bytes = Vec::new();
    let mut writer = RowWriter::new(&mut bytes);
    writer.push(1, &Value::Int4(5));
    writer.push_null(2);
    let mut out = [Value::Int4(-1), Value::Int4(-2), Value::Int4(-3)];
    decode_row(&bytes, &[(1, 0, Type::Int8), (2, 1, Type::Int4), (3, 2, Type::Int4)], &mut out).unwrap();
    assert!(matches!(out, [Value::Int8(5), Value::Null, Value::Int4(-3)]));
}

#[test]
fn table_keys_nest() {
    let prefix = TableKey::prefix(7, 1);
    assert_eq!(prefix, [0x10, 0, 0, 0, 7, 0, 0, 0, 1]);
    assert!(TableKey::table_span(7).covers(&TableKey::span(7, 1)));
    assert!(!TableKey::span(7, 1).overlaps(&TableKey::span(7, 2)));
    assert_eq!(TableKey::parse(&[0x10, 0, 0, 0, 7, 0, 0, 0, 1, 0x40]), Some((7, 1, &[0x40u8][..])));
}
