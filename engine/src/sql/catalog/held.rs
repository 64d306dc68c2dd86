//! Prepared transactions as SQL names them: by their gid, with who prepared them and where.
//!
//! ```text
//!   03 'b' gid     quorate_txn::held::Held; its `about` is an `About`
//! ```
//! They come before the descriptors, as all that changes without a change of the catalog does (see `store`).

use crate::error::{Error, Result, SqlState};
use bincode::{Decode, Encode};
use quorate_net::codec;
use quorate_storage::Span;
use quorate_storage::keys::CATALOG_PREFIX;
use quorate_txn::held::{Held, Stage};
use quorate_txn::{Attempt, TxnId};

const HELD: u8 = b'b';
/// Most bytes of a gid, as in PostgreSQL.
const MOST_GID: usize = 199;
/// Bound on one `About`.
const MOST_ABOUT: usize = 4 << 10;

/// What SQL wants to know of a prepared transaction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct About {
    /// When it was prepared, in microseconds since 2000.
    pub prepared: i64,
    /// The role that prepared it.
    pub owner: String,
    /// The database where.
    pub database: String,
}

/// A row of `pg_prepared_xacts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// Its name.
    pub gid: String,
    /// Its attempt.
    pub attempt: Attempt,
    /// Where it will be committed, if it is.
    pub commit_id: TxnId,
    /// Who, when, where.
    pub about: About,
}

impl About {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What the record says.
    ///
    /// # Errors
    /// XX001 when it is damaged.
    pub fn of(held: &Held) -> Result<About> {
        codec::decode(&held.about, MOST_ABOUT).map_err(|error| {
            Error::new(
                SqlState::DATA_CORRUPTED,
                format!("the record of a prepared transaction cannot be read: {error}"),
            )
        })
    }
}

/// The key of a prepared transaction.
pub fn held_key(gid: &str) -> Vec<u8> {
    [&[CATALOG_PREFIX, HELD], gid.as_bytes()].concat()
}

/// All of them.
pub fn held_span() -> Span {
    Span::prefix(&[CATALOG_PREFIX, HELD])
}

/// Whether a gid may be used.
///
/// # Errors
/// 22023 when it is too long.
pub fn check_gid(gid: &str) -> Result<()> {
    if gid.len() <= MOST_GID {
        return Ok(());
    }
    let message = format!("transaction identifier \"{gid}\" is too long");
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(format!("Use {MOST_GID} bytes at most.")))
}

/// Those among these records that are prepared and wait for their client.
///
/// # Errors
/// XX001 when a record is damaged.
pub fn prepared(all: &[(Vec<u8>, Held)]) -> Result<Vec<PreparedTransaction>> {
    let mut prepared = Vec::new();
    for (key, held) in all {
        let (Stage::Prepared(commit_id), Some(gid)) = (held.stage, key.get(2..)) else { continue };
        let (gid, about) = (String::from_utf8_lossy(gid).into_owned(), About::of(held)?);
        prepared.push(PreparedTransaction { gid, attempt: held.attempt, commit_id, about });
    }
    Ok(prepared)
}
