//! Scans of tables: the chosen path with its spans and filter as a node.

use super::access::{self, Path, Wish};
use super::build::{Built, Planner, Want, has_subquery};
use super::cost;
use super::logical::{Col, ColId};
use crate::error::Result;
use crate::sql::catalog::Table;
use crate::sql::plan::{Bound, Expr, IndexSpan, Lock, Node, NodeKind, Scan};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table with what the query says of it.
pub(super) struct TableSource {
    pub(super) table: Arc<Table>,
    pub(super) columns: Vec<Col>,
    pub(super) alias: String,
    pub(super) lock: Option<Lock>,
}

impl Planner {
    pub(super) fn table(&mut self, source: TableSource, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        let TableSource { table, columns, .. } = &source;
        let holds = |conjunct: &Expr| !is_known_not_null(conjunct, table, columns);
        let (later, own): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().filter(holds).partition(has_subquery);
        let needed = Want::columns(want.columns.clone()).and_exprs(&later).columns;
        let local = columns.iter().map(|col| col.id).collect();
        // A lock is taken on the row itself.
        let path = access::choose(&Wish {
            table,
            columns,
            conjuncts: &own,
            local: &local,
            needed: &needed,
            order: &want.order,
            limited: want.limit.is_some(),
            equal_only: false,
        });
        let limit = if later.is_empty() { want.limit.clone() } else { None };
        let built = self.scan(source, path, own, &needed, limit, want, &[])?;
        self.filter(built, later)
    }

    /// A scan by `path` that yields the `needed` columns and those of its own filter; expressions of spans read the row `known` (of a lookup join), or nothing.
    #[allow(clippy::too_many_arguments, reason = "one call site per kind of scan, each with all of these at hand")]
    pub(super) fn scan(
        &mut self,
        source: TableSource,
        path: Path,
        conjuncts: Vec<Expr>,
        needed: &BTreeSet<ColId>,
        limit: Option<Expr>,
        want: &Want,
        known: &[ColId],
    ) -> Result<Built> {
        let TableSource { table, columns, alias, lock } = source;
        let unused =
            conjuncts.iter().enumerate().filter(|(at, _)| !path.used.contains(at)).map(|(_, conjunct)| conjunct);
        let needed = Want::columns(needed.clone()).and_exprs(unused).columns;
        let places: Vec<usize> = (0..columns.len()).filter(|place| needed.contains(&columns[*place].id)).collect();
        let layout: Vec<ColId> = places.iter().map(|place| columns[*place].id).collect();
        let mut filter = Vec::new();
        for (at, conjunct) in conjuncts.into_iter().enumerate() {
            if !path.used.contains(&at) {
                filter.push(self.slots(conjunct, &layout)?);
            }
        }
        let mut spans = Vec::with_capacity(path.spans.len());
        for span in path.spans {
            spans.push(IndexSpan {
                any: span.any,
                equal: self.all_slots(span.equal, known)?,
                lower: self.bound_slots(span.lower, known)?,
                upper: self.bound_slots(span.upper, known)?,
            });
        }
        let ordered = !want.order.is_empty() && access::satisfied(&path.order, &want.order);
        let limit = limit.filter(|_| want.order.is_empty() || ordered);
        let share = if filter.is_empty() { 1.0 } else { cost::FILTERED };
        let rows = (path.rows * share).max(1.0);
        let types = places.iter().map(|place| columns[*place].ty.clone()).collect();
        let shown = (alias != table.name).then_some(alias);
        let is_secondary = path.index != table.primary.id;
        let scan = Scan {
            index: path.index,
            spans,
            columns: places,
            filter: (!filter.is_empty()).then(|| Expr::and(filter)),
            reverse: path.reverse,
            ordered,
            limit,
            fetch: path.fetch || (is_secondary && lock.is_some()),
            lock,
            is_point: path.is_point,
            alias: shown,
            table,
        };
        Ok(Built { node: Node { kind: NodeKind::Scan(Box::new(scan)), types, rows }, layout, order: path.order })
    }

    fn bound_slots(&self, bound: Bound, known: &[ColId]) -> Result<Bound> {
        Ok(match bound {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Inclusive(expr) => Bound::Inclusive(self.slots(expr, known)?),
            Bound::Exclusive(expr) => Bound::Exclusive(self.slots(expr, known)?),
        })
    }
}

/// `x IS NOT NULL` of a column that is declared so.
fn is_known_not_null(conjunct: &Expr, table: &Table, columns: &[Col]) -> bool {
    let Expr::IsNull { input, negated: true } = conjunct else { return false };
    let Expr::Column { slot, .. } = &**input else { return false };
    columns.iter().position(|col| col.id == *slot).is_some_and(|place| !table.columns[place].nullable)
}

/// The scan with its values in the wanted order, if it has no filter that would lose a column.
pub(super) fn relaid(built: &Built, wanted: &[ColId]) -> Option<Built> {
    let NodeKind::Scan(scan) = &built.node.kind else { return None };
    let slots: Vec<usize> =
        wanted.iter().map(|id| built.layout.iter().position(|known| known == id)).collect::<Option<_>>()?;
    if let Some(filter) = &scan.filter
        && filter.any(&mut |part| matches!(part, Expr::Column { slot, .. } if !slots.contains(slot)))
    {
        return None;
    }
    let mut scan = scan.clone();
    if let Some(filter) = &mut scan.filter {
        filter.transform(&mut |part| {
            if let Expr::Column { slot, .. } = part
                && let Some(place) = slots.iter().position(|known| known == slot)
            {
                *slot = place;
            }
        });
    }
    let types = slots.iter().map(|slot| built.node.types[*slot].clone()).collect();
    scan.columns = slots.iter().map(|slot| scan.columns[*slot]).collect();
    let node = Node { kind: NodeKind::Scan(scan), types, rows: built.node.rows };
    Some(Built { node, layout: wanted.to_vec(), order: built.order.clone() })
}
