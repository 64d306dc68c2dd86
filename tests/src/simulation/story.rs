//! Messages in words, for the story of a run.

use quorate_net::Message;

/// Longest text of one message.
const LONGEST: usize = 400;

/// What a message says.
#[must_use]
pub fn describe(what: &str, message: &Message) -> String {
    let mut text = words(what, message).unwrap_or_else(|| format!("kind {:#06x}", message.kind));
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn words(what: &str, message: &Message) -> Option<String> {
    use quorate_txn::oracle::{Allocation, Ask, Witness};
    use quorate_txn::service::{Answer, kind};
    let bytes = &message.payload;
    let most = bytes.len() + 1;
    Some(match (message.kind, what) {
        (quorate::node::RAFT_MESSAGE, _) => {
            let messages: Vec<quorate_storage::store::RaftMessage> = quorate_storage::codec::decode(bytes).ok()?;
            let each = messages.iter().map(|message| format!("{message:?}"));
            each.collect::<Vec<_>>().join("; ")
        }
        (kind::RANGE, "call") => {
            let request: quorate_txn::api::RangeRequest = quorate_net::codec::decode(bytes, most).ok()?;
            format!("{request:?}")
        }
        (kind::RANGE, _) => {
            let reply: quorate_txn::api::Reply = quorate_net::codec::decode(bytes, most).ok()?;
            format!("{reply:?}")
        }
        (kind::ORACLE, "call") => format!("{:?}", quorate_net::codec::decode::<Ask>(bytes, most).ok()?),
        (kind::ORACLE, _) => format!("{:?}", quorate_net::codec::decode::<Answer<Allocation>>(bytes, most).ok()?),
        (kind::DIRECTORY, _) => format!("directory {} bytes", bytes.len()),
        (kind::ALIVE, _) => "alive".to_owned(),
        (kind::TERM, "call") => format!("{:?}", quorate_net::codec::decode::<Witness>(bytes, most).ok()?),
        (kind::TERM, _) => format!("in term: {}", quorate_net::codec::decode::<bool>(bytes, most).ok()?),
        _ => return None,
    })
}
