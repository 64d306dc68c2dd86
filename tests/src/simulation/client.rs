//! SQL sessions of simulated nodes: the session lives in its node's process, its client does not.
//!
//! When the process is killed, the client is told that the connection is gone, which leaves the outcome of a COMMIT open.
//! When it is paused, the client waits.

use super::world::World;
use quorate::node::Node;
use quorate_bench::target::{Connection, Embedded, LastToken, Param, Row, Statement, Target, TargetError};
use quorate_net::runtime::Runtime;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

enum Ask {
    Run(&'static Statement, Vec<Param>),
    Query(String),
    Tell(LastToken),
}

type Answer = Result<Vec<Row>, TargetError>;

/// The nodes of a world as a target of workloads: connection `index` goes to node `index + 1`, counted round.
pub struct Nodes {
    world: Arc<World>,
}

impl Nodes {
    /// The nodes of `world`.
    #[must_use]
    pub fn new(world: Arc<World>) -> Nodes {
        Nodes { world }
    }
}

#[async_trait::async_trait]
impl Target for Nodes {
    async fn connect(&self, index: usize) -> Result<Box<dyn Connection>, TargetError> {
        let Some((node, runtime)) = self.world.running(index) else {
            return Err(TargetError::new("08001", "this node is down"));
        };
        let (asks, asked) = mpsc::channel(1);
        drop(runtime.spawn(serve(node, asked)));
        Ok(Box::new(Remote { asks, at: index, runtime, world: self.world.clone() }))
    }

    fn describe(&self) -> String {
        "simulated cluster".to_owned()
    }
}

/// The session's side.
async fn serve(node: Node, mut asked: mpsc::Receiver<(Ask, oneshot::Sender<Answer>)>) {
    let mut session = Embedded::new(&[node], "one node").connect(0).await;
    while let Some((ask, reply)) = asked.recv().await {
        let answer = match &mut session {
            Err(error) => Err(error.clone()),
            Ok(session) => match ask {
                Ask::Run(statement, params) => session.run(statement, &params).await,
                Ask::Query(sql) => session.query(&sql).await,
                Ask::Tell(to) => session.tell_tokens(to).await.map(|()| Vec::new()),
            },
        };
        // A client that went away needs no answer.
        drop(reply.send(answer));
    }
}

/// The client's side.
struct Remote {
    asks: mpsc::Sender<(Ask, oneshot::Sender<Answer>)>,
    at: usize,
    runtime: Runtime,
    world: Arc<World>,
}

impl Remote {
    async fn ask(&self, ask: Ask) -> Answer {
        let text = match &ask {
            Ask::Run(statement, params) => format!("{} {params:?}", statement.sql),
            Ask::Query(sql) => sql.clone(),
            Ask::Tell(_) => "tell tokens".to_owned(),
        };
        let who = [self.at as u64 + 1, 0];
        let trace = self.world.trace();
        trace.event("ask", who, text.as_bytes(), || format!("n{}        client   {text}", who[0]));
        let gone = || TargetError::new("08006", "the connection is gone");
        let (reply, answer) = oneshot::channel();
        let answer = match self.asks.send((ask, reply)).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(gone()),
        };
        let text = match &answer {
            Ok(rows) => format!("{rows:?}"),
            Err(error) => error.to_string(),
        };
        trace.event("told", who, text.as_bytes(), || format!("n{}        told     {text}", who[0]));
        answer
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("at", &self.at).field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Connection for Remote {
    async fn run(&mut self, statement: &'static Statement, params: &[Param]) -> Result<Vec<Row>, TargetError> {
        self.ask(Ask::Run(statement, params.to_vec())).await
    }

    async fn batch(&mut self, sql: &str) -> Result<(), TargetError> {
        self.query(sql).await.map(drop)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, TargetError> {
        self.ask(Ask::Query(sql.to_owned())).await
    }

    async fn tell_tokens(&mut self, to: LastToken) -> Result<(), TargetError> {
        self.ask(Ask::Tell(to)).await.map(drop)
    }
}
