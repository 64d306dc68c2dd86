//! From bound statements to plans.
//!
//! ```text
//!  Query ─► rewrite   WITH queries used once go inline; EXISTS and IN become semi joins; outer joins become inner
//!        ─► build     conditions go down to where their columns are; each relation becomes operators
//!             access    tables: which index, which spans of it, in which order
//!             join      inner joins: which order, lookup or hash or loop
//!             lift      subqueries: init plans and Apply
//!        ─► Node      columns become slots, unused ones are gone
//! ```
//! Costs are rows read, guessed from the shape of keys: a table counts as `cost::TABLE_ROWS` rows, and each key column
//! that is fixed leaves a tenth of them. Point access and long prefixes of keys win; that is what OLTP needs.
//!
//! Invariant: a plan gives the same rows as the tree it came from; only the order of rows that is not asked for and
//! the time when an error is met may differ.

mod access;
mod aggregate;
mod build;
mod cost;
mod join;
mod lift;
pub mod logical;
mod rewrite;
mod scan;

use crate::error::Result;
use crate::sql::binder::{self, BindContext, Bound, BoundStatement};
use crate::sql::parser::{Statement, StatementKind};
use crate::sql::plan::{CopyFrom, CopyTo, Ddl, Node, OutputColumn, Plan, PlanBody};
use crate::sql::types::Type;
use build::Planner;
use logical::Query;
use sqlparser::ast;

/// Binds and plans a statement that the catalog has a part in; `EXPLAIN` plans what it explains.
pub fn plan(statement: &Statement, context: BindContext<'_>) -> Result<Plan> {
    if let StatementKind::Explain { options, statement } = &statement.kind {
        let plan = plan(statement, context)?;
        let parameters = plan.parameters.clone();
        let notices = plan.notices.clone();
        let column = OutputColumn { name: "QUERY PLAN".into(), ty: Type::Text, origin: None };
        return Ok(Plan {
            body: PlanBody::Explain { options: *options, plan: Box::new(plan) },
            init: Vec::new(),
            ctes: Vec::new(),
            columns: Some(vec![column]),
            parameters,
            tag: "EXPLAIN",
            notices,
        });
    }
    let mut plan = optimize(binder::bind(statement, context)?)?;
    if let (PlanBody::CopyFrom(copy), StatementKind::Copy(source)) = (&mut plan.body, &statement.kind) {
        copy.format = source.format.clone();
    }
    if let (PlanBody::CopyTo(copy), StatementKind::Copy(source)) = (&mut plan.body, &statement.kind) {
        copy.format = source.format.clone();
    }
    Ok(plan)
}

/// Plans the arguments of EXECUTE as a query of one row, cast to the types of the parameters.
pub fn plan_arguments(args: &[ast::Expr], types: &[Type], context: BindContext<'_>) -> Result<Plan> {
    optimize(binder::bind_arguments(args, types, context)?)
}

fn optimize(statement: BoundStatement) -> Result<Plan> {
    let BoundStatement { bound, ctes, columns, parameters, tag, notices, next_col } = statement;
    let mut planner = Planner::new(next_col, ctes);
    let body = match bound {
        Bound::Query(query) => PlanBody::Query(planner.plan(query)?),
        Bound::Insert(mut insert, query) => {
            insert.source = planner.plan(query)?;
            PlanBody::Insert(insert)
        }
        Bound::Update(mut update, query) => {
            update.source = planner.plan(query)?;
            PlanBody::Update(update)
        }
        Bound::Delete(mut delete, query) => {
            delete.source = planner.plan(query)?;
            PlanBody::Delete(delete)
        }
        Bound::Ddl(mut ddl, source) => {
            if let (Ddl::CreateTable(create), Some(query)) = (&mut *ddl, source) {
                create.source = Some(planner.plan(query)?);
            }
            PlanBody::Ddl(ddl)
        }
        Bound::CopyFrom(mut insert, query, fields, names) => {
            insert.source = planner.plan(query)?;
            let format = crate::sql::parser::CopyFormat::text();
            PlanBody::CopyFrom(Box::new(CopyFrom { insert: *insert, fields, names, format }))
        }
        Bound::CopyTo(query, names) => {
            let format = crate::sql::parser::CopyFormat::text();
            PlanBody::CopyTo(Box::new(CopyTo { source: planner.plan(query)?, names, format }))
        }
        Bound::Body(body) => body,
    };
    let (init, ctes) = planner.finish();
    Ok(Plan { body, init, ctes, columns, parameters, tag, notices })
}

impl Planner {
    /// Plans a whole query: its columns in order, none more.
    fn plan(&mut self, query: Query) -> Result<Node> {
        let query = self.rewrite(query);
        self.query(query, None).map(|built| built.node)
    }
}

#[cfg(test)]
mod tests;
