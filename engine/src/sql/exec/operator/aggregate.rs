//! GROUP BY and aggregates. Groups come out in the order in which they were met first.

use super::super::aggregate::Accumulator;
use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::hash_join::{Table, table};
use super::{Operator, some_rows};
use crate::error::Result;
use crate::sql::plan::{AggregateCall, Expr};
use crate::sql::types::Value;
use std::sync::Arc;

/// State of an aggregation.
pub struct Aggregate {
    tree: Arc<Tree>,
    done: bool,
}

impl Aggregate {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Aggregate {
        Aggregate { tree, done: false }
    }

    /// All groups.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let Step::Aggregate { groups, aggregates } = &self.tree.step else { return Ok(None) };
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let mut input = Operator::new(&self.tree.inputs[0]);
        let mut found = Groups::default();
        if groups.is_empty() {
            found.states.push((Vec::new(), start(aggregates)));
        }
        let mut places: Table<usize> = table();
        while let Some(batch) = input.next(context).await? {
            for row in &batch {
                let place =
                    if groups.is_empty() { 0 } else { found.place(groups, aggregates, &mut places, row, context)? };
                for (state, call) in found.states[place].1.iter_mut().zip(aggregates) {
                    feed(state, call, row, context)?;
                }
            }
        }
        let mut out = Vec::with_capacity(found.states.len());
        for (mut row, states) in found.states {
            for (state, call) in states.into_iter().zip(aggregates) {
                row.push(state.finish(call, &context.env.types)?);
            }
            out.push(row);
        }
        Ok(some_rows(out))
    }
}

#[derive(Default)]
struct Groups {
    states: Vec<(Row, Vec<Accumulator>)>,
}

impl Groups {
    fn place(
        &mut self,
        groups: &[Expr],
        aggregates: &[AggregateCall],
        places: &mut Table<usize>,
        row: &[Value],
        context: &Context<'_>,
    ) -> Result<usize> {
        let key = context.env.eval_all(groups, row)?;
        if let Some(place) = places.get(&key) {
            return Ok(*place);
        }
        let place = self.states.len();
        self.states.push((key.clone(), start(aggregates)));
        places.insert(key, place);
        Ok(place)
    }
}

fn start(aggregates: &[AggregateCall]) -> Vec<Accumulator> {
    aggregates.iter().map(Accumulator::new).collect()
}

fn feed(state: &mut Accumulator, call: &AggregateCall, row: &[Value], context: &Context<'_>) -> Result<()> {
    if let Some(filter) = &call.filter
        && !context.env.holds(filter, row)?
    {
        return Ok(());
    }
    if let ([arg], true) = (call.args.as_slice(), call.order_by.is_empty()) {
        let value = context.env.look(arg, row)?;
        return state.add_one(&value, call, &context.env.types);
    }
    let args = context.env.eval_all(&call.args, row)?;
    let order = call.order_by.iter().map(|key| context.env.eval(&key.expr, row)).collect::<Result<_>>()?;
    state.add(args, order, call, &context.env.types)
}
