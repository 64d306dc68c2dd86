//! Steps of the commit protocol on the network, so that a fault can strike between any two of them.
//!
//! ```text
//!   gateway ── Sends ───► request ─── Receives ──► participant
//!           ◄── Hears ─── answer ◄─── Answers ────
//! ```

use quorate_net::{Message, PeerId};
use quorate_txn::api::{RangeRequest, Request};
use quorate_txn::service::kind;
use tokio::sync::oneshot;

/// Where a step passes a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The node is a gateway whose request has just left.
    Sends,
    /// The node is a gateway that is about to hear an answer.
    Hears,
    /// The node holds a participant that is about to get a request.
    Receives,
    /// The node holds a participant whose answer is about to leave.
    Answers,
}

/// Everybody who waits for a step.
#[derive(Debug, Default)]
pub struct Trips {
    waiting: Vec<Trip>,
}

#[derive(Debug)]
struct Trip {
    node: PeerId,
    side: Side,
    /// Steps that pass before it fires.
    left: u32,
    fires: oneshot::Sender<()>,
}

impl Trips {
    /// Resolves when, after `left` others, a step passes this side of `node`.
    pub fn wait(&mut self, node: PeerId, side: Side, left: u32) -> oneshot::Receiver<()> {
        let (fires, fired) = oneshot::channel();
        self.waiting.push(Trip { node, side, left, fires });
        fired
    }

    /// A request, or the answer to one, passes.
    pub fn passes(&mut self, node: PeerId, side: Side, request: &Message) {
        self.waiting.retain(|trip| !trip.fires.is_closed());
        let here = |trip: &Trip| trip.node == node && trip.side == side;
        if !self.waiting.iter().any(here) || !commits(request) {
            return;
        }
        for trip in std::mem::take(&mut self.waiting) {
            match trip.left {
                _ if !here(&trip) => self.waiting.push(trip),
                // Whoever waited may be gone.
                0 => drop(trip.fires.send(())),
                left => self.waiting.push(Trip { left: left - 1, ..trip }),
            }
        }
    }
}

/// Whether a request is a step of the commit protocol.
fn commits(request: &Message) -> bool {
    if request.kind != kind::RANGE {
        return false;
    }
    let bytes = &request.payload;
    let request = quorate_net::codec::decode::<RangeRequest>(bytes, bytes.len() + 1);
    request.is_ok_and(|request| {
        !matches!(
            request.request,
            Request::Read { .. } | Request::Unlock { .. } | Request::Refresh { .. } | Request::Split { .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::RangeId;
    use quorate_txn::api::RecordKey;
    use quorate_txn::{Attempt, TxnId};

    fn request(request: Request) -> Message {
        let payload = quorate_net::codec::encode(&RangeRequest { range: RangeId(4), generation: 1, request }).into();
        Message { kind: kind::RANGE, payload }
    }

    #[test]
    fn it_fires_at_its_step_of_a_commit_on_its_side_of_its_node() {
        let attempt = Attempt { gateway: 1, incarnation: 1, counter: 1, birth: TxnId(1) };
        let step = request(Request::DoAbort { record: RecordKey { part_key: b"k".to_vec(), attempt } });
        let other = request(Request::Unlock { attempt });
        let mut trips = Trips::default();
        let mut fired = trips.wait(PeerId(2), Side::Receives, 1);
        trips.passes(PeerId(2), Side::Receives, &step);
        for (node, side, message) in [(1, Side::Receives, &step), (2, Side::Sends, &step), (2, Side::Receives, &other)]
        {
            trips.passes(PeerId(node), side, message);
        }
        assert_eq!(fired.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        trips.passes(PeerId(2), Side::Receives, &step);
        assert_eq!(fired.try_recv(), Ok(()));
    }
}
