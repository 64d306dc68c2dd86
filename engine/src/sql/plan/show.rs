//! Bound expressions as SQL text, for EXPLAIN.

use super::{Bound, Expr, IndexSpan, JoinKind, Node, NodeKind, Scan};
use crate::sql::types::{Type, TypeContext, Value};

/// The names of the values of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The names of the rows of an operator.
    pub(super) fn of(node: &Node) -> Names {
        let names = match &node.kind {
            NodeKind::Scan(scan) => return Names::of_scan(scan),
            NodeKind::VirtualScan { table, columns } => {
                columns.iter().map(|place| table.columns[*place].0.to_string()).collect()
            }
            NodeKind::Filter { input, .. }
            | NodeKind::Sort { input, .. }
            | NodeKind::Limit { input, .. }
            | NodeKind::Distinct { input, .. } => return Names::of(input),
            NodeKind::Project { input, exprs } => {
                let below = Names::of(input);
                exprs.iter().map(|expr| show(expr, &below, &[])).collect()
            }
            NodeKind::ProjectSet { input, functions } => {
                let mut names = Names::of(input).0;
                names.extend(functions.iter().map(|(function, _)| function.name().to_string()));
                names
            }
            NodeKind::Apply { input, .. } => {
                let mut names = Names::of(input).0;
                names.push("(SubPlan)".into());
                names
            }
            NodeKind::HashJoin { left, right, kind, .. } | NodeKind::NestedLoop { left, right, kind, .. } => {
                return Names::joined(Names::of(left), Names::of(right), *kind);
            }
            NodeKind::LookupJoin { left, scan, kind, .. } => {
                return Names::joined(Names::of(left), Names::of_scan(scan), *kind);
            }
            NodeKind::Aggregate { input, groups, aggregates } => {
                let below = Names::of(input);
                let groups = groups.iter().map(|expr| show(expr, &below, &[]));
                groups.chain(aggregates.iter().map(|call| show_aggregate(call, &below))).collect()
            }
            NodeKind::SetOp { left, .. } => return Names::of(left),
            NodeKind::Append { inputs } => return inputs.first().map(Names::of).unwrap_or_default(),
            NodeKind::FunctionScan { function, .. } => vec![function.name().to_string(); node.types.len()],
            NodeKind::CteScan { .. } | NodeKind::Values { .. } => {
                (1..=node.types.len()).map(|number| format!("column{number}")).collect()
            }
        };
        Names(names)
    }

    /// The names of the values that a scan yields.
    pub(super) fn of_scan(scan: &Scan) -> Names {
        let prefix = scan.alias.as_ref().map(|alias| format!("{alias}.")).unwrap_or_default();
        Names(scan.columns.iter().map(|place| format!("{prefix}{}", scan.table.columns[*place].name)).collect())
    }

    fn joined(left: Names, right: Names, kind: JoinKind) -> Names {
        match kind {
            JoinKind::Semi | JoinKind::Anti => left,
            _ => left.join(&right),
        }
    }

    /// The names of both rows side by side.
    pub(super) fn join(&self, right: &Names) -> Names {
        Names(self.0.iter().chain(&right.0).cloned().collect())
    }

    fn get(&self, slot: usize) -> String {
        self.0.get(slot).cloned().unwrap_or_else(|| format!("column{}", slot + 1))
    }
}

fn show_aggregate(call: &super::AggregateCall, names: &Names) -> String {
    let args: Vec<String> = call.args.iter().map(|arg| show(arg, names, &[])).collect();
    let args = if call.args.is_empty() { "*".to_string() } else { args.join(", ") };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    format!("{}({distinct}{args})", call.function.name())
}

/// The condition that the spans of a scan stand for; empty for the whole index.
pub(super) fn show_index_condition(scan: &Scan, known: &Names, outer: &[Names]) -> String {
    let Some(index) = scan.table.index(scan.index) else { return String::new() };
    let prefix = scan.alias.as_ref().map(|alias| format!("{alias}.")).unwrap_or_default();
    let names: Vec<String> = index
        .columns
        .iter()
        .map(|key| scan.table.column(key.column).map_or("?".into(), |column| format!("{prefix}{}", column.name)))
        .collect();
    let spans: Vec<String> = scan.spans.iter().map(|span| show_span(span, &names, known, outer)).collect();
    let spans: Vec<String> = spans.into_iter().filter(|span| !span.is_empty()).collect();
    match spans.len() {
        0 => String::new(),
        1 => spans.concat(),
        count if count > 4 => format!("({} OR ... {} more)", spans[..2].join(" OR "), count - 2),
        _ => format!("({})", spans.join(" OR ")),
    }
}

fn show_span(span: &IndexSpan, names: &[String], known: &Names, outer: &[Names]) -> String {
    let equal = span.equal.iter().zip(names).enumerate().map(|(place, (value, name))| {
        let value = show(value, known, outer);
        if span.any == Some(place) { format!("({name} = ANY ({value}))") } else { format!("({name} = {value})") }
    });
    let mut parts: Vec<String> = equal.collect();
    let next = names.get(span.equal.len()).map_or("?", String::as_str);
    for (bound, inclusive, exclusive) in [(&span.lower, ">=", ">"), (&span.upper, "<=", "<")] {
        match bound {
            Bound::Unbounded => {}
            Bound::Inclusive(value) => parts.push(format!("({next} {inclusive} {})", show(value, known, outer))),
            Bound::Exclusive(value) => parts.push(format!("({next} {exclusive} {})", show(value, known, outer))),
        }
    }
    if parts.len() == 1 {
        parts.concat()
    } else if parts.is_empty() {
        String::new()
    } else {
        format!("({})", parts.join(" AND "))
    }
}

/// An expression over a row of these names.
pub(super) fn show(expr: &Expr, names: &Names, outer: &[Names]) -> String {
    let sub = |expr: &Expr| show(expr, names, outer);
    let list = |exprs: &[Expr]| exprs.iter().map(sub).collect::<Vec<_>>().join(", ");
    match expr {
        Expr::Literal { value, ty } => show_literal(value, ty),
        Expr::Column { slot, .. } => names.get(*slot),
        Expr::Outer { depth, slot, .. } => match outer.len().checked_sub(*depth).and_then(|at| outer.get(at)) {
            Some(names) => names.get(*slot),
            None => format!("outer{depth}.{slot}"),
        },
        Expr::Parameter { index, .. } => format!("${}", index + 1),
        Expr::Init { index, .. } => format!("(InitPlan {})", index + 1),
        Expr::Cast { input, to, .. } => format!("({})::{to}", sub(input)),
        Expr::Not(input) => format!("(NOT {})", sub(input)),
        Expr::And(parts) => format!("({})", parts.iter().map(sub).collect::<Vec<_>>().join(" AND ")),
        Expr::Or(parts) => format!("({})", parts.iter().map(sub).collect::<Vec<_>>().join(" OR ")),
        Expr::IsNull { input, negated } => format!("({} IS {}NULL)", sub(input), not(*negated)),
        Expr::IsTruth { input, value, negated } => {
            let value = match value {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "UNKNOWN",
            };
            format!("({} IS {}{value})", sub(input), not(*negated))
        }
        Expr::Compare { op, left, right } => format!("({} {} {})", sub(left), op.symbol(), sub(right)),
        Expr::Distinct { left, right, negated } => {
            format!("({} IS {}DISTINCT FROM {})", sub(left), not(*negated), sub(right))
        }
        Expr::Binary { op, left, right, .. } => format!("({} {} {})", sub(left), op.symbol(), sub(right)),
        Expr::Negate { input, .. } => format!("(- {})", sub(input)),
        Expr::Like { input, pattern, case_insensitive, negated, .. } => {
            let star = if *case_insensitive { "*" } else { "" };
            format!("({} {}~~{star} {})", sub(input), if *negated { "!" } else { "" }, sub(pattern))
        }
        Expr::Regex { input, pattern, case_insensitive, negated } => {
            let star = if *case_insensitive { "*" } else { "" };
            format!("({} {}~{star} {})", sub(input), if *negated { "!" } else { "" }, sub(pattern))
        }
        Expr::InList { input, list: values, negated } => {
            format!("({} {}IN ({}))", sub(input), not(*negated), list(values))
        }
        Expr::Quantified { op, left, array, all } => {
            format!("({} {} {} ({}))", sub(left), op.symbol(), if *all { "ALL" } else { "ANY" }, sub(array))
        }
        Expr::Case { .. } => "CASE ... END".into(),
        Expr::Coalesce { args, .. } => format!("COALESCE({})", list(args)),
        Expr::Call { function, args, .. } => format!("{}({})", format!("{function:?}").to_lowercase(), list(args)),
        Expr::Array { elements, .. } => format!("ARRAY[{}]", list(elements)),
        Expr::Subscript { array, indexes, .. } => format!("{}[{}]", sub(array), list(indexes)),
        Expr::Row { fields, .. } => format!("ROW({})", list(fields)),
        Expr::Subquery(_) => "(SubPlan)".into(),
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn show_literal(value: &Value, ty: &Type) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int2(_) | Value::Int4(_) | Value::Int8(_) => value.to_text(&TypeContext::default()),
        Value::Numeric(_) | Value::Float4(_) | Value::Float8(_) => value.to_text(&TypeContext::default()),
        other => format!("'{}'::{ty}", other.to_text(&TypeContext::default()).replace('\'', "''")),
    }
}
