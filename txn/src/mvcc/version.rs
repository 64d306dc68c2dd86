//! The bytes of one version.
//!
//! ```text
//!  Data value      ID (8, BE) | kind (1) | bytes          newest version of the key
//!  History value                kind (1) | bytes          older version, its ID in the key
//!  kind            0 tombstone (no bytes follow), 1 value
//! ```
//! The ID comes first so that a guard can compare it without the value ([`quorate_storage::Expect::StartsWith`]).

use crate::TxnId;
use bytes::Bytes;
use quorate_storage::{Error, keys};

/// Length of the ID in front of a Data value.
pub(super) const ID_LEN: usize = 8;
const TOMBSTONE: u8 = 0;
const VALUE: u8 = 1;

/// One committed version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The commit ID of the transaction that wrote it.
    pub id: TxnId,
    /// Its value; `None`: the key was deleted.
    pub value: Option<Bytes>,
}

/// The Data value of a version.
pub fn encode_newest(id: TxnId, value: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ID_LEN + 1 + value.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(&id.0.to_be_bytes());
    match value {
        None => bytes.push(TOMBSTONE),
        Some(value) => {
            bytes.push(VALUE);
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

/// Reads a Data value; the version's value shares its bytes.
pub fn decode_newest(stored: &Bytes) -> Result<Version, Error> {
    Ok(Version { id: newest_id(stored)?, value: decode_kind(stored, ID_LEN)? })
}

/// The ID of a Data value.
pub fn newest_id(stored: &[u8]) -> Result<TxnId, Error> {
    let id = stored.first_chunk::<ID_LEN>().ok_or_else(|| damaged("version"))?;
    Ok(TxnId(u64::from_be_bytes(*id)))
}

/// What a Data value becomes when the next version replaces it.
pub fn history_value(stored: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(stored.get(ID_LEN..).ok_or_else(|| damaged("version"))?.to_vec())
}

/// The value of a History entry; `None`: a tombstone.
pub fn decode_history(stored: &Bytes) -> Result<Option<Bytes>, Error> {
    decode_kind(stored, 0)
}

/// The key of an older version in [`quorate_storage::Keyspace::History`].
pub fn history_key(key: &[u8], id: TxnId) -> Vec<u8> {
    let mut out = keys::escape_terminated(key);
    out.extend_from_slice(&(!id.0).to_be_bytes());
    out
}

/// The ID in a History key.
pub fn history_id(engine_key: &[u8]) -> Result<TxnId, Error> {
    let id = engine_key.last_chunk::<ID_LEN>().ok_or_else(|| damaged("history key"))?;
    Ok(TxnId(!u64::from_be_bytes(*id)))
}

fn decode_kind(stored: &Bytes, at: usize) -> Result<Option<Bytes>, Error> {
    match stored.get(at) {
        Some(&TOMBSTONE) if stored.len() == at + 1 => Ok(None),
        Some(&VALUE) => Ok(Some(stored.slice(at + 1..))),
        _ => Err(damaged("version")),
    }
}

pub(super) fn damaged(what: &str) -> Error {
    Error::Damaged(format!("a {what} is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_is_id_kind_bytes() {
        assert_eq!(encode_newest(TxnId(258), Some(b"ab")), [0, 0, 0, 0, 0, 0, 1, 2, 1, b'a', b'b']);
        assert_eq!(encode_newest(TxnId(1), None), [0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(history_key(&[5, 0], TxnId(1))[..5], [5, 0, 0xff, 0, 1]);
        assert!(history_key(b"k", TxnId(9)) < history_key(b"k", TxnId(8)), "newest first");
    }

    proptest! {
        #[test]
        fn any_stored_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let stored = Bytes::from(bytes.clone());
            if let Ok(version) = decode_newest(&stored) {
                prop_assert_eq!(encode_newest(version.id, version.value.as_deref()), bytes);
            }
        }
    }
}
