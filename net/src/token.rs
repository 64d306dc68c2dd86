//! Join tokens: one line that admits one node.
//!
//! ```text
//!   qj1-10.0.0.1:7433,db2.example:7433-0k7zykhaj520z14058jm8f82wev2dmk4y39n11jsr2qvbcf61rres2ay8ydd8hsph8y9
//!   │   │                              └ base32 of 42 bytes, 68 characters
//!   │   └ where members listen, HOST:PORT, separated by commas
//!   └ kind and version
//!
//!   the 42 bytes:   6 token id    names the token in the cluster's table of tokens
//!                  16 secret      proves that the holder was given the token
//!                  16 pin         first half of the SHA-256 of the authority's public key: who may be given the secret
//!                   4 CRC-32      of the addresses' text and the 38 bytes before, big-endian
//! ```
//!
//! The alphabet is Crockford's, in lower case: digits and letters without `i`, `l`, `o` and `u`. 68 characters hold four
//! bits more than 42 bytes have; these are zero.
//!
//! Invariant: a token with one changed character, anywhere, does not parse; this is found out before any packet is sent.
//! Invariant: neither Debug output nor the cluster's table shows the secret; the table holds [`JoinToken::secret_hash`].

use std::fmt;
use std::str::FromStr;

use crate::runtime::Runtime;

const PREFIX: &str = "qj1-";
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BYTES: usize = 42;
const CHECKED_BYTES: usize = 38;
const CHARACTERS: usize = 68;

/// What a new node needs to join a cluster. `Display` gives the token's text, secret included.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Where members listen for nodes, as `HOST:PORT`.
    pub addresses: Vec<String>,
    /// Names the token in the cluster's table.
    pub id: [u8; 6],
    /// What only the holder of the token knows.
    pub secret: [u8; 16],
    /// The pin of the authority's key.
    pub pin: [u8; 16],
}

/// Why a text is not a join token. Messages are for the person who pasted it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin as tokens do.
    #[error("this is not a join token: it does not begin with \"{PREFIX}\"")]
    Prefix,
    /// Characters are missing at the end.
    #[error("this token is incomplete: {0} of {CHARACTERS} characters")]
    Incomplete(usize),
    /// Characters follow the end.
    #[error("this token is too long: {0} instead of {CHARACTERS} characters")]
    TooLong(usize),
    /// A character is not of the alphabet.
    #[error("this token has been changed: \"{0}\" does not occur in tokens")]
    Character(char),
    /// An address is not of the form HOST:PORT.
    #[error("this token has been changed: \"{0}\" is not an address of the form HOST:PORT")]
    Address(String),
    /// The checksum does not match.
    #[error("this token has been changed: its checksum does not match")]
    Checksum,
}

impl JoinToken {
    /// Draws a new token for a cluster whose members listen at `addresses` and whose authority has the key with `pin`.
    #[must_use]
    pub fn draw(addresses: Vec<String>, pin: [u8; 16], runtime: &Runtime) -> Self {
        Self { addresses, id: runtime.random_bytes(), secret: runtime.random_bytes(), pin }
    }

    /// What the cluster remembers of the secret.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        secret_hash(&self.secret)
    }

    fn checked_bytes(&self) -> [u8; CHECKED_BYTES] {
        let mut bytes = [0; CHECKED_BYTES];
        bytes[..6].copy_from_slice(&self.id);
        bytes[6..22].copy_from_slice(&self.secret);
        bytes[22..].copy_from_slice(&self.pin);
        bytes
    }
}

/// The SHA-256 of a token's secret, for comparing a presented secret with the cluster's table.
#[must_use]
pub fn secret_hash(secret: &[u8; 16]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, secret).as_ref());
    hash
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.join(",");
        let checked = self.checked_bytes();
        let mut bytes = [0; BYTES];
        bytes[..CHECKED_BYTES].copy_from_slice(&checked);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum(&addresses, &checked));
        write!(f, "{PREFIX}{addresses}-{}", base32(&bytes))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("addresses", &self.addresses).field("id", &self.id).finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let rest = text.trim().strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let (addresses, code) = rest.rsplit_once('-').unwrap_or((rest, ""));
        let bytes = bytes_of(code)?;
        let mut checked = [0; CHECKED_BYTES];
        checked.copy_from_slice(&bytes[..CHECKED_BYTES]);
        if bytes[CHECKED_BYTES..] != checksum(addresses, &checked) {
            return Err(TokenError::Checksum);
        }
        let mut token = Self { addresses: parse_addresses(addresses)?, id: [0; 6], secret: [0; 16], pin: [0; 16] };
        token.id.copy_from_slice(&checked[..6]);
        token.secret.copy_from_slice(&checked[6..22]);
        token.pin.copy_from_slice(&checked[22..]);
        Ok(token)
    }
}

fn parse_addresses(text: &str) -> Result<Vec<String>, TokenError> {
    let parse = |address: &str| {
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) => Ok(address.to_owned()),
            _ => Err(TokenError::Address(address.to_owned())),
        }
    };
    text.split(',').map(parse).collect()
}

fn checksum(addresses: &str, bytes: &[u8; CHECKED_BYTES]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(addresses.as_bytes());
    hasher.update(bytes);
    hasher.finalize().to_be_bytes()
}

fn base32(bytes: &[u8; BYTES]) -> String {
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let character = |place: usize| {
        let digit = (place * 5..place * 5 + 5).fold(0, |digit, index| digit << 1 | bit(index));
        char::from(ALPHABET[usize::from(digit)])
    };
    (0..CHARACTERS).map(character).collect()
}

fn bytes_of(code: &str) -> Result<[u8; BYTES], TokenError> {
    match code.chars().count() {
        CHARACTERS => {}
        fewer @ 0..CHARACTERS => return Err(TokenError::Incomplete(fewer)),
        more => return Err(TokenError::TooLong(more)),
    }
    let mut bytes = [0; BYTES];
    for (place, character) in code.chars().enumerate() {
        let digit = ALPHABET.iter().position(|&letter| char::from(letter) == character);
        let digit = digit.ok_or(TokenError::Character(character))?;
        for bit in (0..5).filter(|bit| digit >> (4 - bit) & 1 == 1) {
            let index = place * 5 + bit;
            *bytes.get_mut(index / 8).ok_or(TokenError::Checksum)? |= 0x80 >> (index % 8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> JoinToken {
        JoinToken::draw(vec!["10.0.0.1:7433".into(), "db-2.example:7433".into()], [9; 16], &Runtime::seeded(1))
    }

    #[test]
    fn text_and_back() {
        let text = token().to_string();
        assert_eq!(text.len(), "qj1-10.0.0.1:7433,db-2.example:7433-".len() + 68);
        assert!(text.starts_with("qj1-10.0.0.1:7433,db-2.example:7433-"));
        assert_eq!(text.parse::<JoinToken>().unwrap(), token());
        assert_eq!(format!(" {text}\n").parse::<JoinToken>().unwrap(), token());
    }

    #[test]
    fn messages() {
        let text = token().to_string();
        let message = |text: &str| text.parse::<JoinToken>().unwrap_err().to_string();
        assert_eq!(message(&text[..text.len() - 7]), "this token is incomplete: 61 of 68 characters");
        assert_eq!(message(&format!("{text}00")), "this token is too long: 70 instead of 68 characters");
        assert_eq!(message("qj2-x"), "this is not a join token: it does not begin with \"qj1-\"");
        assert_eq!(message("qj1-10.0.0.1:7433"), "this token is incomplete: 0 of 68 characters");
        let changed = text.replace("10.0.0.1", "10.0.0.2");
        assert_eq!(message(&changed), "this token has been changed: its checksum does not match");
        let letter = format!("{}l", &text[..text.len() - 1]);
        assert_eq!(message(&letter), "this token has been changed: \"l\" does not occur in tokens");
        let nowhere = JoinToken { addresses: vec!["host".into()], ..token() }.to_string();
        assert_eq!(message(&nowhere), "this token has been changed: \"host\" is not an address of the form HOST:PORT");
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let shown = format!("{:?}", token());
        assert!(!shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn one_changed_character_is_found(place in 0usize..104, letter in 0x20u8..0x7f) {
            let mut text = token().to_string().into_bytes();
            prop_assume!(place < text.len() && text[place] != letter);
            text[place] = letter;
            let text = String::from_utf8(text).unwrap();
            prop_assume!(text.trim().len() == text.len());
            prop_assert!(text.parse::<JoinToken>().is_err());
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            prop_assert!(text.parse::<JoinToken>().is_err());
            let prefixed = format!("qj1-{text}");
            prop_assert!(prefixed.parse::<JoinToken>().is_err());
        }
    }
}
