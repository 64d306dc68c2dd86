//! What may happen next to a range with leases.

use super::node::{Kind, Lead, Node};
use super::voters::members;
use super::{Change, Leases, Mutant, NODES, RIGHT, State, WHOLE};

/// One step: of the oracle, or in a group at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The oracle hands out an ID.
    Allocate,
    /// A step of this group and node.
    At(usize, usize, Step),
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is elected by this set of nodes; if it led, it had crashed.
    Elect(u8),
    /// As leader, it copies its log to this node, and hears of that or not.
    Copy(usize, bool),
    /// It is granted this bound by this set of nodes.
    Bound(u8, u8),
    /// It counts a grant that came late.
    Count,
    /// It serves a read at this ID under its bound.
    Read(u8),
    /// It serves a read at the newest ID after this set of nodes has confirmed its term.
    ReadConfirmed(u8),
    /// It proposes a write at this ID.
    Write(u8),
    /// It proposes the split, or the next step of the change of voters.
    Change,
}

impl Leases {
    pub(super) fn enabled(&self, state: &State, actions: &mut Vec<Action>) {
        if state.next <= self.ids {
            actions.push(Action::Allocate);
        }
        let last = if self.change == Change::Split { RIGHT } else { WHOLE };
        for group in WHOLE..=last {
            for n in 0..NODES {
                let mut steps = Vec::new();
                self.elections(state, group, n, &mut steps);
                if state.groups[group][n].lead.leads {
                    self.leading(state, group, n, &mut steps);
                }
                actions.extend(steps.into_iter().map(|step| Action::At(group, n, step)));
            }
        }
    }

    fn elections(&self, state: &State, group: usize, n: usize, steps: &mut Vec<Step>) {
        let nodes = &state.groups[group];
        let node = &nodes[n];
        let configuration = self.configuration(node);
        let has_room = node.entries().len() < self.entries;
        if !has_room || !self.is_voter(configuration, n) || group == RIGHT && !state.has_right(n) {
            return;
        }
        let wins = |set: &u8| {
            let newest = members(*set).all(|voter| nodes[voter].newness() <= node.newness());
            newest && next_term(nodes, *set) <= self.terms[group]
        };
        steps.extend(self.quorums(configuration, n).filter(wins).map(Step::Elect));
    }

    fn leading(&self, state: &State, group: usize, n: usize, steps: &mut Vec<Step>) {
        let nodes = &state.groups[group];
        let node = &nodes[n];
        let reached = |other: &usize| *other != n && nodes[*other].term <= node.term;
        let initialized = |other: &usize| group == WHOLE || state.has_right(*other);
        for other in (0..NODES).filter(|other| reached(other) && initialized(other)) {
            steps.push(Step::Copy(other, false));
            steps.extend((!node.pending().is_empty()).then_some(Step::Copy(other, true)));
        }
        if node.lead.late > 0 {
            steps.push(Step::Count);
        }
        if node.is_ready() && state.has_key(group, n) {
            let reached = |set: &u8| members(*set).all(|other| nodes[other].term <= node.term);
            let quorums: Vec<u8> = self.quorums(self.configuration(node), n).filter(reached).collect();
            self.reads(state, group, n, &quorums, steps);
            if !node.is_changing() {
                self.bounds(state, node, &quorums, steps);
                self.proposals(state, group, n, steps);
            }
        }
    }

    fn reads(&self, state: &State, group: usize, n: usize, quorums: &[u8], steps: &mut Vec<Step>) {
        let node = &state.groups[group][n];
        if node.is_changing() && self.mutant != Mutant::BoundOverSplit {
            return;
        }
        let free = |at: u8| Node::writes(node.pending()) & up_to(at) == 0;
        let newest = state.next - 1;
        let bound = node.lead.bound.min(newest);
        steps.extend((1..=bound).filter(|at| free(*at)).map(Step::Read));
        if newest > bound && free(newest) && !node.is_changing() {
            steps.extend(quorums.iter().copied().map(Step::ReadConfirmed));
        }
    }

    /// A bound lies one above what was handed out.
    fn bounds(&self, state: &State, node: &Node, quorums: &[u8], steps: &mut Vec<Step>) {
        let bound = state.next.min(self.ids);
        if bound > node.lead.bound {
            steps.extend(quorums.iter().map(|set| Step::Bound(bound, *set)));
        }
    }

    /// What a leader proposes while no change is under way.
    fn proposals(&self, state: &State, group: usize, n: usize, steps: &mut Vec<Step>) {
        let node = &state.groups[group][n];
        if node.entries().len() == self.entries {
            return;
        }
        let written = Node::writes(node.entries()) | state.seen(group, n);
        steps.extend((node.lead.floor + 1..state.next).filter(|id| written >> id == 0).map(Step::Write));
        if group == WHOLE && self.next_change(node).is_some() {
            steps.push(Step::Change);
        }
    }

    fn next_change(&self, node: &Node) -> Option<Kind> {
        let has = |kind| node.entries().iter().any(|entry| entry.kind() == kind);
        let next = match self.change {
            Change::Nothing => return None,
            Change::Split => Kind::Split,
            Change::Shrink | Change::Grow if has(Kind::Joint) => Kind::Leave,
            Change::Shrink | Change::Grow => Kind::Joint,
        };
        (!has(next)).then_some(next)
    }

    pub(super) fn act(&self, state: &mut State, action: Action) {
        let Action::At(group, n, step) = action else {
            state.next += 1;
            return;
        };
        match step {
            Step::Elect(voters) => {
                self.elect(&mut state.groups[group], n, voters);
                self.heard(state, group, n, n);
            }
            Step::Copy(other, heard) => {
                self.copy(state, group, n, other);
                if heard {
                    self.heard(state, group, n, other);
                }
            }
            Step::Bound(bound, quorum) => self.bound(&mut state.groups[group], n, bound, quorum),
            Step::Count => {
                let lead = &mut state.groups[group][n].lead;
                (lead.bound, lead.late) = (lead.late, 0);
            }
            Step::Read(at) => read(state, group, n, at),
            Step::ReadConfirmed(quorum) => {
                let term = state.groups[group][n].term;
                members(quorum).for_each(|other| state.groups[group][other].enter(term));
                read(state, group, n, state.next - 1);
            }
            Step::Write(id) => {
                state.groups[group][n].append(Kind::Write(id));
                self.heard(state, group, n, n);
            }
            Step::Change => {
                self.change(&mut state.groups[group][n]);
                self.heard(state, group, n, n);
            }
        }
    }

    fn elect(&self, nodes: &mut [Node; NODES], n: usize, voters: u8) {
        let term = next_term(nodes, voters);
        let granted = members(voters).map(|voter| nodes[voter].granted).max().unwrap_or(0);
        let entries = nodes[n].entries();
        let logged = Node::floor(entries).max(highest(Node::writes(entries)));
        let floor = if self.mutant == Mutant::GrantsIgnored { logged } else { logged.max(granted) };
        members(voters).for_each(|voter| nodes[voter].enter(term));
        nodes[n].lead = Lead { leads: true, floor, ..Lead::default() };
        nodes[n].append(Kind::Floor(if self.mutant == Mutant::FloorNotInLog { 0 } else { floor }));
    }

    fn copy(&self, state: &mut State, group: usize, n: usize, other: usize) {
        let Node { log, applied, term, .. } = state.groups[group][n];
        let follower = &mut state.groups[group][other];
        follower.enter(term);
        follower.log = log;
        let applied = applied.max(follower.applied);
        self.apply(state, group, other, applied);
    }

    /// A leader knows that it and `other` have its whole log: in every configuration, that is a quorum if any is one.
    fn heard(&self, state: &mut State, group: usize, n: usize, other: usize) {
        let node = state.groups[group][n];
        if node.pending().is_empty() || !self.is_quorum(self.configuration(&node), 1 << n | 1 << other) {
            return;
        }
        let began = node.is_ready();
        self.apply(state, group, n, node.entries().len() as u8);
        let fresh = state.next - 1;
        let node = &mut state.groups[group][n];
        state.committed |= Node::writes(node.done());
        if !began && self.mutant != Mutant::NoFreshId {
            node.lead.floor = node.lead.floor.max(fresh);
        }
        if !self.is_voter(self.configuration(node), n) {
            node.lead = Lead::default();
        }
    }

    fn apply(&self, state: &mut State, group: usize, n: usize, applied: u8) {
        let node = &mut state.groups[group][n];
        node.applied = applied;
        let split = node.done().iter().position(|entry| entry.kind() == Kind::Split);
        if let Some(at) = split.filter(|_| !state.has_right(n)) {
            let inherited = Node::floor(&state.groups[group][n].log[..at]);
            let floor = if self.mutant == Mutant::FloorNotOverSplit { 0 } else { inherited };
            state.groups[RIGHT][n].begin(floor);
        }
    }

    fn bound(&self, nodes: &mut [Node; NODES], n: usize, bound: u8, quorum: u8) {
        let term = nodes[n].term;
        for voter in members(quorum) {
            nodes[voter].enter(term);
            nodes[voter].granted = nodes[voter].granted.max(bound);
        }
        if self.mutant == Mutant::GrantOverChange {
            nodes[n].lead.late = bound;
        } else {
            nodes[n].lead.bound = bound;
        }
    }

    /// From here on nothing is served until the change is applied.
    fn change(&self, node: &mut Node) {
        let Some(kind) = self.next_change(node) else { return };
        node.append(kind);
        if !matches!(self.mutant, Mutant::BoundOverSplit | Mutant::BoundOverChange) {
            node.lead.bound = 0;
        }
    }
}

fn read(state: &mut State, group: usize, n: usize, at: u8) {
    state.missed |= up_to(at) & !state.seen(group, n);
    let lead = &mut state.groups[group][n].lead;
    lead.floor = lead.floor.max(at);
}

/// The IDs from 1 to this one.
fn up_to(id: u8) -> u8 {
    (2 << id) - 2
}

/// The greatest ID of a set; 0 if it is empty.
fn highest(ids: u8) -> u8 {
    ids.checked_ilog2().unwrap_or(0) as u8
}

fn next_term(nodes: &[Node; NODES], voters: u8) -> u8 {
    members(voters).map(|voter| nodes[voter].term + 1).max().unwrap_or(0)
}
