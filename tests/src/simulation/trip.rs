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
