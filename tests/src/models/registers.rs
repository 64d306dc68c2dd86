//! Registers of one attempt as the models hold them: the product's state machine over two bytes.
//!
//! A register is a Raft group, hence linearizable and never lost: it takes one message at a time, and [`Cell::take`] is
//! [`quorate_txn::commit::step`]. What recovery concludes is [`quorate_txn::commit::Survey`] over cells.
//!
//! ```text
//!   bit  0..3   state; 7 is FORGOTTEN: no register, and the range's attempt floor has passed the attempt
//!        3..6   ballot promised        0: the coordinator's, others: the terminators'
//!        6..9   ballot accepted
//!        9..12  commit ID
//! ```
//! FORGOTTEN stands for two histories: a decided register was collected, or the floor passed one that was NONE. Both
//! write nothing any more, whatever the message, and answer Forgotten; nobody can tell them apart.

use quorate_txn::api::{Register, RegisterState};
use quorate_txn::commit::{Core, Message, Step, Survey, Value, choose_acceptors, step};
use quorate_txn::{Ballot, StartId, TxnId};
use std::collections::BTreeMap;
use std::fmt;

const STATES: [RegisterState; 7] = [
    RegisterState::None,
    RegisterState::Pending,
    RegisterState::Prepared,
    RegisterState::PreCommit,
    RegisterState::PreAbort,
    RegisterState::Committed,
    RegisterState::Aborted,
];

/// A register, or the answer of one; as an answer, the default says that there was none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u16);

/// What a register does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The register afterwards.
    Register(Cell),
    /// The attempt is below the range's floor; nothing was written.
    Forgotten,
    /// Sender and register contradict each other.
    Corrupt,
}

impl Cell {
    /// Collected, or passed by the floor.
    pub const FORGOTTEN: Cell = Cell(7);

    /// A yes in three-phase commit (ID 0), or on path FAST.
    pub fn vote(commit_id: u8) -> Cell {
        let id = TxnId(commit_id.into());
        Cell::of(Core { state: RegisterState::Prepared, commit_id: id, ..Core::default() })
    }

    /// Takes a message, as the product does; below the floor, what is not there stays so.
    pub fn take(&mut self, message: Message) -> Answer {
        if *self == Cell::FORGOTTEN {
            return Answer::Forgotten;
        }
        match step(self.core(), message) {
            Step::Keep => {}
            Step::Become(core) => *self = Cell::of(core),
            Step::Corrupt => return Answer::Corrupt,
        }
        Answer::Register(*self)
    }

    /// Where it stands; `None` if it is FORGOTTEN.
    pub fn state(self) -> Option<RegisterState> {
        STATES.get(usize::from(self.0 & 7)).copied()
    }

    /// Whether it stands there.
    pub fn is(self, state: RegisterState) -> bool {
        self.state() == Some(state)
    }

    /// Voted yes and not decided.
    pub fn is_open(self) -> bool {
        matches!(self.state(), Some(RegisterState::Prepared | RegisterState::PreCommit | RegisterState::PreAbort))
    }

    /// Decided, and not collected.
    pub fn is_decided(self) -> bool {
        self.state().is_some_and(RegisterState::is_decided)
    }

    /// The outcome that it holds.
    pub fn verdict(self) -> Verdict {
        match self.state() {
            Some(RegisterState::Committed) => Verdict::Commit(self.bits(9)),
            Some(RegisterState::Aborted) => Verdict::Abort,
            _ => Verdict::Open,
        }
    }

    /// The commit ID that it holds.
    pub fn commit_id(self) -> u8 {
        self.bits(9)
    }

    /// The ballot whose proposal it accepted, if it did.
    pub fn accepted(self) -> Option<u8> {
        matches!(self.state(), Some(RegisterState::PreCommit | RegisterState::PreAbort)).then(|| self.bits(6))
    }

    fn bits(self, at: u32) -> u8 {
        (self.0 >> at & 7) as u8
    }

    fn core(self) -> Core {
        // IDs are drawn after the votes, hence above every lower bound: 1 stands for all of these.
        let min_c = TxnId(u64::from(self.is_open()));
        Core {
            state: self.state().unwrap_or_default(),
            promised: ballot(self.bits(3)),
            accepted: ballot(self.bits(6)),
            commit_id: TxnId(self.bits(9).into()),
            min_c,
        }
    }

    fn of(core: Core) -> Cell {
        let id = core.commit_id.0 as u16;
        Cell(core.state as u16 | number(core.promised) << 3 | number(core.accepted) << 6 | id << 9)
    }

    fn register(self) -> Register {
        let Core { state, promised, accepted, commit_id, min_c } = self.core();
        Register {
            state,
            promised,
            accepted,
            commit_id,
            min_c,
            participants: Vec::new(),
            acceptors: Vec::new(),
            foreign_reads: false,
            held: false,
            reads: Vec::new(),
            read_id: TxnId(0),
            start: StartId::default(),
            index: 0,
        }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state() {
            None => write!(f, "Forgotten"),
            Some(state) => write!(f, "{state:?}(p{} a{} C{})", self.bits(3), self.bits(6), self.bits(9)),
        }
    }
}

/// The ballot of a number: 0 is the coordinator's, others are of terminators in their first round.
pub fn ballot(number: u8) -> Ballot {
    match number {
        0 => Ballot::default(),
        _ => Ballot { round: 1, terminator: (0, number.into()) },
    }
}

fn number(ballot: Ballot) -> u16 {
    ballot.terminator.1 as u16
}

/// What somebody proposes, concludes, or holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    Open,
    /// Abort.
    Abort,
    /// Commit at this ID.
    Commit(u8),
}

impl Verdict {
    /// Whether it is a commit.
    pub fn is_commit(self) -> bool {
        matches!(self, Verdict::Commit(_))
    }

    /// As the product proposes it.
    pub fn value(self) -> Option<Value> {
        match self {
            Verdict::Open => None,
            Verdict::Abort => Some(Value::Abort),
            Verdict::Commit(id) => Some(Value::Commit(TxnId(id.into()))),
        }
    }

    /// As the outcome that registers are told.
    pub fn told(self) -> Option<Message> {
        match self {
            Verdict::Open => None,
            Verdict::Abort => Some(Message::DoAbort),
            Verdict::Commit(id) => Some(Message::DoCommit { commit_id: TxnId(id.into()) }),
        }
    }
}

impl From<Value> for Verdict {
    fn from(value: Value) -> Verdict {
        match value {
            Value::Abort => Verdict::Abort,
            Value::Commit(id) => Verdict::Commit(id.0 as u8),
        }
    }
}

/// What a recoverer knows of a member that it asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forgotten {
    /// Not that it forgot.
    #[default]
    No,
    /// That it has forgotten the attempt, since this ask.
    Now,
    /// That it had forgotten the attempt before this ask.
    Before,
}

impl Forgotten {
    /// The member answered so.
    pub fn note(&mut self) {
        *self = (*self).max(Forgotten::Now);
    }

    /// As the next ask sees it.
    pub fn aged(self) -> Forgotten {
        if self == Forgotten::No { self } else { Forgotten::Before }
    }
}

/// Everything that was ever true of the outcome of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// The ID at which a register, or somebody who tells the client, had it committed; 0 if nobody did.
    pub committed: u8,
    /// A register, or somebody who tells the client, had it aborted.
    pub aborted: bool,
    /// Two of them contradict each other, or a message contradicted a register.
    pub torn: bool,
}

impl History {
    /// Notes an outcome.
    pub fn note(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Open => {}
            Verdict::Abort => self.aborted = true,
            Verdict::Commit(id) => {
                self.torn |= self.committed != 0 && self.committed != id;
                self.committed = id;
            }
        }
        self.torn |= self.aborted && self.committed != 0;
    }
}

/// Who takes part in an attempt, by number.
#[derive(Clone, Debug)]
pub struct Members {
    participants: Vec<Vec<u8>>,
    acceptors: Vec<Vec<u8>>,
}

impl Members {
    /// So many participants, and an arbiter behind them if they have one; the product chooses the deciding ones.
    pub fn new(participants: usize, arbiter: bool) -> Members {
        let arbiter = arbiter.then(|| key(participants));
        let participants: Vec<Vec<u8>> = (0..participants).map(key).collect();
        let acceptors = choose_acceptors(&participants, arbiter);
        Members { participants, acceptors }
    }

    /// Whether this member belongs to the deciding ones.
    pub fn is_acceptor(&self, member: usize) -> bool {
        self.acceptors.contains(&key(member))
    }

    /// Asks the product what these answers, by member, mean to whoever sent `ballot`.
    pub fn survey<T>(&self, number: u8, answers: impl Iterator<Item = Cell>, ask: impl FnOnce(&Survey<'_>) -> T) -> T {
        let answered = answers.enumerate().filter(|(_, cell)| *cell != Cell::default());
        let replies: BTreeMap<Vec<u8>, Register> =
            answered.map(|(member, cell)| (key(member), cell.register())).collect();
        let Members { participants, acceptors } = self;
        ask(&Survey { participants, acceptors, ballot: ballot(number), replies: &replies, word: None })
    }
}

fn key(member: usize) -> Vec<u8> {
    vec![member as u8]
}
