//! `Run`: one execution of a program, from its first row to its tag.

use super::Row;
use super::dml;
use super::env::Env;
use super::operator::Operator;
use super::program::Program;
use super::sequence;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{ApplyKind, Expr, PlanBody};
use crate::sql::types::{Array, Value};
use quorate_txn::{Client, Transaction};
use std::sync::Arc;

/// What an operator works with while it is pulled.
pub struct Context<'a> {
    /// Reads and writes.
    pub txn: &'a mut Transaction,
    /// For transactions of their own (blocks of sequence values).
    pub client: &'a Client,
    /// What expressions see.
    pub env: &'a mut Env,
    /// Rows of WITH queries that have run.
    pub ctes: &'a mut Vec<Option<Arc<Vec<Row>>>>,
    /// The program.
    pub program: &'a Program,
}

impl Context<'_> {
    /// Evaluates `exprs` over `row`, fetching values of sequences when they run out.
    pub async fn evaluate(&mut self, exprs: &[Expr], row: &[Value]) -> Result<Row> {
        loop {
            match self.env.eval_all(exprs, row) {
                Ok(values) => {
                    self.settle().await?;
                    return Ok(values);
                }
                Err(error) => self.provide(error).await?,
            }
        }
    }

    /// Whether `condition` holds for `row`.
    pub async fn holds(&mut self, condition: &Expr, row: &[Value]) -> Result<bool> {
        loop {
            match self.env.holds(condition, row) {
                Ok(holds) => {
                    self.env.effects.borrow_mut().forget_answers();
                    return Ok(holds);
                }
                Err(error) => self.provide(error).await?,
            }
        }
    }

    /// If evaluation failed only because a sequence had no value at hand, or because the cluster must be asked, does
    /// that; otherwise passes the error on.
    pub async fn provide(&mut self, error: Error) -> Result<()> {
        let (sequence, call) = {
            let mut effects = self.env.effects.borrow_mut();
            effects.answers.1 = 0;
            (effects.wanted_sequence.take(), effects.wanted_call.take())
        };
        match (sequence, call) {
            (Some(id), _) => Box::pin(sequence::refill(self.client, &self.env.facts, id)).await,
            (None, Some(call)) => {
                let answer = Box::pin(call.perform(self.env.facts.cluster.as_ref(), self.client)).await?;
                self.env.effects.borrow_mut().answers.0.push(answer);
                Ok(())
            }
            (None, None) => Err(error),
        }
    }

    /// Does what functions asked for beside their value.
    async fn settle(&mut self) -> Result<()> {
        let (sets, sleep) = {
            let mut effects = self.env.effects.borrow_mut();
            effects.forget_answers();
            if effects.set_sequence.is_empty() && effects.sleep == 0 {
                return Ok(());
            }
            (std::mem::take(&mut effects.set_sequence), std::mem::take(&mut effects.sleep))
        };
        for (id, value, called) in sets {
            Box::pin(sequence::set(self.client, &self.env.facts, id, value, called)).await?;
        }
        if sleep > 0 {
            self.env.facts.runtime.sleep(std::time::Duration::from_micros(sleep)).await;
        }
        Ok(())
    }

    /// All rows of a tree.
    pub async fn collect(&mut self, tree: &Arc<super::program::Tree>) -> Result<Vec<Row>> {
        let mut operator = Operator::new(tree);
        let mut rows = Vec::new();
        while let Some(batch) = operator.next(self).await? {
            rows.extend(batch);
        }
        Ok(rows)
    }
}

/// How far a statement has come.
#[derive(Debug)]
pub enum Outcome {
    /// Rows of the result.
    Rows(Vec<Row>),
    /// No more rows.
    Done,
}

/// One execution.
pub struct Run {
    program: Arc<Program>,
    env: Env,
    ctes: Vec<Option<Arc<Vec<Row>>>>,
    operator: Option<Operator>,
    started: bool,
    changed: u64,
    returned: u64,
}

impl Run {
    /// An execution that has not begun.
    pub fn new(program: Arc<Program>, env: Env) -> Run {
        let ctes = vec![None; program.ctes.len()];
        Run { program, env, ctes, operator: None, started: false, changed: 0, returned: 0 }
    }

    /// What expressions see.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// What an operator of this run works with.
    pub fn context<'a>(&'a mut self, txn: &'a mut Transaction, client: &'a Client) -> Context<'a> {
        Context { txn, client, env: &mut self.env, ctes: &mut self.ctes, program: &self.program }
    }

    /// What expressions see, to be changed: the fields of a line of COPY become its parameters.
    pub fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    /// Rows changed by INSERT, UPDATE or DELETE, or returned by a query so far.
    pub fn count(&self) -> u64 {
        if matches!(self.program.plan.body, PlanBody::Query(_) | PlanBody::CopyTo(_)) {
            self.returned
        } else {
            self.changed
        }
    }

    /// The next rows. INSERT, UPDATE and DELETE run to their end in the first call, and give all rows of RETURNING.
    pub async fn next(&mut self, txn: &mut Transaction, client: &Client) -> Result<Outcome> {
        let Run { program, env, ctes, operator, started, changed, returned } = self;
        let program: &Program = program;
        let mut context = Context { txn, client, env, ctes, program };
        if !*started {
            *started = true;
            run_init(&mut context).await?;
            if let (PlanBody::Query(_) | PlanBody::CopyTo(_), Some(source)) = (&program.plan.body, &program.source) {
                *operator = Some(Operator::new(source));
            } else {
                let (count, rows) = Box::pin(dml::run(&mut context)).await?;
                *changed = count;
                return Ok(rows.map_or(Outcome::Done, Outcome::Rows));
            }
        }
        let Some(operator) = operator else { return Ok(Outcome::Done) };
        match operator.next(&mut context).await? {
            Some(rows) => {
                *returned += rows.len() as u64;
                Ok(Outcome::Rows(rows))
            }
            None => Ok(Outcome::Done),
        }
    }
}

async fn run_init(context: &mut Context<'_>) -> Result<()> {
    for (kind, tree) in &context.program.init {
        let value = subquery_value(context, kind, tree, &[]).await?;
        context.env.init.push(value);
    }
    Ok(())
}

/// Runs a subquery and makes its one value.
pub async fn subquery_value(
    context: &mut Context<'_>,
    kind: &ApplyKind,
    tree: &Arc<super::program::Tree>,
    outer: &[Value],
) -> Result<Value> {
    let mut operator = Operator::new(tree);
    match kind {
        ApplyKind::Scalar => scalar(context, &mut operator).await,
        ApplyKind::Exists => Ok(Value::Bool(operator.next(context).await?.is_some())),
        ApplyKind::Array => {
            let rows = context.collect(tree).await?;
            let element = tree.types.first().cloned().unwrap_or(crate::sql::types::Type::Unknown);
            let values = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
            Ok(Value::Array(Arc::new(Array::new(element, values))))
        }
        ApplyKind::Quantified { left, op, all } => {
            let rows = context.collect(tree).await?;
            quantified(context, left, *op, *all, &rows, outer)
        }
    }
}

/// `left op ANY (rows)` or ALL, with `left` over `row`.
pub fn quantified(
    context: &Context<'_>,
    left: &[Expr],
    op: crate::sql::plan::CompareOp,
    all: bool,
    rows: &[Row],
    row: &[Value],
) -> Result<Value> {
    let left = context.env.eval_all(left, row)?;
    Ok(super::eval::quantify(rows.iter().map(|row| super::eval::compare_rows(op, &left, row)), all))
}

async fn scalar(context: &mut Context<'_>, operator: &mut Operator) -> Result<Value> {
    let mut value = None;
    while let Some(batch) = operator.next(context).await? {
        for row in batch {
            if value.is_some() {
                return Err(Error::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                ));
            }
            value = Some(row.into_iter().next().unwrap_or(Value::Null));
        }
    }
    Ok(value.unwrap_or(Value::Null))
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("started", &self.started).field("count", &self.count()).finish_non_exhaustive()
    }
}
