//! A session in this process: no socket, no messages.

use super::{Canceller, Column, Connection, Connector, Flow, Notice, Receive, SqlError, Status};
use async_trait::async_trait;
use quorate::error::{Error, ErrorKind};
use quorate::session::{
    ColumnDesc, CommandTag, CopyFormat, CopyIn, Gateway, ResultSink, Row, Session, StartupParams, TransactionStatus,
};
use quorate::sql::types::TypeContext;
use std::io;
use std::sync::Arc;

const USER: &str = "root";
const DATABASE: &str = "postgres";

/// Nodes of this process that sessions can use.
pub trait GatewaySource: Send + Sync {
    /// The node to use now; none if no node runs.
    fn gateway(&self) -> Option<Arc<Gateway>>;
    /// The target for people.
    fn describe(&self) -> String;
}

/// Makes sessions in this process.
pub struct LocalConnector {
    source: Arc<dyn GatewaySource>,
}

impl LocalConnector {
    /// Sessions of the nodes of `source`.
    pub fn new(source: Arc<dyn GatewaySource>) -> LocalConnector {
        LocalConnector { source }
    }
}

#[async_trait]
impl Connector for LocalConnector {
    async fn connect(&self, database: Option<&str>) -> Result<Box<dyn Connection>, SqlError> {
        let gateway =
            self.source.gateway().ok_or_else(|| SqlError::connection("no node of this process is running"))?;
        let embedded = Embedded::start(gateway, database.unwrap_or(DATABASE)).await;
        embedded.map(|session| Box::new(session) as Box<dyn Connection>).map_err(|error| SqlError::of_session(&error))
    }

    fn describe(&self) -> String {
        self.source.describe()
    }
}

/// One session.
pub struct Embedded {
    session: Session,
    /// The COPY that waits for data.
    copy: Option<CopyIn>,
    database: String,
    closed: bool,
}

impl Embedded {
    /// A session of `root` with `database`.
    pub async fn start(gateway: Arc<Gateway>, database: &str) -> Result<Embedded, Error> {
        let process_id = (gateway.runtime.random_u64() >> 33).try_into().unwrap_or(1);
        let settings = vec![("application_name".to_owned(), "quorate sql".to_owned())];
        let params = StartupParams { user: USER.to_owned(), database: database.to_owned(), settings, process_id };
        let mut session = Session::new(gateway, params);
        session.start().await?;
        Ok(Embedded { session, copy: None, database: database.to_owned(), closed: false })
    }

    fn flow(&mut self, result: Result<Option<CopyIn>, Error>, failed: Option<io::Error>) -> Result<Flow, SqlError> {
        if let Some(error) = failed {
            return Err(SqlError::output(&error));
        }
        let copy = result.map_err(|error| {
            let error = SqlError::of_session(&error);
            self.closed |= error.kind == super::ErrorKind::Connection;
            error
        })?;
        self.copy = copy;
        Ok(if self.copy.is_some() { Flow::CopyIn } else { Flow::Done })
    }
}

#[async_trait]
impl Connection for Embedded {
    async fn run(&mut self, sql: &str, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        let mut sink = Sink::new(out);
        let result = self.session.simple(sql, &mut sink).await;
        let failed = sink.failed;
        self.flow(result, failed)
    }

    async fn copy_data(&mut self, data: &[u8]) -> Result<(), SqlError> {
        match &mut self.copy {
            Some(copy) => self.session.copy_data(copy, data).await.map_err(|error| SqlError::of_session(&error)),
            None => Ok(()),
        }
    }

    async fn copy_done(&mut self, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        let Some(copy) = self.copy.take() else { return Ok(Flow::Done) };
        let mut sink = Sink::new(out);
        let result = self.session.copy_done(copy, &mut sink).await;
        let failed = sink.failed;
        self.flow(result, failed)
    }

    async fn copy_fail(&mut self, reason: &str) -> Result<(), SqlError> {
        match self.copy.take() {
            Some(copy) => Err(SqlError::of_session(&self.session.copy_fail(copy, reason).await)),
            None => Ok(()),
        }
    }

    fn status(&self) -> Status {
        match self.session.transaction_status() {
            TransactionStatus::Idle => Status::Idle,
            TransactionStatus::Open => Status::Open,
            TransactionStatus::Failed => Status::Failed,
        }
    }

    fn canceller(&self) -> Canceller {
        Canceller::Local(self.session.cancel_handle())
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn database(&self) -> &str {
        &self.database
    }

    fn user(&self) -> &str {
        USER
    }

    async fn close(&mut self) {
        self.closed = true;
        self.session.end().await;
    }
}

/// Passes results on as text.
struct Sink<'a> {
    out: &'a mut dyn Receive,
    context: TypeContext,
    columns: Arc<[ColumnDesc]>,
    /// Why results could not be written.
    failed: Option<io::Error>,
}

impl<'a> Sink<'a> {
    fn new(out: &'a mut dyn Receive) -> Sink<'a> {
        Sink { out, context: TypeContext::default(), columns: Arc::from([]), failed: None }
    }

    /// Ends the statement if the results cannot be written.
    fn written(&mut self, result: io::Result<()>) -> Result<(), Error> {
        result.map_err(|error| {
            let told = Error::of_kind(ErrorKind::Io, error.to_string());
            self.failed.get_or_insert(error);
            told
        })
    }
}

#[async_trait]
impl ResultSink for Sink<'_> {
    async fn columns(&mut self, columns: &Arc<[ColumnDesc]>, context: &TypeContext) -> Result<(), Error> {
        self.columns = columns.clone();
        self.context = context.clone();
        let columns = columns.iter().map(|column| Column::new(&*column.name, &column.ty)).collect();
        let result = self.out.columns(columns);
        self.written(result)
    }

    async fn rows(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        for row in rows {
            let texts = row.iter().zip(self.columns.iter()).map(|(value, column)| {
                (!value.is_null()).then(|| {
                    let mut text = String::new();
                    value.write_text(&column.ty, &self.context, &mut text);
                    text
                })
            });
            let texts = texts.collect();
            let result = self.out.row(texts);
            self.written(result)?;
        }
        Ok(())
    }

    async fn complete(&mut self, tag: &CommandTag) -> Result<(), Error> {
        let result = self.out.complete(&tag.to_string());
        self.written(result)
    }

    async fn empty(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn copy_out(&mut self, _: CopyFormat, _: usize) -> Result<(), Error> {
        Ok(())
    }

    async fn copy_data(&mut self, data: Vec<u8>) -> Result<(), Error> {
        let result = self.out.copy_out(&data);
        self.written(result)
    }

    async fn notice(&mut self, notice: &quorate::session::Notice) -> Result<(), Error> {
        let result = self.out.notice(Notice {
            severity: notice.severity.as_str().to_owned(),
            message: notice.message.clone(),
            detail: notice.detail.clone(),
            hint: notice.hint.clone(),
        });
        self.written(result)
    }
}
