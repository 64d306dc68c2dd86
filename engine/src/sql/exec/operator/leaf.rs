//! Rows that do not come from tables: VALUES, functions in FROM, WITH queries, system tables.

use super::super::program::{Step, Tree};
use super::super::{Context, Row, virtual_tables};
use super::{Operator, some_rows};
use crate::error::Result;
use crate::sql::plan::{CteId, Expr, TableFunction};
use crate::sql::types::Value;
use std::sync::Arc;

/// Rows of VALUES that are made at a time.
const BATCH: usize = 1_024;

/// State of a leaf.
pub struct Leaf {
    tree: Arc<Tree>,
    place: usize,
    series: Option<super::super::function::series::Series>,
}

impl Leaf {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Leaf {
        Leaf { tree, place: 0, series: None }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        match &tree.step {
            Step::Values(rows) => self.values(rows, context).await,
            Step::FunctionScan { function: TableFunction::GenerateSeries, args, ordinality } => {
                self.generate_series(args, *ordinality, context).await
            }
            _ if std::mem::replace(&mut self.place, 1) > 0 => Ok(None),
            Step::VirtualScan(table, columns) => {
                let rows = virtual_tables::rows(table, context.env).await?;
                let pick = |row: Row| columns.iter().map(|place| row[*place].clone()).collect();
                Ok(some_rows(rows.into_iter().map(pick).collect()))
            }
            Step::CteScan(cte) => cte_rows(*cte, context).await,
            Step::FunctionScan { function, args, ordinality } => {
                let values = context.evaluate(args, &[]).await?;
                let mut rows = table_function(*function, values, args, context)?;
                if *ordinality {
                    for (row, number) in rows.iter_mut().zip(1i64..) {
                        row.push(Value::Int8(number));
                    }
                }
                Ok(some_rows(rows))
            }
            _ => Ok(None),
        }
    }

    async fn values(&mut self, rows: &[Vec<Expr>], context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let mut out = Vec::with_capacity(BATCH.min(rows.len() - self.place.min(rows.len())));
        while let Some(exprs) = rows.get(self.place)
            && out.len() < BATCH
        {
            out.push(context.evaluate(exprs, &[]).await?);
            self.place += 1;
        }
        Ok(some_rows(out))
    }

    async fn generate_series(
        &mut self,
        args: &[Expr],
        ordinality: bool,
        context: &mut Context<'_>,
    ) -> Result<Option<Vec<Row>>> {
        let series = match &mut self.series {
            Some(series) => series,
            none => {
                let values = context.evaluate(args, &[]).await?;
                none.insert(super::super::function::series::Series::new(&values, &context.env.types)?)
            }
        };
        let mut out = Vec::new();
        while out.len() < BATCH
            && let Some(value) = series.next(&context.env.types)?
        {
            self.place += 1;
            let mut row = vec![value];
            if ordinality {
                row.push(Value::Int8(self.place as i64));
            }
            out.push(row);
        }
        Ok(some_rows(out))
    }
}

/// Rows of a WITH query, which runs at its first use.
async fn cte_rows(cte: CteId, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
    if let Some(Some(rows)) = context.ctes.get(cte.0) {
        return Ok(some_rows(rows.to_vec()));
    }
    let tree = context.program.ctes.get(cte.0).cloned();
    let tree = tree.ok_or_else(|| crate::error::Error::internal("a plan names a WITH query that it has not"))?;
    let rows = Operator::new(&tree).collect(context).await?;
    context.ctes[cte.0] = Some(Arc::new(rows.clone()));
    Ok(some_rows(rows))
}

/// All rows of a set-returning function.
pub fn table_function(
    function: TableFunction,
    values: Vec<Value>,
    args: &[Expr],
    context: &Context<'_>,
) -> Result<Vec<Row>> {
    super::super::function::set_returning(context.env, function, values, args)
}
