//! How a table is read: which index, which spans of it, in which direction.
//!
//! A condition serves an index if it compares a key column with something that is known before the scan starts:
//! constants, parameters, outer columns, and for a lookup join the columns of the other side. Equalities fix the first
//! key columns, lists of values (IN, OR of equalities, `= ANY (array)`) multiply the spans, and a range bounds the next
//! column. Conditions that serve exactly are used up;
//! all others stay as a filter.

use super::cost;
use super::logical::{Col, ColId, columns_of};
use crate::sql::catalog::{Index, IndexId, Table};
use crate::sql::plan::{Bound, CompareOp, Expr, IndexSpan};
use crate::sql::types::{CastKind, Type, Value};
use std::collections::BTreeSet;

/// Most spans that IN lists may make.
const MAX_SPANS: usize = 1_000;

/// A required or provided order: column and whether it is descending.
pub(super) type Order = Vec<(ColId, bool)>;

/// A way to read a table.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) index: IndexId,
    /// Expressions over columns that are known outside.
    pub(super) spans: Vec<IndexSpan>,
    /// Places of the conditions that the spans imply.
    pub(super) used: Vec<usize>,
    /// At most one row.
    pub(super) is_point: bool,
    pub(super) reverse: bool,
    pub(super) order: Order,
    /// Rows out of the spans.
    pub(super) rows: f64,
    /// Rows read, fetches included.
    pub(super) cost: f64,
    /// The index lacks columns that are needed.
    pub(super) fetch: bool,
    /// Key columns fixed by equality.
    pub(super) equal: usize,
}

/// What is wanted of a table.
pub(super) struct Wish<'a> {
    pub(super) table: &'a Table,
    /// Ids by place.
    pub(super) columns: &'a [Col],
    /// The conditions.
    pub(super) conjuncts: &'a [Expr],
    /// Columns that are known before the scan starts; columns of no relation here count as known as well.
    pub(super) local: &'a BTreeSet<ColId>,
    /// Columns that are read by others than the conditions.
    pub(super) needed: &'a BTreeSet<ColId>,
    pub(super) order: &'a Order,
    /// Few rows are wanted (LIMIT).
    pub(super) limited: bool,
    /// Only equalities count (lookup joins).
    pub(super) equal_only: bool,
}

/// A condition that an index may serve.
enum Serves {
    Compare(CompareOp, Expr),
    In(Vec<Expr>),
    /// Equal to an element of an array that is not known yet.
    Any(Expr),
}

/// The cheapest way.
pub(super) fn choose(wish: &Wish<'_>) -> Path {
    let served: Vec<Option<(usize, Serves)>> = wish.conjuncts.iter().map(|conjunct| serves(wish, conjunct)).collect();
    let mut best: Option<Path> = None;
    for index in wish.table.all_indexes().filter(|index| index.ready) {
        let path = path(wish, index, &served);
        if best.as_ref().is_none_or(|best| path.cost < best.cost) {
            best = Some(path);
        }
    }
    best.unwrap_or_else(|| path(wish, &wish.table.primary, &served))
}

/// Whether and how a condition serves a column: its place and the comparison with the column on the left.
fn serves(wish: &Wish<'_>, conjunct: &Expr) -> Option<(usize, Serves)> {
    match conjunct {
        Expr::Compare { op, left, right } if *op != CompareOp::Ne => {
            if let Some(place) = key_column(wish, left)
                && is_known(wish, right)
            {
                return Some((place, Serves::Compare(*op, Expr::clone(right))));
            }
            let place = key_column(wish, right)?;
            is_known(wish, left).then(|| (place, Serves::Compare(op.flip(), Expr::clone(left))))
        }
        Expr::InList { input, list, negated: false } => {
            let place = key_column(wish, input)?;
            list.iter().all(|value| is_known(wish, value)).then(|| (place, Serves::In(list.clone())))
        }
        Expr::Or(parts) => serves_or(wish, parts),
        Expr::Quantified { op: CompareOp::Eq, left, array, all: false } => {
            let place = key_column(wish, left)?;
            is_known(wish, array).then(|| (place, elements(array)))
        }
        // A boolean column by itself.
        Expr::Column { ty: Type::Bool, .. } => {
            Some((key_column(wish, conjunct)?, Serves::Compare(CompareOp::Eq, Expr::bool(true))))
        }
        _ => None,
    }
}

/// Alternatives serve a column together if each is a list of values of it.
fn serves_or(wish: &Wish<'_>, parts: &[Expr]) -> Option<(usize, Serves)> {
    let mut column = None;
    let mut values = Vec::new();
    for part in parts {
        let (place, serves) = serves(wish, part)?;
        match serves {
            Serves::Compare(CompareOp::Eq, value) => values.push(value),
            Serves::In(list) => values.extend(list),
            Serves::Compare(..) | Serves::Any(_) => return None,
        }
        if *column.get_or_insert(place) != place {
            return None;
        }
    }
    Some((column?, Serves::In(values)))
}

/// The elements of an array, if they are written down.
fn elements(array: &Expr) -> Serves {
    let list: Vec<Expr> = match array {
        Expr::Array { elements, .. } if elements.iter().all(|part| !matches!(part.ty(), Type::Array(_))) => {
            elements.clone()
        }
        Expr::Literal { value: Value::Array(array), .. } => {
            array.values().iter().map(|value| Expr::literal(value.clone(), array.element_type().clone())).collect()
        }
        _ => Vec::new(),
    };
    if list.is_empty() { Serves::Any(array.clone()) } else { Serves::In(list) }
}

/// The place of a column of the table; a cast of an integer to a wider one keeps order and key bytes.
fn key_column(wish: &Wish<'_>, expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column { slot, .. } => wish.columns.iter().position(|col| col.id == *slot),
        Expr::Cast { input, to, kind: CastKind::Implicit } if to.is_integer() && input.ty().is_integer() => {
            key_column(wish, input)
        }
        _ => None,
    }
}

/// Whether the value is known before the scan starts.
fn is_known(wish: &Wish<'_>, expr: &Expr) -> bool {
    let volatile = expr.any(&mut |part| match part {
        Expr::Call { function, .. } => function.is_volatile(),
        Expr::Subquery(_) => true,
        _ => false,
    });
    !volatile && columns_of(expr).is_disjoint(wish.local)
}

fn path(wish: &Wish<'_>, index: &Index, served: &[Option<(usize, Serves)>]) -> Path {
    let places = wish.table.key_places(index);
    let mut spans = vec![IndexSpan::default()];
    let mut used = Vec::new();
    let mut equal = 0;
    let mut multiplied = false;
    let mut has_array = false;
    for place in &places {
        if let Some((at, value)) = find_equal(served, *place) {
            spans.iter_mut().for_each(|span| span.equal.push(value.clone()));
            used.push(at);
        } else if !wish.equal_only
            && let Some((at, list)) = find_in(served, *place)
            && spans.len() * list.len() <= MAX_SPANS
        {
            spans = spans.iter().flat_map(|span| list.iter().map(|value| with_equal(span, value))).collect();
            used.push(at);
            multiplied = true;
        } else if !wish.equal_only
            && !has_array
            && let Some((at, array)) = find_any(served, *place)
        {
            for span in &mut spans {
                span.any = Some(span.equal.len());
                span.equal.push(array.clone());
            }
            used.push(at);
            (multiplied, has_array) = (true, true);
        } else {
            break;
        }
        equal += 1;
    }
    let mut bounds = 0;
    if !wish.equal_only
        && let Some(place) = places.get(equal)
    {
        bounds = bound_spans(served, *place, &mut spans, &mut used);
    }
    finish(wish, index, &places, Parts { spans, used, equal, bounds, multiplied, has_array })
}

struct Parts {
    spans: Vec<IndexSpan>,
    used: Vec<usize>,
    equal: usize,
    bounds: usize,
    multiplied: bool,
    has_array: bool,
}

fn finish(wish: &Wish<'_>, index: &Index, places: &[usize], parts: Parts) -> Path {
    let Parts { spans, used, equal, bounds, multiplied, has_array } = parts;
    let is_primary = index.id == wish.table.primary.id;
    let primary = wish.table.key_places(&wish.table.primary);
    let needed = needed_with(wish, &used);
    let covers =
        |(place, col): (usize, &Col)| !needed.contains(&col.id) || places.contains(&place) || primary.contains(&place);
    let decodes = decodes_exactly(wish, &needed, places) && decodes_exactly(wish, &needed, &primary);
    let fetch = !(is_primary || decodes && wish.columns.iter().enumerate().all(covers));
    let values = spans.len() as f64 * if has_array { cost::ARRAY_VALUES } else { 1.0 };
    let rows = cost::list_rows(cost::index_rows(index, equal, bounds), values);
    let is_point = index.unique && equal == places.len() && !multiplied;
    let (order, reverse) = provided_order(wish, index, places, equal, multiplied);
    let satisfies = wish.order.is_empty() || satisfied(&order, wish.order);
    let mut read = rows;
    if wish.limited && satisfies {
        // The filter decides how far the scan goes; few rows are the good guess.
        read = read.min(10.0);
    }
    let mut cost = read * (1.0 + if fetch { cost::FETCH } else { 0.0 });
    if !satisfies {
        cost += cost::sort(rows);
    }
    // Of equal costs, the primary index and the one with more fixed columns win.
    cost += if is_primary { 0.0 } else { 0.01 } - 0.001 * equal as f64;
    Path { index: index.id, spans, used, is_point, reverse, order, rows, cost, fetch, equal }
}

/// The columns that a scan must yield: those that others read, and those of the conditions that spans do not imply.
pub(super) fn needed_with(wish: &Wish<'_>, used: &[usize]) -> BTreeSet<ColId> {
    let mut needed = wish.needed.clone();
    for (at, conjunct) in wish.conjuncts.iter().enumerate() {
        if !used.contains(&at) {
            needed.extend(columns_of(conjunct));
        }
    }
    needed
}

/// Keys of char(n) and numeric do not keep the value's display form: such columns are fetched from the row.
fn decodes_exactly(wish: &Wish<'_>, needed: &BTreeSet<ColId>, places: &[usize]) -> bool {
    let is_needed = |place: &&usize| wish.columns.get(**place).is_some_and(|col| needed.contains(&col.id));
    places.iter().filter(is_needed).all(|place| {
        !matches!(
            wish.table.columns[*place].ty,
            Type::Char(_) | Type::Numeric(_) | Type::Json | Type::Jsonb | Type::Array(_) | Type::Record
        )
    })
}

fn with_equal(span: &IndexSpan, value: &Expr) -> IndexSpan {
    let mut span = span.clone();
    span.equal.push(value.clone());
    span
}

fn find_equal(served: &[Option<(usize, Serves)>], place: usize) -> Option<(usize, Expr)> {
    served.iter().enumerate().find_map(|(at, serves)| match serves {
        Some((column, Serves::Compare(CompareOp::Eq, value))) if *column == place => Some((at, value.clone())),
        _ => None,
    })
}

fn find_in(served: &[Option<(usize, Serves)>], place: usize) -> Option<(usize, &[Expr])> {
    served.iter().enumerate().find_map(|(at, serves)| match serves {
        Some((column, Serves::In(list))) if *column == place => Some((at, list.as_slice())),
        _ => None,
    })
}

fn find_any(served: &[Option<(usize, Serves)>], place: usize) -> Option<(usize, &Expr)> {
    served.iter().enumerate().find_map(|(at, serves)| match serves {
        Some((column, Serves::Any(array))) if *column == place => Some((at, array)),
        _ => None,
    })
}

/// Bounds of the column at `place`: the first lower and the first upper one.
fn bound_spans(
    served: &[Option<(usize, Serves)>],
    place: usize,
    spans: &mut [IndexSpan],
    used: &mut Vec<usize>,
) -> usize {
    let (mut lower, mut upper) = (Bound::Unbounded, Bound::Unbounded);
    for (at, serves) in served.iter().enumerate() {
        let Some((column, Serves::Compare(op, value))) = serves else { continue };
        if *column != place {
            continue;
        }
        let side = if matches!(op, CompareOp::Gt | CompareOp::Ge) { &mut lower } else { &mut upper };
        if !matches!(side, Bound::Unbounded) {
            continue;
        }
        *side = match op {
            CompareOp::Ge | CompareOp::Le => Bound::Inclusive(value.clone()),
            CompareOp::Gt | CompareOp::Lt => Bound::Exclusive(value.clone()),
            CompareOp::Eq | CompareOp::Ne => continue,
        };
        used.push(at);
    }
    let bounds = usize::from(lower.value().is_some()) + usize::from(upper.value().is_some());
    for span in spans {
        span.lower = lower.clone();
        span.upper = upper.clone();
    }
    bounds
}

/// The order in which rows come, and whether the scan must run backwards to give the wanted one.
fn provided_order(wish: &Wish<'_>, index: &Index, places: &[usize], equal: usize, multiplied: bool) -> (Order, bool) {
    let id = |place: usize| wish.columns[place].id;
    // Fixed columns have one value: they fit any order. Several spans are read in the order of the index as well, but
    // then the fixed columns vary.
    let free_from = if multiplied { 0 } else { equal };
    let mut forward: Order =
        index.columns.iter().zip(places).skip(free_from).map(|(key, place)| (id(*place), key.descending)).collect();
    // Entries of equal keys of an index that is not unique are in the order of the primary key.
    if !index.unique {
        let primary = wish.table.primary.columns.iter().zip(wish.table.key_places(&wish.table.primary));
        forward.extend(primary.map(|(key, place)| (id(place), key.descending)));
    }
    let fixed: Order = match multiplied {
        true => Vec::new(),
        false => places[..equal].iter().flat_map(|place| [(id(*place), false), (id(*place), true)]).collect(),
    };
    let wanted: Order = wish.order.iter().filter(|key| !fixed.contains(key)).copied().collect();
    let backward: Order = forward.iter().map(|(id, descending)| (*id, !descending)).collect();
    if !wanted.is_empty() && !forward.starts_with(&wanted) && backward.starts_with(&wanted) {
        return (with_fixed(wish.order, &fixed, backward), true);
    }
    (with_fixed(wish.order, &fixed, forward), false)
}

/// The provided order, with fixed columns put where the wanted order has them.
fn with_fixed(wanted: &Order, fixed: &Order, provided: Order) -> Order {
    let mut rest = provided.into_iter();
    let mut order = Order::new();
    for key in wanted {
        if fixed.contains(key) {
            order.push(*key);
        } else {
            order.extend(rest.next());
        }
    }
    order.extend(rest);
    order
}

/// Whether rows in the order `provided` are in the order `wanted`.
pub(super) fn satisfied(provided: &Order, wanted: &Order) -> bool {
    provided.starts_with(wanted)
}
