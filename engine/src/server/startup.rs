//! The beginning of a connection, before there is a session.
//!
//! ```text
//!  client  SSLRequest | GSSENCRequest    server  'N': go on in plain text (each may come once)
//!          CancelRequest                         nothing; the connection ends
//!          StartupMessage 3.x                    NegotiateProtocolVersion if x > 0 or `_pq_.` options are asked for
//! ```

use super::ending::{Ending, Flow};
use super::frontend::{startup_pairs, violation};
use super::input::Input;
use super::output::Output;
use crate::error::{Error, Result, SqlState};
use bytes::{Buf, Bytes};
use pgwire::messages::response::SslResponse;

const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;
const GSSENC_REQUEST: i32 = 80_877_104;
const PROTOCOL_MAJOR: u16 = 3;

/// What a new connection is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A session.
    Session(Wish),
    /// Cancelling what another connection runs.
    Cancel { process_id: i32, secret: i32 },
}

/// What a StartupMessage asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) settings: Vec<(String, String)>,
    /// Options of newer protocols, which the client is told are not known here.
    pub(super) unsupported: Vec<String>,
    pub(super) newer_minor: bool,
}

/// Reads until the client has said what it wants.
pub(super) async fn negotiate(input: &mut Input, output: &mut Output) -> Flow<Purpose> {
    let (mut ssl_asked, mut gss_asked) = (false, false);
    loop {
        let mut packet = next_packet(input).await?;
        match packet.get_i32() {
            SSL_REQUEST if !ssl_asked => ssl_asked = true,
            GSSENC_REQUEST if !gss_asked => gss_asked = true,
            CANCEL_REQUEST => return cancel(packet),
            version => return wish(version, &packet).map(Purpose::Session).map_err(Ending::Fatal),
        }
        output.buffer.push(SslResponse::BYTE_REFUSE);
        output.flush().await?;
    }
}

/// A packet of at least four bytes.
async fn next_packet(input: &mut Input) -> Flow<Bytes> {
    loop {
        if let Some(packet) = input.startup_packet()? {
            return Ok(packet);
        }
        input.fill().await?;
    }
}

fn cancel(mut packet: Bytes) -> Flow<Purpose> {
    if packet.len() != 8 {
        return Err(Ending::Fatal(violation("invalid length of cancel request")));
    }
    Ok(Purpose::Cancel { process_id: packet.get_i32(), secret: packet.get_i32() })
}

fn wish(version: i32, body: &[u8]) -> Result<Wish> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != PROTOCOL_MAJOR {
        let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let mut wish = Wish { newer_minor: minor > 0, ..Wish::default() };
    for (name, value) in startup_pairs(body)? {
        wish.take(name, value)?;
    }
    if wish.user.is_empty() {
        let message = "no PostgreSQL user name specified in startup packet";
        return Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
    }
    if wish.database.is_empty() {
        wish.database.clone_from(&wish.user);
    }
    Ok(wish)
}

impl Wish {
    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "user" => value.clone_into(&mut self.user),
            "database" => value.clone_into(&mut self.database),
            "options" => self.settings.extend(options(value)?),
            "replication" if matches!(value, "false" | "off" | "no" | "0") => {}
            "replication" => {
                let hint = "Nodes replicate by themselves; see SHOW RANGES.";
                return Err(Error::unsupported("replication connections are not supported", hint));
            }
            option if option.starts_with("_pq_.") => self.unsupported.push(option.to_owned()),
            setting => self.settings.push((setting.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

/// `-c name=value`, `-cname=value` and `--name=value`, separated by blanks; a backslash protects the next character.
fn options(text: &str) -> Result<Vec<(String, String)>> {
    let words = words(text);
    let mut words = words.iter().map(String::as_str);
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next(),
            other => other,
        };
        let pair = assignment.and_then(|assignment| assignment.split_once('='));
        let (name, value) = pair.ok_or_else(|| {
            let message = format!("invalid command-line argument for server process: {word}");
            Error::new(SqlState::SYNTAX_ERROR, message)
        })?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = words.len() - 1;
        match character {
            '\\' => words[last].extend(characters.next()),
            blank if blank.is_ascii_whitespace() => words.push(String::new()),
            other => words[last].push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_startup_message() {
        let wish = wish(0x0003_0000, b"user\0ann\0application_name\0psql\0options\0-c a=b\\ c --d-e=f\0\0").unwrap();
        let settings = [("application_name", "psql"), ("a", "b c"), ("d_e", "f")];
        let expected = Wish {
            user: "ann".to_owned(),
            database: "ann".to_owned(),
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            ..Wish::default()
        };
        assert_eq!(wish, expected);
    }

    #[test]
    fn refuses_what_it_does_not_speak() {
        let message = |version, body: &[u8]| wish(version, body).unwrap_err().to_string();
        let old = "ERROR 0A000: unsupported frontend protocol 2.0: server supports 3.0 to 3.0";
        assert_eq!(message(0x0002_0000, b"\0"), old);
        assert_eq!(message(0x0003_0000, b"\0"), "ERROR 28000: no PostgreSQL user name specified in startup packet");
        let replication = "ERROR 0A000: replication connections are not supported";
        assert_eq!(message(0x0003_0000, b"user\0a\0replication\0database\0\0"), replication);
        assert_eq!(message(0x0003_0000, b"user\0a"), "ERROR 08P01: invalid string in message");
    }
}
