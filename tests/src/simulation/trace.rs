//! What happened in a run, in order: hashed always, told as a story on request.
//!
//! The hash covers the virtual time and the content of every event, so that two runs with one seed can be compared as a
//! whole. The story is for people: who sent what, who crashed, what came back.
//!
//! Invariant: an event that depends on anything but the seed makes the hashes of two runs differ.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::Instant;

/// FNV-1a, 64 bits.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The record of a run. Clones write into the same one.
#[derive(Clone, Debug)]
pub struct Trace {
    shared: Arc<Mutex<Shared>>,
    began: Instant,
    tells: bool,
}

#[derive(Debug)]
struct Shared {
    hash: u64,
    events: u64,
    story: Vec<String>,
}

impl Trace {
    /// An empty record that begins now; `tells`: a story is kept.
    #[must_use]
    pub fn new(tells: bool) -> Trace {
        let shared = Shared { hash: OFFSET, events: 0, story: Vec::new() };
        Trace { shared: Arc::new(Mutex::new(shared)), began: Instant::now(), tells }
    }

    /// Virtual microseconds since the run began.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Records an event: what it was, who took part, and its bytes. `tell` makes the line of the story.
    pub fn event(&self, what: &str, who: [u64; 2], bytes: &[u8], tell: impl FnOnce() -> String) {
        let now = self.now();
        let mut shared = self.shared.lock();
        let mut hash = shared.hash;
        let numbers = [now, who[0], who[1]];
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        what.bytes().for_each(&mut add);
        numbers.iter().flat_map(|number| number.to_le_bytes()).for_each(&mut add);
        // Eight bytes at a time: payloads are most of what is hashed.
        let (words, rest) = bytes.as_chunks::<8>();
        rest.iter().copied().for_each(&mut add);
        for word in words {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
            hash ^= hash >> 29;
        }
        shared.hash = hash;
        shared.events += 1;
        drop(shared);
        self.note(tell);
    }

    /// Records something that only people need, if a story is kept. It is no part of the hash, which is the same with
    /// and without a story.
    pub fn note(&self, tell: impl FnOnce() -> String) {
        if self.tells {
            let line = format!("{:>11.3} ms  {}", self.now() as f64 / 1000.0, tell());
            self.shared.lock().story.push(line);
        }
    }

    /// The hash of everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.shared.lock().hash
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.shared.lock().events
    }

    /// The story so far; empty unless it was asked for.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        self.shared.lock().story.clone()
    }
}
