//! Nodes in this process: sessions without a wire.

use super::{Cell, Connection, LastToken, Param, Row, Statement, Target, TargetError};
use quorate::node::Node;
use quorate::session::{
    ColumnDesc, CommandTag, CopyFormat, ExecuteMode, Gateway, Notice, Prepared, ResultSink, Row as SqlRow, Session,
    StartupParams, TransactionStatus,
};
use quorate::sql::types::{Numeric, Text, Type, TypeContext, Value};
use std::sync::Arc;

/// Nodes of one cluster inside this process; connections take turns.
#[derive(Clone)]
pub struct Embedded {
    gateways: Vec<Arc<Gateway>>,
    description: String,
}

impl Embedded {
    /// Sessions on these nodes.
    pub fn new(nodes: &[Node], description: impl Into<String>) -> Embedded {
        Embedded { gateways: nodes.iter().map(Node::gateway).collect(), description: description.into() }
    }
}

#[async_trait::async_trait]
impl Target for Embedded {
    async fn connect(&self, index: usize) -> Result<Box<dyn Connection>, TargetError> {
        let gateway = self.gateways[index % self.gateways.len()].clone();
        let mut session = Session::new(gateway, StartupParams::default());
        session.start().await.map_err(error)?;
        Ok(Box::new(InProcess { session, prepared: Vec::new(), token: LastToken::default() }))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

struct InProcess {
    session: Session,
    prepared: Vec<Option<Arc<Prepared>>>,
    token: LastToken,
}

#[async_trait::async_trait]
impl Connection for InProcess {
    async fn run(&mut self, statement: &'static Statement, params: &[Param]) -> Result<Vec<Row>, TargetError> {
        let prepared = self.prepare(statement).await?;
        let values =
            params.iter().zip(&prepared.param_types).map(|(param, ty)| value(param, ty)).collect::<Result<_, _>>()?;
        let mut execution = self.session.execute(&prepared, values, ExecuteMode::Autocommit).await.map_err(error)?;
        let mut rows = Vec::new();
        loop {
            let fetched = self.session.fetch(&mut execution, usize::MAX).await.map_err(error)?;
            rows.extend(fetched.rows.iter().map(|row| row.iter().map(cell).collect::<Row>()));
            if fetched.done {
                break;
            }
        }
        self.session.close(execution).await.map_err(error)?;
        Ok(rows)
    }

    async fn batch(&mut self, sql: &str) -> Result<(), TargetError> {
        self.query(sql).await.map(drop)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, TargetError> {
        let mut rows = Rows(Vec::new(), self.token.clone());
        let outcome = self.session.simple(sql, &mut rows).await;
        // Notices are for people; a workload has no use for them.
        self.session.notices().clear();
        outcome.map_err(error)?;
        Ok(rows.0)
    }

    async fn tell_tokens(&mut self, to: LastToken) -> Result<(), TargetError> {
        self.token = to;
        self.batch("SET txn_token = on").await
    }
}

impl InProcess {
    async fn prepare(&mut self, statement: &'static Statement) -> Result<Arc<Prepared>, TargetError> {
        if self.prepared.len() <= statement.id {
            self.prepared.resize(statement.id + 1, None);
        }
        if let Some(prepared) = &self.prepared[statement.id] {
            return Ok(prepared.clone());
        }
        let prepared = self.session.prepare(statement.sql, &[]).await.map_err(error)?;
        self.prepared[statement.id] = Some(prepared.clone());
        Ok(prepared)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if self.session.transaction_status() != TransactionStatus::Idle {
            tracing::trace!("a connection was dropped inside a transaction");
        }
    }
}

/// Collects rows, and the token of a COMMIT.
struct Rows(Vec<Row>, LastToken);

#[async_trait::async_trait]
impl ResultSink for Rows {
    async fn columns(&mut self, _: &Arc<[ColumnDesc]>, _: &TypeContext) -> Result<(), quorate::Error> {
        Ok(())
    }

    async fn rows(&mut self, rows: Vec<SqlRow>) -> Result<(), quorate::Error> {
        self.0.extend(rows.iter().map(|row| row.iter().map(cell).collect::<Row>()));
        Ok(())
    }

    async fn complete(&mut self, _: &CommandTag) -> Result<(), quorate::Error> {
        Ok(())
    }

    async fn empty(&mut self) -> Result<(), quorate::Error> {
        Ok(())
    }

    async fn token(&mut self, token: &str) -> Result<(), quorate::Error> {
        *self.1.lock() = Some(token.to_owned());
        Ok(())
    }

    async fn copy_out(&mut self, _: CopyFormat, _: usize) -> Result<(), quorate::Error> {
        Ok(())
    }

    async fn copy_data(&mut self, _: Vec<u8>) -> Result<(), quorate::Error> {
        Ok(())
    }

    async fn notice(&mut self, _: &Notice) -> Result<(), quorate::Error> {
        Ok(())
    }
}

fn value(param: &Param, ty: &Type) -> Result<Value, TargetError> {
    let out_of_range = |_| TargetError::new("22003", format!("{param:?} does not fit {ty}"));
    Ok(match (param, ty) {
        (Param::Null, _) => Value::Null,
        (Param::Int(value), Type::Int2) => Value::Int2(i16::try_from(*value).map_err(out_of_range)?),
        (Param::Int(value), Type::Int4) => Value::Int4(i32::try_from(*value).map_err(out_of_range)?),
        (Param::Int(value), Type::Numeric { .. }) => Value::Numeric(Numeric::from(*value)),
        (Param::Int(value), _) => Value::Int8(*value),
        (Param::Decimal(value), _) => Value::Numeric(value.to_string().parse().map_err(error)?),
        (Param::Text(text), Type::Char(_)) => Value::Bpchar(Text::from(text.as_str())),
        (Param::Text(text), _) => Value::Text(Text::from(text.as_str())),
        (Param::Time(micros), Type::Timestamptz(_)) => Value::Timestamptz(*micros),
        (Param::Time(micros), _) => Value::Timestamp(*micros),
    })
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Int(i64::from(*value)),
        Value::Timestamp(micros) | Value::Timestamptz(micros) => Cell::Int(*micros),
        Value::Float4(_) | Value::Float8(_) | Value::Numeric(_) => Cell::Float(value.as_f64().unwrap_or_default()),
        other => match (other.as_i64(), other.as_str()) {
            (Some(int), _) => Cell::Int(int),
            (None, Some(text)) => Cell::Text(text.to_owned()),
            (None, None) => Cell::Text(format!("{other:?}")),
        },
    }
}

fn error(error: quorate::Error) -> TargetError {
    let state = error.sqlstate().map_or_else(|| "XX000".to_owned(), |state| state.to_string());
    TargetError::new(state, error.message())
}
