//! The crate's one owner of bincode: how structs become bytes in entries, images, messages and local records.
//!
//! Fixed-width little-endian integers, `u64` lengths, enum variants as `u32` (bincode's legacy configuration). What is
//! decoded is bounded: no length claim inside the bytes can make it allocate more than [`MAX_BYTES`].
//!
//! Invariant: decoding never panics, whatever the bytes are.
//! Invariant: bytes that are longer than the value they hold are refused, so a value has one encoding.

use crate::Error;
use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

/// The largest value that is decoded, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<MAX_BYTES>> =
    bincode::config::legacy().with_limit::<MAX_BYTES>();

/// The bytes of `value`.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let bytes = bincode::encode_to_vec(value, CONFIG);
    assert!(bytes.is_ok(), "encoding of derived types into memory has no error path: {:?}", bytes.err());
    bytes.unwrap_or_default()
}

/// The value whose encoding is `bytes`.
///
/// # Errors
/// [`Error::Damaged`] if the bytes are not exactly one value of this type, or the value is larger than [`MAX_BYTES`].
pub fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, Error> {
    let (value, used) = bincode::decode_from_slice::<T, _>(bytes, CONFIG)
        .map_err(|error| Error::Damaged(format!("{} does not decode: {error}", name::<T>())))?;
    if used != bytes.len() {
        return Err(Error::Damaged(format!("{} is followed by {} more bytes", name::<T>(), bytes.len() - used)));
    }
    Ok(value)
}

fn name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyspace, Op, Span};
    use proptest::prelude::*;

    #[test]
    fn layout_is_fixed_width_little_endian() {
        let op = Op::Put { keyspace: Keyspace::Lock, key: vec![7], value: vec![] };
        let mut expected = vec![0, 0, 0, 0, 2, 0, 0, 0];
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend([0; 8]);
        assert_eq!(encode(&op), expected);
        assert_eq!(decode::<Op>(&expected).unwrap(), op);
    }

    #[test]
    fn trailing_and_missing_bytes_are_refused() {
        let mut bytes = encode(&Span::new("a", "b"));
        assert!(matches!(decode::<Span>(&bytes[..bytes.len() - 1]), Err(Error::Damaged(_))));
        bytes.push(0);
        let Err(Error::Damaged(text)) = decode::<Span>(&bytes) else { panic!("trailing byte was accepted") };
        assert_eq!(text, "Span is followed by 1 more bytes");
    }

    #[test]
    fn a_length_claim_beyond_the_limit_allocates_nothing() {
        let bytes = u64::MAX.to_le_bytes();
        assert!(matches!(decode::<Vec<u8>>(&bytes), Err(Error::Damaged(_))));
        let bytes = (MAX_BYTES as u64 / 8).to_le_bytes();
        assert!(matches!(decode::<Vec<u64>>(&bytes), Err(Error::Damaged(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            if let Ok(ops) = decode::<Vec<Op>>(&bytes) {
                prop_assert_eq!(encode(&ops), bytes);
            }
        }
    }
}
