//! INSERT, UPDATE, DELETE: rows to keys and values, with every constraint held.
//!
//! ```text
//!   source rows ─► NOT NULL, CHECK ─► keys that must be unique: read ─► writes ─► foreign keys (see the writes)
//!                                                                         │
//!                                            row            key ─► value  │  put / delete in the transaction's buffer
//!                                            index entries  key ─► suffix ┘
//! ```
//! * UPDATE and DELETE read their whole source before they write, so that no row is met again under its new key.
//! * Reads that a constraint depends on are promised at commit at every isolation level.
//!
//! Invariant: an error leaves the session to undo the statement's writes; nothing is undone here.

mod conflict;
mod delete;
mod foreign_key;
mod insert;
mod update;
mod violation;
mod write;

pub use foreign_key::check_children;
pub use insert::Inserter;
pub use violation::key_detail;
pub use write::TableLayout;

use super::Row;
use super::run::Context;
use crate::error::{Error, Result};
use crate::sql::plan::{Expr, PlanBody};

/// Runs the statement; the number of rows changed, and the rows of RETURNING.
pub async fn run(context: &mut Context<'_>) -> Result<(u64, Option<Vec<Row>>)> {
    let program = context.program;
    match &program.plan.body {
        PlanBody::Insert(insert) => insert::run(context, insert).await,
        PlanBody::Update(update) => update::run(context, update).await,
        PlanBody::Delete(delete) => delete::run(context, delete).await,
        PlanBody::Nothing => Ok((0, None)),
        _ => Err(Error::internal("this statement changes no rows")),
    }
}

/// Appends the row of RETURNING.
async fn returning(
    context: &mut Context<'_>,
    exprs: Option<&[Expr]>,
    row: &[crate::sql::types::Value],
    out: &mut Vec<Row>,
) -> Result<()> {
    if let Some(exprs) = exprs {
        let row = context.evaluate(exprs, row).await?;
        out.push(row);
    }
    Ok(())
}

/// The layout of the statement's table, made with the program.
fn layout(context: &Context<'_>) -> Result<std::sync::Arc<TableLayout>> {
    context.program.target.clone().ok_or_else(|| Error::internal("a statement that changes rows has no table"))
}
