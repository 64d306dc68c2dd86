//! What all joins share, and the join by trying pairs.

use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::Operator;
use crate::error::Result;
use crate::sql::plan::{Expr, JoinKind};
use crate::sql::types::Value;
use std::sync::Arc;

/// Decides which rows come out of a join.
pub struct Pairing<'a> {
    /// The kind of join.
    pub kind: JoinKind,
    /// Further condition over both rows.
    pub filter: Option<&'a Expr>,
    /// Values of a right row.
    pub right_width: usize,
}

/// Whether a left row has found a partner.
#[derive(Debug, Default)]
pub struct Matched(bool);

impl Pairing<'_> {
    /// Tries a pair; `true` if no further partner of this left row matters. [`Matched`] tells whether it fitted.
    pub async fn pair(
        &self,
        left: &[Value],
        right: &[Value],
        matched: &mut Matched,
        out: &mut Vec<Row>,
        context: &mut Context<'_>,
    ) -> Result<bool> {
        let mut row = Vec::with_capacity(left.len() + right.len());
        row.extend_from_slice(left);
        row.extend_from_slice(right);
        if let Some(filter) = self.filter
            && !context.holds(filter, &row).await?
        {
            return Ok(false);
        }
        matched.0 = true;
        if matches!(self.kind, JoinKind::Semi | JoinKind::Anti) {
            return Ok(true);
        }
        out.push(row);
        Ok(false)
    }

    /// All partners of a left row have been tried.
    pub fn finish(&self, mut left: Row, matched: &Matched, out: &mut Vec<Row>) {
        match (self.kind, matched.0) {
            (JoinKind::Semi, true) | (JoinKind::Anti, false) => out.push(left),
            (JoinKind::Left | JoinKind::Full, false) => {
                left.resize(left.len() + self.right_width, Value::Null);
                out.push(left);
            }
            _ => {}
        }
    }

    /// A right row without partner, if the kind of join wants it.
    pub fn lonely_right(&self, left_width: usize, right: &[Value], out: &mut Vec<Row>) {
        if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
            let mut row = vec![Value::Null; left_width];
            row.extend_from_slice(right);
            out.push(row);
        }
    }
}

impl Matched {
    /// Forgets; returns what was.
    pub fn take(&mut self) -> bool {
        std::mem::take(&mut self.0)
    }

    /// Whether a partner was found.
    pub fn is_set(&self) -> bool {
        self.0
    }
}

/// State of a nested loop.
pub struct NestedLoop {
    tree: Arc<Tree>,
    left: Operator,
    right: Option<Vec<Row>>,
    right_matched: Vec<bool>,
    left_done: bool,
}

impl NestedLoop {
    /// A join at its beginning.
    pub fn new(tree: Arc<Tree>) -> NestedLoop {
        let left = Operator::new(&tree.inputs[0]);
        NestedLoop { tree, left, right: None, right_matched: Vec::new(), left_done: false }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        let Step::NestedLoop { kind, filter, lateral } = &tree.step else { return Ok(None) };
        let right_width = tree.inputs[1].types.len();
        let pairing = Pairing { kind: *kind, filter: filter.as_ref(), right_width };
        if !lateral && self.right.is_none() {
            let rows = Operator::new(&tree.inputs[1]).collect(context).await?;
            self.right_matched = vec![false; rows.len()];
            self.right = Some(rows);
        }
        let mut out = Vec::new();
        while !self.left_done && out.is_empty() {
            let Some(batch) = self.left.next(context).await? else {
                self.left_done = true;
                for (row, matched) in self.right.iter().flatten().zip(&self.right_matched) {
                    if !matched {
                        pairing.lonely_right(tree.inputs[0].types.len(), row, &mut out);
                    }
                }
                break;
            };
            for row in batch {
                super::give_way().await;
                if *lateral {
                    self.lateral(&pairing, row, &mut out, context).await?;
                } else {
                    self.pair_all(&pairing, row, &mut out, context).await?;
                }
            }
        }
        Ok(super::some_rows(out))
    }

    async fn pair_all(
        &mut self,
        pairing: &Pairing<'_>,
        left: Row,
        out: &mut Vec<Row>,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let mut any = Matched::default();
        for (place, right) in self.right.iter().flatten().enumerate() {
            let mut matched = Matched::default();
            let enough = pairing.pair(&left, right, &mut matched, out, context).await?;
            if matched.take() {
                any.0 = true;
                self.right_matched[place] = true;
            }
            if enough {
                break;
            }
        }
        pairing.finish(left, &any, out);
        Ok(())
    }

    /// Runs the right side anew with the left row outside.
    async fn lateral(
        &mut self,
        pairing: &Pairing<'_>,
        left: Row,
        out: &mut Vec<Row>,
        context: &mut Context<'_>,
    ) -> Result<()> {
        context.env.outer.push(left.clone());
        let right = Operator::new(&self.tree.inputs[1]).collect(context).await;
        context.env.outer.pop();
        let mut matched = Matched::default();
        for right in &right? {
            if pairing.pair(&left, right, &mut matched, out, context).await? {
                break;
            }
        }
        pairing.finish(left, &matched, out);
        Ok(())
    }
}
