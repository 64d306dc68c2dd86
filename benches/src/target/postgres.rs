//! Any server that speaks the PostgreSQL protocol.

use super::{Cell, Connection, Param, Row, Statement, Target, TargetError};
use std::fmt::Write as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Text with literals inlined, one simple Query each.
    Simple,
    /// Parsed anew for every execution.
    Extended,
    /// Prepared once per connection, binary formats.
    #[default]
    Prepared,
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Protocol, String> {
        match text {
            "simple" => Ok(Protocol::Simple),
            "extended" => Ok(Protocol::Extended),
            "prepared" => Ok(Protocol::Prepared),
            _ => Err(format!("\"{text}\" is no protocol: simple, extended or prepared")),
        }
    }
}

/// One or more servers of one database.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// `postgres://user@host:port/database`; connections take turns.
    pub urls: Vec<String>,
    /// How statements are sent.
    pub protocol: Protocol,
}

#[async_trait::async_trait]
impl Target for Postgres {
    async fn connect(&self, index: usize) -> Result<Box<dyn Connection>, TargetError> {
        let url = &self.urls[index % self.urls.len()];
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(error)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(Box::new(Wire { client, protocol: self.protocol, prepared: Vec::new(), text: String::new(), driver }))
    }

    fn describe(&self) -> String {
        format!("{} ({:?} protocol)", self.urls.join(", "), self.protocol).to_lowercase()
    }
}

struct Wire {
    client: Client,
    protocol: Protocol,
    prepared: Vec<Option<tokio_postgres::Statement>>,
    text: String,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[async_trait::async_trait]
impl Connection for Wire {
    async fn run(&mut self, statement: &'static Statement, params: &[Param]) -> Result<Vec<Row>, TargetError> {
        match self.protocol {
            Protocol::Simple => {
                self.text.clear();
                inline(statement.sql, params, &mut self.text);
                simple(&self.client, &self.text).await
            }
            Protocol::Extended => {
                let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                    params.iter().map(|param| (param as &(dyn ToSql + Sync), natural_type(param))).collect();
                rows(self.client.query_typed(statement.sql, &typed).await.map_err(error)?)
            }
            Protocol::Prepared => {
                let prepared = self.prepare(statement).await?;
                let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| p as &(dyn ToSql + Sync)).collect();
                rows(self.client.query(&prepared, &params).await.map_err(error)?)
            }
        }
    }

    async fn batch(&mut self, sql: &str) -> Result<(), TargetError> {
        self.client.batch_execute(sql).await.map_err(error)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, TargetError> {
        simple(&self.client, sql).await
    }
}

impl Wire {
    async fn prepare(&mut self, statement: &'static Statement) -> Result<tokio_postgres::Statement, TargetError> {
        if self.prepared.len() <= statement.id {
            self.prepared.resize(statement.id + 1, None);
        }
        if let Some(prepared) = &self.prepared[statement.id] {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(statement.sql).await.map_err(error)?;
        self.prepared[statement.id] = Some(prepared.clone());
        Ok(prepared)
    }
}

fn natural_type(param: &Param) -> Type {
    match param {
        Param::Int(_) => Type::INT8,
        Param::Decimal(_) => Type::NUMERIC,
        Param::Text(_) | Param::Null => Type::TEXT,
        Param::Time(_) => Type::TIMESTAMP,
    }
}

async fn simple(client: &Client, sql: &str) -> Result<Vec<Row>, TargetError> {
    let messages = client.simple_query(sql).await.map_err(error)?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map_or(Cell::Null, |text| Cell::Text(text.to_owned()))).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

fn rows(rows: Vec<tokio_postgres::Row>) -> Result<Vec<Row>, TargetError> {
    rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at).map_err(error)).collect()).collect()
}

/// Writes `sql` with `$n` replaced by literals.
pub(super) fn inline(sql: &str, params: &[Param], out: &mut String) {
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let number: Option<usize> = rest[at + 1..at + 1 + digits].parse().ok();
        match number.and_then(|number| params.get(number - 1)) {
            Some(param) => param.write_literal(out),
            None => write!(out, "${}", &rest[at + 1..at + 1 + digits]).unwrap_or_default(),
        }
        rest = &rest[at + 1 + digits..];
    }
    out.push_str(rest);
}

fn error(error: tokio_postgres::Error) -> TargetError {
    match error.as_db_error() {
        Some(db) => {
            let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            TargetError::new(db.code().code(), format!("{}{detail}", db.message()))
        }
        None => TargetError::new("08006", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_inlined_by_number() {
        let mut text = String::new();
        inline("select $2, $11, $1 from t", &[Param::Int(7), Param::Text("x".into())], &mut text);
        assert_eq!(text, "select 'x', $11, 7 from t");
    }
}
