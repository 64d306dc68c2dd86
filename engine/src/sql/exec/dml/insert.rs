//! INSERT, and the rows of COPY FROM.

use super::super::operator::Operator;
use super::super::run::Context;
use super::write::{TableLayout, check_row, read_keys};
use super::{Row, conflict, foreign_key, layout, returning, violation};
use crate::error::{Error, Result};
use crate::sql::plan::Insert;
use crate::sql::types::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs an INSERT.
pub async fn run(context: &mut Context<'_>, insert: &Insert) -> Result<(u64, Option<Vec<Row>>)> {
    let source = context.program.source.clone().ok_or_else(|| Error::internal("INSERT without source"))?;
    let mut operator = Operator::new(&source);
    let mut inserter = Inserter::new(layout(context)?);
    while let Some(rows) = operator.next(context).await? {
        inserter.insert(context, insert, rows).await?;
    }
    let rows = insert.returning.is_some().then_some(inserter.returned);
    Ok((inserter.count, rows))
}

/// Inserts batches of rows.
pub struct Inserter {
    layout: Arc<TableLayout>,
    /// Rows inserted or updated.
    pub count: u64,
    returned: Vec<Row>,
    touched: BTreeSet<Vec<u8>>,
}

impl Inserter {
    /// An inserter into the table of `layout`.
    pub fn new(layout: Arc<TableLayout>) -> Inserter {
        Inserter { layout, count: 0, returned: Vec::new(), touched: BTreeSet::new() }
    }

    /// Inserts a batch.
    pub async fn insert(&mut self, context: &mut Context<'_>, insert: &Insert, mut rows: Vec<Row>) -> Result<()> {
        let layout = self.layout.clone();
        for row in &mut rows {
            fill_rowid(context, &layout, row);
            check_row(context, &layout.table, &insert.checks, row).await?;
        }
        if let Some(on_conflict) = &insert.on_conflict {
            if on_conflict.update.is_some() {
                return self.upsert(context, insert, rows).await;
            }
            rows = conflict::without_conflicts(context, &layout, on_conflict, rows).await?;
        }
        check_unique(context, &layout, &rows).await?;
        for row in &rows {
            layout.put(context.txn, row)?;
        }
        foreign_key::check_children(context, &layout.table, &insert.foreign_keys, &rows).await?;
        self.count += rows.len() as u64;
        for row in &rows {
            returning(context, insert.returning.as_deref(), row, &mut self.returned).await?;
        }
        Ok(())
    }

    async fn upsert(&mut self, context: &mut Context<'_>, insert: &Insert, rows: Vec<Row>) -> Result<()> {
        let layout = self.layout.clone();
        for row in rows {
            let written = conflict::upsert(context, &layout, insert, row, &mut self.touched).await?;
            if let Some(row) = written {
                self.count += 1;
                returning(context, insert.returning.as_deref(), &row, &mut self.returned).await?;
            }
        }
        Ok(())
    }
}

/// Gives a row of a table without primary key its id.
fn fill_rowid(context: &Context<'_>, layout: &TableLayout, row: &mut [Value]) {
    if let Some(place) = layout.rowid
        && row[place].is_null()
    {
        let facts = &context.env.facts;
        row[place] = Value::Int8(facts.sequences.rowid(&facts.runtime));
    }
}

/// Fails if a key of a row exists, in the table or among the rows before it.
pub async fn check_unique(context: &mut Context<'_>, layout: &TableLayout, rows: &[Row]) -> Result<()> {
    let mut keys = Vec::with_capacity(rows.len());
    let mut owners = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        for (index, key) in layout.unique_keys(row) {
            keys.push(key);
            owners.push((place, index));
        }
    }
    let present = read_keys(context.txn, &keys).await?;
    let mut taken = BTreeSet::new();
    let several = keys.len() > 1;
    for (((place, index), key), present) in owners.into_iter().zip(keys).zip(present) {
        if present.is_some() || (several && !taken.insert(key)) {
            return Err(violation::unique(context.env, layout, index, &rows[place]));
        }
    }
    Ok(())
}
