//! Plans as text, in the manner of PostgreSQL's EXPLAIN.
//!
//! ```text
//!  Limit  (rows=1)
//!    ->  Index Scan using new_orders_pkey on new_orders  (rows=68)
//!          Index Cond: ((no_w_id = $1) AND (no_d_id = $2))
//!          Lock: FOR UPDATE
//! ```
//! Slots have no names; the names of a row are found by walking down to the tables that its values come from.

use super::show::{Names, show, show_index_condition};
use super::{Ddl, Delete, Insert, Node, NodeKind, Plan, PlanBody, Scan, SortKey, Update};
use crate::sql::parser::ExplainOptions;
use quorate_txn::{LockMode, LockWait};

/// The lines of EXPLAIN for a plan.
pub fn explain(plan: &Plan, options: ExplainOptions) -> Vec<String> {
    let mut text = Text { lines: Vec::new(), options };
    match &plan.body {
        PlanBody::Query(node) => text.node(node, 0, &[]),
        PlanBody::Insert(insert) => text.insert(insert),
        PlanBody::Update(update) => text.update(update),
        PlanBody::Delete(delete) => text.delete(delete),
        PlanBody::Ddl(ddl) => text.line(0, ddl_name(ddl)),
        PlanBody::CopyFrom(copy) => text.line(0, format!("Copy from stdin into {}", copy.insert.table.name)),
        PlanBody::CopyTo(copy) => text.node(&copy.source, 0, &[]),
        PlanBody::Explain { plan, .. } => return explain(plan, options),
        PlanBody::ShowRanges { .. } => text.line(0, "Show Ranges"),
        PlanBody::ShowNodes => text.line(0, "Show Nodes"),
        PlanBody::Nothing => text.line(0, "Nothing"),
    }
    for (number, init) in plan.init.iter().enumerate() {
        text.line(0, format!("InitPlan {}", number + 1));
        text.node(&init.node, 1, &[]);
    }
    for (number, cte) in plan.ctes.iter().enumerate().filter(|(_, node)| !node.types.is_empty()) {
        text.line(0, format!("CTE {}", number + 1));
        text.node(cte, 1, &[]);
    }
    text.lines
}

fn ddl_name(ddl: &Ddl) -> &'static str {
    match ddl {
        Ddl::CreateTable(create) if create.source.is_some() => "Create Table As",
        _ => "Utility Statement",
    }
}

struct Text {
    lines: Vec<String>,
    options: ExplainOptions,
}

impl Text {
    fn line(&mut self, depth: usize, text: impl AsRef<str>) {
        let indent = match depth {
            0 => String::new(),
            depth => format!("{}->  ", " ".repeat(6 * (depth - 1) + 2)),
        };
        self.lines.push(format!("{indent}{}", text.as_ref()));
    }

    /// A fact about the operator at `depth`.
    fn fact(&mut self, depth: usize, name: &str, text: impl AsRef<str>) {
        let indent = if depth == 0 { 2 } else { 6 * depth + 2 };
        self.lines.push(format!("{}{name}: {}", " ".repeat(indent), text.as_ref()));
    }

    fn operator(&mut self, depth: usize, name: impl AsRef<str>, node: &Node) {
        let rows = if self.options.no_costs { String::new() } else { format!("  (rows={:.0})", node.rows) };
        self.line(depth, format!("{}{rows}", name.as_ref()));
    }

    fn insert(&mut self, insert: &Insert) {
        self.line(0, format!("Insert on {}", insert.table.name));
        if let Some(conflict) = &insert.on_conflict {
            let resolution = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
            self.fact(0, "Conflict Resolution", resolution);
            if let Some(index) = conflict.arbiter.and_then(|id| insert.table.index(id)) {
                self.fact(0, "Conflict Arbiter Indexes", &index.name);
            }
        }
        self.node(&insert.source, 1, &[]);
    }

    fn update(&mut self, update: &Update) {
        self.line(0, format!("Update on {}", update.table.name));
        self.node(&update.source, 1, &[]);
    }

    fn delete(&mut self, delete: &Delete) {
        self.line(0, format!("Delete on {}", delete.table.name));
        self.node(&delete.source, 1, &[]);
    }

    fn node(&mut self, node: &Node, depth: usize, outer: &[Names]) {
        match &node.kind {
            NodeKind::Scan(scan) => self.scan(scan, node, depth, outer),
            NodeKind::LookupJoin { left, scan, kind, filter } => {
                let name =
                    format!("Lookup {}Join using {} on {}", join_word(*kind), index_name(scan), table_name(scan));
                self.operator(depth, name, node);
                let known = Names::of(left);
                self.fact(depth, "Index Cond", show_index_condition(scan, &known, outer));
                self.scan_facts(scan, depth, outer);
                if let Some(filter) = filter {
                    let both = known.join(&Names::of_scan(scan));
                    self.fact(depth, "Join Filter", show(filter, &both, outer));
                }
                self.node(left, depth + 1, outer);
            }
            NodeKind::HashJoin { left, right, kind, left_keys, right_keys, filter } => {
                self.operator(depth, format!("Hash {}Join", join_word(*kind)), node);
                let (lefts, rights) = (Names::of(left), Names::of(right));
                let pairs: Vec<String> = left_keys
                    .iter()
                    .zip(right_keys)
                    .map(|(a, b)| format!("({} = {})", show(a, &lefts, outer), show(b, &rights, outer)))
                    .collect();
                self.fact(depth, "Hash Cond", conjunction(pairs));
                if let Some(filter) = filter {
                    self.fact(depth, "Join Filter", show(filter, &lefts.join(&rights), outer));
                }
                self.node(left, depth + 1, outer);
                self.node(right, depth + 1, outer);
            }
            NodeKind::NestedLoop { left, right, kind, filter, lateral } => {
                self.operator(depth, format!("Nested Loop{}", loop_word(*kind)), node);
                let (lefts, rights) = (Names::of(left), Names::of(right));
                if let Some(filter) = filter {
                    self.fact(depth, "Join Filter", show(filter, &lefts.join(&rights), outer));
                }
                self.node(left, depth + 1, outer);
                let mut inside = outer.to_vec();
                if *lateral {
                    inside.push(lefts);
                }
                self.node(right, depth + 1, &inside);
            }
            NodeKind::Apply { input, subquery, correlated, .. } => {
                self.operator(depth, if *correlated { "SubPlan per row" } else { "SubPlan" }, node);
                self.node(input, depth + 1, outer);
                let mut inside = outer.to_vec();
                if *correlated {
                    inside.push(Names::of(input));
                }
                self.node(subquery, depth + 1, &inside);
            }
            _ => self.plain(node, depth, outer),
        }
    }

    /// Operators with inputs that all see the same rows outside.
    fn plain(&mut self, node: &Node, depth: usize, outer: &[Names]) {
        self.operator(depth, plain_name(&node.kind), node);
        match &node.kind {
            NodeKind::Filter { input, predicate } => {
                self.fact(depth, "Filter", show(predicate, &Names::of(input), outer));
            }
            NodeKind::Sort { input, keys, .. } => {
                self.fact(depth, "Sort Key", sort_keys(keys, &Names::of(input), outer));
            }
            NodeKind::Aggregate { input, groups, .. } if !groups.is_empty() => {
                let names = Names::of(input);
                let keys: Vec<String> = groups.iter().map(|key| show(key, &names, outer)).collect();
                self.fact(depth, "Group Key", keys.join(", "));
            }
            NodeKind::Project { input, exprs } if self.options.verbose => {
                let names = Names::of(input);
                let shown: Vec<String> = exprs.iter().map(|expr| show(expr, &names, outer)).collect();
                self.fact(depth, "Output", shown.join(", "));
            }
            _ => {}
        }
        for input in inputs(&node.kind) {
            self.node(input, depth + 1, outer);
        }
    }

    fn scan(&mut self, scan: &Scan, node: &Node, depth: usize, outer: &[Names]) {
        let nothing = Names::default();
        let condition = show_index_condition(scan, &nothing, outer);
        let is_primary = scan.index == scan.table.primary.id;
        let direction = if scan.reverse { " Backward" } else { "" };
        let name = if is_primary && condition.is_empty() && !scan.ordered {
            format!("Seq Scan on {}", table_name(scan))
        } else {
            let only = if is_primary || scan.fetch { "" } else { "Only " };
            format!("Index {only}Scan{direction} using {} on {}", index_name(scan), table_name(scan))
        };
        self.operator(depth, name, node);
        if !condition.is_empty() {
            self.fact(depth, "Index Cond", condition);
        }
        self.scan_facts(scan, depth, outer);
    }

    fn scan_facts(&mut self, scan: &Scan, depth: usize, outer: &[Names]) {
        if let Some(filter) = &scan.filter {
            self.fact(depth, "Filter", show(filter, &Names::of_scan(scan), outer));
        }
        if let Some(limit) = &scan.limit {
            self.fact(depth, "Limit", show(limit, &Names::default(), outer));
        }
        if let Some(lock) = scan.lock {
            let mode = if lock.mode == LockMode::Update { "FOR UPDATE" } else { "FOR SHARE" };
            let wait = match lock.wait {
                LockWait::Wait => "",
                LockWait::NoWait => " NOWAIT",
                LockWait::SkipLocked => " SKIP LOCKED",
            };
            self.fact(depth, "Lock", format!("{mode}{wait}"));
        }
    }
}

fn inputs(kind: &NodeKind) -> Vec<&Node> {
    match kind {
        NodeKind::Filter { input, .. }
        | NodeKind::Project { input, .. }
        | NodeKind::ProjectSet { input, .. }
        | NodeKind::Aggregate { input, .. }
        | NodeKind::Sort { input, .. }
        | NodeKind::Limit { input, .. }
        | NodeKind::Distinct { input, .. } => vec![input],
        NodeKind::Append { inputs } => inputs.iter().collect(),
        NodeKind::SetOp { left, right, .. } => vec![left, right],
        _ => Vec::new(),
    }
}

fn plain_name(kind: &NodeKind) -> String {
    use super::SetOperation as S;
    match kind {
        NodeKind::VirtualScan { table, .. } => format!("Virtual Scan on {}", table.name),
        NodeKind::CteScan { name, .. } => format!("CTE Scan on {name}"),
        NodeKind::FunctionScan { function, .. } => format!("Function Scan on {}", function.name()),
        NodeKind::Values { rows } if rows.len() == 1 => "Result".into(),
        NodeKind::Values { .. } => "Values Scan".into(),
        NodeKind::Filter { .. } => "Filter".into(),
        NodeKind::Project { .. } => "Project".into(),
        NodeKind::ProjectSet { .. } => "ProjectSet".into(),
        NodeKind::Aggregate { groups, .. } if groups.is_empty() => "Aggregate".into(),
        NodeKind::Aggregate { .. } => "HashAggregate".into(),
        NodeKind::Sort { limit: Some(_), .. } => "Top-N Sort".into(),
        NodeKind::Sort { .. } => "Sort".into(),
        NodeKind::Limit { .. } => "Limit".into(),
        NodeKind::Distinct { .. } => "Unique".into(),
        NodeKind::Append { .. } => "Append".into(),
        NodeKind::SetOp { operation, all, .. } => {
            let name = match operation {
                S::Union => "Union",
                S::Except => "Except",
                S::Intersect => "Intersect",
            };
            format!("SetOp {name}{}", if *all { " All" } else { "" })
        }
        _ => "Join".into(),
    }
}

fn conjunction(parts: Vec<String>) -> String {
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" AND ")) }
}

fn index_name(scan: &Scan) -> &str {
    match scan.table.index(scan.index) {
        Some(index) if !index.name.is_empty() => &index.name,
        _ => "rowid",
    }
}

fn table_name(scan: &Scan) -> String {
    match &scan.alias {
        Some(alias) => format!("{} {alias}", scan.table.name),
        None => scan.table.name.clone(),
    }
}

fn join_word(kind: super::JoinKind) -> &'static str {
    use super::JoinKind as J;
    match kind {
        J::Inner => "",
        J::Left => "Left ",
        J::Right => "Right ",
        J::Full => "Full ",
        J::Semi => "Semi ",
        J::Anti => "Anti ",
    }
}

fn loop_word(kind: super::JoinKind) -> String {
    match join_word(kind).trim_end() {
        "" => String::new(),
        word => format!(" {word} Join"),
    }
}

fn sort_keys(keys: &[SortKey], names: &Names, outer: &[Names]) -> String {
    let shown = keys.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        let nulls = match (key.nulls_first, key.descending) {
            (true, false) => " NULLS FIRST",
            (false, true) => " NULLS LAST",
            _ => "",
        };
        format!("{}{direction}{nulls}", show(&key.expr, names, outer))
    });
    shown.collect::<Vec<_>>().join(", ")
}
