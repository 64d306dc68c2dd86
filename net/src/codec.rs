//! Values to bytes and back: the one place of this crate, and of its users' messages, that knows bincode.
//!
//! The format is bincode's `legacy` configuration: little-endian integers of fixed width, `u64` lengths, `u32` variants.
//!
//! Decoding bounds memory twice. The caller gives the longest input that it accepts. And since a few bytes may claim a
//! vector of a billion elements, the decoder may reserve at most a fixed multiple of what really arrived:
//!
//! | input up to | may reserve |
//! |---|---|
//! | 1 KiB | 64 KiB |
//! | 16 KiB | 1 MiB |
//! | 256 KiB | 16 MiB |
//! | 4 MiB | 256 MiB |
//! | more | 1 GiB |
//!
//! Invariant: `decode` accepts exactly the bytes that `encode` made: bytes left over are an error.

use bincode::config::{Config, legacy};
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use bytes::{BufMut, BytesMut};

/// Why bytes are not a value. The bytes are damaged, or their sender speaks another version; asking again does not help.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The input is longer than the caller accepts.
    #[error("{length} bytes are more than the limit of {limit}")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// The value ended before the input did.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// The bytes do not form the value.
    #[error("damaged bytes: {0}")]
    Malformed(#[from] DecodeError),
}

/// Encodes a value.
#[must_use]
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let encoded = bincode::encode_to_vec(value, legacy());
    assert!(encoded.is_ok(), "encoding plain data into memory cannot fail: no message type holds a lock or a cell");
    encoded.unwrap_or_default()
}

/// Encodes a value behind what `out` holds.
pub fn append<T: Encode>(value: &T, out: &mut BytesMut) {
    let written = bincode::encode_into_writer(value, Appender(out), legacy());
    assert!(written.is_ok(), "encoding plain data into memory cannot fail: no message type holds a lock or a cell");
}

/// Decodes a value that takes up all of `bytes`.
///
/// # Errors
/// When there are more than `limit` bytes, when they are not a value, or when bytes follow it.
pub fn decode<T: Decode<()>>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    if bytes.len() > limit {
        return Err(CodecError::TooLong { length: bytes.len(), limit });
    }
    match bytes.len() {
        0..=0x400 => decode_within(bytes, legacy().with_limit::<0x1_0000>()),
        0x401..=0x4000 => decode_within(bytes, legacy().with_limit::<0x10_0000>()),
        0x4001..=0x4_0000 => decode_within(bytes, legacy().with_limit::<0x100_0000>()),
        0x4_0001..=0x40_0000 => decode_within(bytes, legacy().with_limit::<0x1000_0000>()),
        _ => decode_within(bytes, legacy().with_limit::<0x4000_0000>()),
    }
}

fn decode_within<T: Decode<()>>(bytes: &[u8], config: impl Config) -> Result<T, CodecError> {
    let (value, used) = bincode::decode_from_slice(bytes, config)?;
    match bytes.len() - used {
        0 => Ok(value),
        left => Err(CodecError::Trailing(left)),
    }
}

struct Appender<'a>(&'a mut BytesMut);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.put_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_fixed_width() {
        assert_eq!(encode(&(1u16, 2u32)), [1, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn left_over_bytes_are_refused() {
        let mut bytes = encode(&7u64);
        assert_eq!(decode::<u64>(&bytes, 64).unwrap(), 7);
        bytes.push(0);
        assert!(matches!(decode::<u64>(&bytes, 64), Err(CodecError::Trailing(1))));
        assert!(matches!(decode::<u64>(&bytes, 8), Err(CodecError::TooLong { length: 9, limit: 8 })));
    }

    #[test]
    fn a_claimed_length_reserves_no_memory() {
        let claim = encode(&(1u64 << 40));
        assert!(matches!(decode::<Vec<u64>>(&claim, 64), Err(CodecError::Malformed(DecodeError::LimitExceeded))));
    }

    #[test]
    fn values_far_larger_than_their_bytes_are_accepted() {
        let nothing: Vec<Option<Vec<u8>>> = vec![None; 1000];
        assert_eq!(decode::<Vec<Option<Vec<u8>>>>(&encode(&nothing), 4096).unwrap(), nothing);
    }
}
