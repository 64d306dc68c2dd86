//! Numbers against a model in big integers, at the border of 128 bits.

use super::*;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = Numeric> {
    let digits = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<i128>(),
        (-1000i128..1000),
        Just(i128::MAX),
        Just(i128::MIN),
    ];
    let small = (digits, 0u16..30).prop_map(|(coefficient, scale)| Numeric::new(coefficient, scale));
    let wide = "-?[1-9][0-9]{30,60}(\\.[0-9]{0,30})?".prop_map(|text| text.parse().unwrap());
    prop_oneof![4 => small, 1 => wide]
}

/// The value times 10^60, which is an integer.
fn scaled(number: &Numeric) -> BigInt {
    let (coefficient, scale) = number.finite().unwrap();
    coefficient * pow10(60 - u32::from(scale))
}

proptest! {
    #[test]
    fn sums_products_and_order_are_exact(a in number(), b in number()) {
        prop_assert_eq!(scaled(&a.add(&b).unwrap()), scaled(&a) + scaled(&b));
        prop_assert_eq!(scaled(&a.sub(&b).unwrap()), scaled(&a) - scaled(&b));
        prop_assert_eq!(scaled(&a.mul(&b).unwrap()) * pow10(60), scaled(&a) * scaled(&b));
        prop_assert_eq!(a.cmp(&b), scaled(&a).cmp(&scaled(&b)));
        prop_assert_eq!(scaled(&a.neg()), -scaled(&a));
    }

    #[test]
    fn quotients_are_within_half_a_unit(a in number(), b in number()) {
        prop_assume!(!b.is_zero());
        let quotient = a.div(&b).unwrap();
        let (coefficient, scale) = quotient.finite().unwrap();
        // |a * 10^scale - quotient * b| <= |b| / 2
        let error = scaled(&a) * pow10(u32::from(scale)) - coefficient * scaled(&b);
        prop_assert!(error.abs() * 2 <= scaled(&b).abs());
        let remainder = a.rem(&b).unwrap();
        prop_assert_eq!(scaled(&remainder), scaled(&a) % scaled(&b));
    }

    #[test]
    fn text_and_wire_keep_all_digits(a in number()) {
        let text = a.to_string();
        let back: Numeric = text.parse().unwrap();
        prop_assert_eq!((back.to_string(), back.scale()), (text.clone(), a.scale()));
        let mut bytes = Vec::new();
        a.encode_wire(&mut bytes);
        prop_assert_eq!(Numeric::decode_wire(&bytes).unwrap().to_string(), text);
    }
}

#[test]
fn big_numbers_shrink_back() {
    let wide: Numeric = "100000000000000000000000000000000000000000".parse().unwrap();
    assert!(matches!(wide.view(), View::Big(..)));
    assert!(matches!(wide.sub(&wide).unwrap().view(), View::Small(0, 0)));
}

#[test]
fn bounds_are_kept() {
    assert!("1e131072".parse::<Numeric>().is_err());
    let large: Numeric = "1e131071".parse().unwrap();
    assert_eq!(large.mul(&Numeric::from(10i32)).unwrap_err().message(), "value overflows numeric format");
    assert!("1e-16384".parse::<Numeric>().is_err());
    assert_eq!("1e-16383".parse::<Numeric>().unwrap().scale(), 16_383);
}
