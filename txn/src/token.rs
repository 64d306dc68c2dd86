//! Commit tokens: a text by which a client finds out how a commit ended whose answer it lost.
//!
//! ```text
//!   qt1-<hexadecimal digits of>   CRC-32 of the rest (4, BE) | attempt (32) | anchor
//!
//!   attempt   gateway (8, BE) | incarnation (8, BE) | counter (8, BE) | birth (8, BE)     the transaction's first
//!   anchor    the smallest key that the transaction writes
//! ```
//! A commit may take several attempts, but the keys that it writes never change once it has begun. So in every attempt
//! the anchor names the record of one participant, and there the token's own record lies beside that of the first
//! attempt ([`crate::record::TokenState`]):
//!
//! ```text
//!   first attempt     its register at the anchor is all there is to ask
//!   later attempt n   its prepare at the anchor makes the token's record "newest: n", in the same entry
//!   status            end the first attempt; ABORTED: close the token, unless it names a newer attempt: end that; ...
//! ```
//! Every attempt before the newest can never be committed (its gateway would not have taken the next one before), and
//! once the token is closed, no attempt of it prepares at the anchor. That makes the answer final.
//!
//! All attempts of a transaction are of one birth. Once a range has forgotten what is so old, nothing of the token prepares
//! there any more, and what had become of it may be forgotten: the status is "expired". That is a minute after the
//! transaction began at the earliest, and not while an older one is open ([`crate::participant`]).
//!
//! Invariant: a text with one changed character is no token.
//! Invariant: an answer "aborted" is given only when the token is closed and its newest attempt is ABORTED.

use crate::record::{attempt_bytes, attempt_of};
use crate::{Attempt, TxnId};
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "qt1-";

/// Names a transaction that is about to commit. `Display` gives its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitToken {
    /// The transaction's first attempt.
    pub first: Attempt,
    /// The smallest key that it writes.
    pub anchor: Vec<u8>,
}

/// How a transaction ended, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnStatus {
    /// Committed at this ID.
    Committed(TxnId),
    /// Not committed, and it never will be.
    Aborted,
    /// So old that what was decided may be forgotten.
    Expired,
}

/// `committed(ID)`, `aborted`, `unknown_expired`.
impl fmt::Display for TxnStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxnStatus::Committed(id) => write!(f, "committed({id})"),
            TxnStatus::Aborted => f.write_str("aborted"),
            TxnStatus::Expired => f.write_str("unknown_expired"),
        }
    }
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin as tokens do.
    #[error("a token of a commit begins with \"{PREFIX}\"")]
    Prefix,
    /// Characters were changed, or are missing.
    #[error("the token has been changed or is not complete: its checksum does not match")]
    Checksum,
}

impl fmt::Display for CommitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked = [&attempt_bytes(self.first), self.anchor.as_slice()].concat();
        f.write_str(PREFIX)?;
        let checksum = crc32fast::hash(&checked).to_be_bytes();
        checksum.iter().chain(&checked).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CommitToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<CommitToken, TokenError> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let bytes = bytes_of(digits).ok_or(TokenError::Checksum)?;
        let (checksum, checked) = bytes.split_first_chunk::<4>().ok_or(TokenError::Checksum)?;
        if crc32fast::hash(checked) != u32::from_be_bytes(*checksum) {
            return Err(TokenError::Checksum);
        }
        let (first, anchor) = checked.split_first_chunk().ok_or(TokenError::Checksum)?;
        Ok(CommitToken { first: attempt_of(first), anchor: anchor.to_vec() })
    }
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> CommitToken {
        let first = Attempt { gateway: 2, incarnation: u64::MAX, counter: 7, birth: TxnId(1_000) };
        CommitToken { first, anchor: b"\x12key".to_vec() }
    }

    #[test]
    fn text_and_back() {
        let text = token().to_string();
        assert_eq!(text.len(), 4 + 2 * (4 + 32 + 4));
        assert_eq!(format!(" {text}\n").parse(), Ok(token()));
        assert_eq!("qj1-00".parse::<CommitToken>(), Err(TokenError::Prefix));
        assert_eq!(text[..text.len() - 2].parse::<CommitToken>(), Err(TokenError::Checksum));
    }

    #[test]
    fn statuses_are_easy_to_parse() {
        let all = [TxnStatus::Committed(TxnId(1_234)), TxnStatus::Aborted, TxnStatus::Expired];
        assert_eq!(all.map(|status| status.to_string()), ["committed(1234)", "aborted", "unknown_expired"]);
    }

    proptest! {
        #[test]
        fn one_changed_character_is_found(place in 0usize..84, letter in 0x21u8..0x7f) {
            let mut text = token().to_string().into_bytes();
            prop_assume!(text[place] != letter);
            text[place] = letter;
            prop_assert!(String::from_utf8(text).unwrap().parse::<CommitToken>().is_err());
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            prop_assert!(text.parse::<CommitToken>().is_err());
            let prefixed = format!("qt1-{text}");
            prop_assert!(prefixed.parse::<CommitToken>().is_err());
        }
    }
}
