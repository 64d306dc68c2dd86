//! One replica: its log, what it granted, and what it holds as a leader.

/// Longest log of any model.
pub const ENTRIES: usize = 5;

/// An entry of the log with its term; none if 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(u8);

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The floor that a term begins with, or a half inherits.
    Floor(u8),
    /// A write at this ID.
    Write(u8),
    /// The split.
    Split,
    /// Old and new voters, jointly.
    Joint,
    /// The new voters alone.
    Leave,
}

impl Entry {
    /// An entry of this term.
    pub fn new(term: u8, kind: Kind) -> Entry {
        let (number, value) = match kind {
            Kind::Floor(id) => (1, id),
            Kind::Write(id) => (2, id),
            Kind::Split => (3, 0),
            Kind::Joint => (4, 0),
            Kind::Leave => (5, 0),
        };
        Entry(term << 6 | number << 3 | value)
    }

    /// Its term.
    pub fn term(self) -> u8 {
        self.0 >> 6
    }

    /// What it does.
    pub fn kind(self) -> Kind {
        match self.0 >> 3 & 7 {
            1 => Kind::Floor(self.0 & 7),
            2 => Kind::Write(self.0 & 7),
            3 => Kind::Split,
            4 => Kind::Joint,
            _ => Kind::Leave,
        }
    }

    /// Whether it changes who may grant and vote.
    pub fn is_change(self) -> bool {
        matches!(self.kind(), Kind::Split | Kind::Joint | Kind::Leave)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { write!(f, "-") } else { write!(f, "{:?}@{}", self.kind(), self.term()) }
    }
}

/// A replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its log.
    pub log: [Entry; ENTRIES],
    /// Entries that it knows to be committed, and has applied.
    pub applied: u8,
    /// Its term.
    pub term: u8,
    /// The greatest bound that it granted.
    pub granted: u8,
    /// What it holds while it believes to lead.
    pub lead: Lead,
}

/// The memory of a leader; nothing of it outlives the term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lead {
    /// Whether it believes to lead.
    pub leads: bool,
    /// Writes must be above it: the floor, and what was read since.
    pub floor: u8,
    /// The bound that was granted to it.
    pub bound: u8,
    /// A bound that was granted and not counted yet, where that may come late.
    pub late: u8,
}

impl Node {
    /// All its entries.
    pub fn entries(&self) -> &[Entry] {
        let length = self.log.iter().take_while(|entry| **entry != Entry::default()).count();
        &self.log[..length]
    }

    /// Its entries that are applied.
    pub fn done(&self) -> &[Entry] {
        &self.log[..usize::from(self.applied)]
    }

    /// Its entries that are not.
    pub fn pending(&self) -> &[Entry] {
        &self.entries()[usize::from(self.applied)..]
    }

    /// Whether it leads and the first entry of its term is applied; term 1 began before the model does.
    pub fn is_ready(&self) -> bool {
        self.lead.leads && (self.term == 1 || self.done().iter().any(|entry| entry.term() == self.term))
    }

    /// Whether it has proposed a change that is not applied.
    pub fn is_changing(&self) -> bool {
        self.pending().iter().any(|entry| entry.is_change())
    }

    /// How new its log is, for elections.
    pub fn newness(&self) -> (u8, usize) {
        let entries = self.entries();
        (entries.last().map_or(0, |entry| entry.term()), entries.len())
    }

    /// Appends an entry of its term.
    pub fn append(&mut self, kind: Kind) {
        let length = self.entries().len();
        self.log[length] = Entry::new(self.term, kind);
    }

    /// Begins as a right half with this floor; a vote that was given before stays given.
    pub fn begin(&mut self, floor: u8) {
        self.log[0] = Entry::new(1, Kind::Floor(floor));
        self.applied = 1;
    }

    /// Takes part in a term; a leader of an earlier one finds out.
    pub fn enter(&mut self, term: u8) {
        if self.term < term {
            self.term = term;
            self.lead = Lead::default();
        }
    }

    /// Forgets what can make no difference any more: grants below what every later leader's log says, how far a
    /// follower is between changes, and what a leader holds for a key that `moved` away.
    pub fn forget(&mut self, moved: bool) {
        if self.granted <= Node::floor(self.done()) {
            self.granted = 0;
        }
        if !self.lead.leads {
            let change = self.done().iter().rposition(|entry| entry.is_change());
            self.applied = change.map_or(0, |at| at as u8 + 1);
        }
        if moved {
            (self.lead.floor, self.lead.bound) = (0, 0);
        }
    }

    /// IDs written by entries, as bits.
    pub fn writes(entries: &[Entry]) -> u8 {
        entries.iter().fold(0, |ids, entry| match entry.kind() {
            Kind::Write(id) => ids | 1 << id,
            _ => ids,
        })
    }

    /// The greatest floor in entries.
    pub fn floor(entries: &[Entry]) -> u8 {
        let floors = entries.iter().map(|entry| if let Kind::Floor(id) = entry.kind() { id } else { 0 });
        floors.max().unwrap_or(0)
    }
}
