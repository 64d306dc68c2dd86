//! Joins: order and method.
//!
//! Inner joins that stand together are one set of relations and conditions. The relation with the fewest rows comes
//! first; then, again and again, the one that is cheapest to join: by looking its rows up through an index with keys
//! made from the rows so far, by hashing, or by trying all pairs. Outer and semi joins keep their place; lookups and
//! hashing serve them as well.

use super::access::{self, Order, Path, Wish};
use super::build::{Built, Planner, Want, has_subquery};
use super::cost;
use super::logical::{ColId, Rel, columns_of};
use super::rewrite::{conjuncts_of, rejects_null};
use super::scan::TableSource;
use crate::error::Result;
use crate::sql::plan::{CompareOp, Expr, JoinKind, Node, NodeKind};
use std::collections::BTreeSet;

/// A relation of an inner join.
enum Leaf {
    /// A table, which can be looked up in.
    Table { source: TableSource, conjuncts: Vec<Expr>, rows: f64 },
    /// Anything else, built already.
    Built(Built),
}

/// How the next relation is joined.
enum Method {
    Lookup(Path),
    Hash,
    Loop,
}

struct Candidate {
    leaf: usize,
    method: Method,
    connected: bool,
    cost: f64,
    rows: f64,
}

impl Planner {
    pub(super) fn join(&mut self, rel: Rel, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        match rel {
            Rel::Join { left, right, kind: JoinKind::Right, on, lateral } => {
                let swapped = Rel::Join { left: right, right: left, kind: JoinKind::Left, on, lateral };
                self.join(swapped, conjuncts, want)
            }
            Rel::Join { left, right, kind: JoinKind::Left, on, lateral }
                if conjuncts.iter().any(|conjunct| rejects_null(conjunct, &right.visible())) =>
            {
                let inner = Rel::Join { left, right, kind: JoinKind::Inner, on, lateral };
                self.join(inner, conjuncts, want)
            }
            Rel::Join { kind: JoinKind::Inner, lateral: false, .. } => self.inner(rel, conjuncts, want),
            Rel::Join { left, right, kind, on, lateral } => {
                if lateral {
                    self.lateral(*left, *right, kind, on, conjuncts, want)
                } else {
                    self.outer(*left, *right, kind, on, conjuncts, want)
                }
            }
            other => self.build(other, conjuncts, want),
        }
    }

    /// All relations of inner joins that stand together, with their conditions.
    fn flatten(rel: Rel, leaves: &mut Vec<Rel>, conjuncts: &mut Vec<Expr>) {
        match rel {
            Rel::Join { left, right, kind: JoinKind::Inner, on, lateral: false } => {
                conjuncts.extend(conjuncts_of(on));
                Self::flatten(*left, leaves, conjuncts);
                Self::flatten(*right, leaves, conjuncts);
            }
            Rel::Filter { input, predicate }
                if matches!(*input, Rel::Join { kind: JoinKind::Inner, lateral: false, .. }) =>
            {
                conjuncts.extend(conjuncts_of(predicate));
                Self::flatten(*input, leaves, conjuncts);
            }
            other => leaves.push(other),
        }
    }

    fn inner(&mut self, rel: Rel, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        let mut all = conjuncts;
        let mut rels = Vec::new();
        Self::flatten(rel, &mut rels, &mut all);
        let (last, mut pending): (Vec<Expr>, Vec<Expr>) = all.into_iter().partition(has_subquery);
        let sets: Vec<BTreeSet<ColId>> = rels.iter().map(Rel::visible).collect();
        let everything: BTreeSet<ColId> = sets.iter().flatten().copied().collect();
        let mut own = Vec::with_capacity(rels.len());
        for set in &sets {
            let others: BTreeSet<ColId> = everything.difference(set).copied().collect();
            let (of_one, rest): (Vec<Expr>, Vec<Expr>) = pending.into_iter().partition(|conjunct| {
                let used = columns_of(conjunct);
                used.is_disjoint(&others) && !used.is_disjoint(set)
            });
            pending = rest;
            own.push(of_one);
        }
        let needed = Want::columns(want.columns.clone()).and_exprs(pending.iter().chain(&last)).columns;
        let mut leaves = Vec::with_capacity(rels.len());
        for (rel, own) in rels.into_iter().zip(own) {
            leaves.push(Some(self.leaf(rel, own, &needed)?));
        }
        let mut built = self.first(&mut leaves, &sets, &needed, want)?;
        while leaves.iter().any(Option::is_some) {
            built = self.next(built, &mut leaves, &sets, &mut pending, &needed)?;
        }
        pending.extend(last);
        self.filter(built, pending)
    }

    fn leaf(&mut self, rel: Rel, conjuncts: Vec<Expr>, needed: &BTreeSet<ColId>) -> Result<Leaf> {
        let (mut rel, mut conjuncts) = (rel, conjuncts);
        while let Rel::Filter { input, predicate } = rel {
            conjuncts.extend(conjuncts_of(predicate));
            rel = *input;
        }
        match rel {
            Rel::Table { table, columns, alias, lock } if !conjuncts.iter().any(has_subquery) => {
                let source = TableSource { table, columns, alias, lock };
                let path = table_path(&source, &conjuncts, needed, &Order::new());
                let unused = conjuncts.len() > path.used.len();
                let rows = path.rows * if unused { cost::FILTERED } else { 1.0 };
                Ok(Leaf::Table { source, conjuncts, rows: rows.max(1.0) })
            }
            other => Ok(Leaf::Built(self.build(other, conjuncts, &Want::columns(needed.clone()))?)),
        }
    }

    /// The relation with the fewest rows; of those, the first.
    fn first(
        &mut self,
        leaves: &mut [Option<Leaf>],
        sets: &[BTreeSet<ColId>],
        needed: &BTreeSet<ColId>,
        want: &Want,
    ) -> Result<Built> {
        let mut best = (0, f64::INFINITY);
        for (at, leaf) in leaves.iter().enumerate() {
            let rows = match leaf {
                Some(Leaf::Table { rows, .. }) => *rows,
                Some(Leaf::Built(built)) => built.node.rows,
                None => continue,
            };
            if rows < best.1 {
                best = (at, rows);
            }
        }
        // Rows keep the order of the first relation, so it may save the sort.
        let order =
            if want.order.iter().all(|(id, _)| sets[best.0].contains(id)) { want.order.clone() } else { Order::new() };
        match leaves[best.0].take() {
            Some(Leaf::Built(built)) => Ok(built),
            Some(Leaf::Table { source, conjuncts, .. }) => self.whole_scan(source, conjuncts, needed, order),
            None => Err(crate::error::Error::internal("a join without relations")),
        }
    }

    fn whole_scan(
        &mut self,
        source: TableSource,
        conjuncts: Vec<Expr>,
        needed: &BTreeSet<ColId>,
        order: Order,
    ) -> Result<Built> {
        let path = table_path(&source, &conjuncts, needed, &order);
        let want = Want { columns: needed.clone(), order, limit: None };
        let columns = own_columns(&source, needed);
        self.scan(source, path, conjuncts, &columns, None, &want, &[])
    }

    /// Joins the relation that is cheapest to join next.
    fn next(
        &mut self,
        built: Built,
        leaves: &mut [Option<Leaf>],
        sets: &[BTreeSet<ColId>],
        pending: &mut Vec<Expr>,
        needed: &BTreeSet<ColId>,
    ) -> Result<Built> {
        let have: BTreeSet<ColId> = built.layout.iter().copied().collect();
        let rest: BTreeSet<ColId> =
            leaves.iter().zip(sets).filter(|(leaf, _)| leaf.is_some()).flat_map(|(_, set)| set).copied().collect();
        let mut best: Option<Candidate> = None;
        for (at, leaf) in leaves.iter().enumerate() {
            let Some(leaf) = leaf else { continue };
            let others: BTreeSet<ColId> = rest.difference(&sets[at]).copied().collect();
            let usable: Vec<&Expr> = pending
                .iter()
                .filter(|conjunct| {
                    let used = columns_of(conjunct);
                    used.is_disjoint(&others) && !used.is_disjoint(&sets[at])
                })
                .collect();
            let candidate = candidate(at, leaf, &built, &have, &sets[at], &usable, needed);
            let better = |best: &Candidate| {
                (candidate.connected && !best.connected)
                    || (candidate.connected == best.connected
                        && candidate.cost + candidate.rows < best.cost + best.rows)
            };
            if best.as_ref().is_none_or(better) {
                best = Some(candidate);
            }
        }
        let Some(Candidate { leaf: at, method, rows, .. }) = best else { return Ok(built) };
        let Some(leaf) = leaves[at].take() else { return Ok(built) };
        let others: BTreeSet<ColId> = rest.difference(&sets[at]).copied().collect();
        let (usable, later): (Vec<Expr>, Vec<Expr>) = std::mem::take(pending).into_iter().partition(|conjunct| {
            let used = columns_of(conjunct);
            used.is_disjoint(&others) && !used.is_disjoint(&sets[at])
        });
        *pending = later;
        self.join_leaf(built, leaf, method, JoinKind::Inner, usable, needed, rows)
    }

    #[allow(clippy::too_many_arguments, reason = "the choice and everything that it was made from")]
    fn join_leaf(
        &mut self,
        left: Built,
        leaf: Leaf,
        method: Method,
        kind: JoinKind,
        on: Vec<Expr>,
        needed: &BTreeSet<ColId>,
        rows: f64,
    ) -> Result<Built> {
        match (method, leaf) {
            (Method::Lookup(path), Leaf::Table { source, conjuncts, .. }) => {
                self.lookup(left, source, path, kind, conjuncts, on, needed, rows)
            }
            (method, leaf) => {
                let right = match leaf {
                    Leaf::Built(built) => built,
                    Leaf::Table { source, conjuncts, .. } => {
                        self.whole_scan(source, conjuncts, needed, Order::new())?
                    }
                };
                match method {
                    Method::Hash => self.hash(left, right, kind, on, rows),
                    _ => self.nested(left, right, kind, on, rows, false),
                }
            }
        }
    }

    /// Rows of a table found by keys from the left row. `path` was chosen for `own` followed by `on`.
    #[allow(clippy::too_many_arguments, reason = "the choice and everything that it was made from")]
    fn lookup(
        &mut self,
        left: Built,
        source: TableSource,
        path: Path,
        kind: JoinKind,
        own: Vec<Expr>,
        on: Vec<Expr>,
        needed: &BTreeSet<ColId>,
        rows: f64,
    ) -> Result<Built> {
        let count = own.len();
        let mut filter = Vec::new();
        for (at, conjunct) in on.into_iter().enumerate() {
            if !path.used.contains(&(count + at)) {
                filter.push(conjunct);
            }
        }
        let mut columns = own_columns(&source, needed);
        let local: BTreeSet<ColId> = source.columns.iter().map(|col| col.id).collect();
        for conjunct in &filter {
            columns.extend(columns_of(conjunct).intersection(&local));
        }
        let known = left.layout.clone();
        let right = self.scan(source, path, own, &columns, None, &Want::default(), &known)?;
        let NodeKind::Scan(scan) = right.node.kind else {
            return Err(crate::error::Error::internal("a scan is expected"));
        };
        let both: Vec<ColId> = left.layout.iter().chain(&right.layout).copied().collect();
        let filter = self.all_slots(filter, &both)?;
        let filter = (!filter.is_empty()).then(|| Expr::and(filter));
        let mut types = left.node.types.clone();
        let mut layout = left.layout;
        if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            types.extend(right.node.types);
            layout = both;
        }
        let kind = NodeKind::LookupJoin { left: Box::new(left.node), scan, kind, filter };
        Ok(Built { node: Node { kind, types, rows }, layout, order: left.order })
    }

    fn hash(&mut self, left: Built, right: Built, kind: JoinKind, on: Vec<Expr>, rows: f64) -> Result<Built> {
        let lefts: BTreeSet<ColId> = left.layout.iter().copied().collect();
        let rights: BTreeSet<ColId> = right.layout.iter().copied().collect();
        let (mut left_keys, mut right_keys, mut filter) = (Vec::new(), Vec::new(), Vec::new());
        for conjunct in on {
            match equal_sides(&conjunct, &lefts, &rights) {
                Some((left_key, right_key)) => {
                    left_keys.push(left_key);
                    right_keys.push(right_key);
                }
                None => filter.push(conjunct),
            }
        }
        if left_keys.is_empty() {
            return self.nested(left, right, kind, filter, rows, false);
        }
        let left_keys = self.all_slots(left_keys, &left.layout)?;
        let right_keys = self.all_slots(right_keys, &right.layout)?;
        let both: Vec<ColId> = left.layout.iter().chain(&right.layout).copied().collect();
        let filter = self.all_slots(filter, &both)?;
        let filter = (!filter.is_empty()).then(|| Expr::and(filter));
        let (types, layout) = joined_row(&left, &right, kind);
        let order = if matches!(kind, JoinKind::Full | JoinKind::Right) { Order::new() } else { left.order };
        let kind = NodeKind::HashJoin {
            left: Box::new(left.node),
            right: Box::new(right.node),
            kind,
            left_keys,
            right_keys,
            filter,
        };
        Ok(Built { node: Node { kind, types, rows }, layout, order })
    }

    fn nested(
        &mut self,
        left: Built,
        right: Built,
        kind: JoinKind,
        on: Vec<Expr>,
        rows: f64,
        lateral: bool,
    ) -> Result<Built> {
        let both: Vec<ColId> = left.layout.iter().chain(&right.layout).copied().collect();
        let filter = self.all_slots(on, &both)?;
        let filter = (!filter.is_empty()).then(|| Expr::and(filter));
        let (types, layout) = joined_row(&left, &right, kind);
        let order = if matches!(kind, JoinKind::Full | JoinKind::Right) { Order::new() } else { left.order };
        let kind =
            NodeKind::NestedLoop { left: Box::new(left.node), right: Box::new(right.node), kind, filter, lateral };
        Ok(Built { node: Node { kind, types, rows }, layout, order })
    }

    /// LEFT, FULL, semi and anti joins.
    fn outer(
        &mut self,
        left: Rel,
        right: Rel,
        kind: JoinKind,
        on: Expr,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        let (left_set, right_set) = (left.visible(), right.visible());
        let on = conjuncts_of(on);
        // Above: what reads the left side only may go there, unless left rows are made up (FULL).
        let (down, above): (Vec<Expr>, Vec<Expr>) = conjuncts
            .into_iter()
            .partition(|conjunct| kind != JoinKind::Full && columns_of(conjunct).is_disjoint(&right_set));
        // In the condition: what reads the right side only restricts it, unless right rows must show (FULL).
        let (right_own, on): (Vec<Expr>, Vec<Expr>) = on.into_iter().partition(|conjunct| {
            let used = columns_of(conjunct);
            kind != JoinKind::Full && used.is_disjoint(&left_set) && !used.is_disjoint(&right_set)
        });
        let needed = Want::columns(want.columns.clone()).and_exprs(on.iter().chain(&above)).columns;
        let left_want = Want {
            columns: needed.clone(),
            order: if kind == JoinKind::Full { Order::new() } else { want.order.clone() },
            limit: None,
        };
        let mut left = self.build(left, down, &left_want)?;
        let right_needed: BTreeSet<ColId> = match kind {
            JoinKind::Semi | JoinKind::Anti => Want::default().and_exprs(on.iter().chain(&right_own)).columns,
            _ => needed.clone(),
        };
        let leaf = self.leaf(right, right_own, &right_needed)?;
        let mut plain = Vec::with_capacity(on.len());
        for conjunct in on {
            // A subquery in ON is evaluated on the left row; one that reads the right row is refused by `slots`.
            plain.push(self.lift(conjunct, &mut left)?);
        }
        let usable: Vec<&Expr> = plain.iter().collect();
        let have = left.layout.iter().copied().collect();
        let candidate = candidate(0, &leaf, &left, &have, &right_set, &usable, &right_needed);
        let method = match candidate.method {
            Method::Lookup(_) if kind == JoinKind::Full => Method::Hash,
            method => method,
        };
        let rows = match kind {
            JoinKind::Semi | JoinKind::Anti => (left.node.rows * 0.5).max(1.0),
            _ => candidate.rows.max(left.node.rows),
        };
        let built = self.join_leaf(left, leaf, method, kind, plain, &right_needed, rows)?;
        self.filter(built, above)
    }

    /// The right side is run for each left row.
    fn lateral(
        &mut self,
        left: Rel,
        right: Rel,
        kind: JoinKind,
        on: Expr,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        let right_set = right.visible();
        let (down, above): (Vec<Expr>, Vec<Expr>) =
            conjuncts.into_iter().partition(|conjunct| columns_of(conjunct).is_disjoint(&right_set));
        let on = conjuncts_of(on);
        let mut needed = Want::columns(want.columns.clone()).and_exprs(on.iter().chain(&above)).columns;
        needed.extend(right.free());
        let order = want.order.clone();
        let left = self.build(left, down, &Want { columns: needed.clone(), order, limit: None })?;
        let depends = !right.free().is_disjoint(&left.layout.iter().copied().collect());
        if depends {
            self.outer.push(left.layout.clone());
        }
        let right = self.build(right, Vec::new(), &Want::columns(needed));
        if depends {
            self.outer.pop();
        }
        let right = right?;
        let rows = left.node.rows * right.node.rows;
        let built = self.nested(left, right, kind, on, rows, depends)?;
        self.filter(built, above)
    }
}

fn joined_row(left: &Built, right: &Built, kind: JoinKind) -> (Vec<crate::sql::types::Type>, Vec<ColId>) {
    let mut types = left.node.types.clone();
    let mut layout = left.layout.clone();
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        types.extend(right.node.types.iter().cloned());
        layout.extend(&right.layout);
    }
    (types, layout)
}

/// The columns of a table that are wanted.
fn own_columns(source: &TableSource, needed: &BTreeSet<ColId>) -> BTreeSet<ColId> {
    source.columns.iter().map(|col| col.id).filter(|id| needed.contains(id)).collect()
}

fn table_path(source: &TableSource, conjuncts: &[Expr], needed: &BTreeSet<ColId>, order: &Order) -> Path {
    access::choose(&Wish {
        table: &source.table,
        columns: &source.columns,
        conjuncts,
        local: &source.columns.iter().map(|col| col.id).collect(),
        needed: &own_columns(source, needed),
        order,
        limited: false,
        equal_only: false,
    })
}

/// The best way to join `leaf` to the rows so far under the conditions `on`.
fn candidate(
    at: usize,
    leaf: &Leaf,
    built: &Built,
    have: &BTreeSet<ColId>,
    set: &BTreeSet<ColId>,
    on: &[&Expr],
    needed: &BTreeSet<ColId>,
) -> Candidate {
    let left_rows = built.node.rows;
    let leaf_rows = match leaf {
        Leaf::Table { rows, .. } => *rows,
        Leaf::Built(built) => built.node.rows,
    };
    let hashable = on.iter().any(|conjunct| equal_sides(conjunct, have, set).is_some());
    let connected = !on.is_empty();
    let mut best = if hashable {
        let cost = leaf_rows * (1.0 + cost::HASH) + left_rows * cost::HASH;
        Candidate { leaf: at, method: Method::Hash, connected, cost, rows: left_rows.max(leaf_rows) }
    } else {
        let pairs = left_rows * leaf_rows;
        let share = if on.is_empty() { 1.0 } else { cost::FILTERED };
        Candidate { leaf: at, method: Method::Loop, connected, cost: leaf_rows + pairs, rows: (pairs * share).max(1.0) }
    };
    if let Leaf::Table { source, conjuncts, .. } = leaf {
        let all: Vec<Expr> = conjuncts.iter().cloned().chain(on.iter().copied().cloned()).collect();
        let local: BTreeSet<ColId> = source.columns.iter().map(|col| col.id).collect();
        let columns = own_columns(source, needed);
        let path = access::choose(&Wish {
            table: &source.table,
            columns: &source.columns,
            conjuncts: &all,
            local: &local,
            needed: &columns,
            order: &Order::new(),
            limited: false,
            equal_only: true,
        });
        let joins = path.used.iter().any(|used| *used >= conjuncts.len());
        if joins && path.equal > 0 {
            let fetch = if path.fetch { cost::FETCH } else { 0.0 };
            let unused = all.len() > path.used.len();
            let index = source.table.all_indexes().find(|index| index.id == path.index);
            let found = index.map_or(path.rows, |index| cost::lookup_rows(index, path.equal));
            let cost = left_rows * (cost::LOOKUP + found * (1.0 + fetch));
            let rows = (left_rows * found * if unused { cost::FILTERED } else { 1.0 }).max(1.0);
            if cost < best.cost {
                best = Candidate { leaf: at, method: Method::Lookup(path), connected, cost, rows };
            }
        }
    }
    best
}

/// The sides of an equality between the rows so far and a relation.
fn equal_sides(conjunct: &Expr, lefts: &BTreeSet<ColId>, rights: &BTreeSet<ColId>) -> Option<(Expr, Expr)> {
    let Expr::Compare { op: CompareOp::Eq, left, right } = conjunct else { return None };
    let of = |expr: &Expr, own: &BTreeSet<ColId>, other: &BTreeSet<ColId>| {
        let used = columns_of(expr);
        !used.is_disjoint(own) && used.is_disjoint(other)
    };
    if of(left, lefts, rights) && of(right, rights, lefts) {
        return Some((Expr::clone(left), Expr::clone(right)));
    }
    if of(right, lefts, rights) && of(left, rights, lefts) {
        return Some((Expr::clone(right), Expr::clone(left)));
    }
    None
}
