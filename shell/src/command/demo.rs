//! `quorate demo`: a cluster in this process, a shell on it, and ways to break it.

use super::local::{Cluster, Keep, NodeState};
use super::sql::{converse, run_scripts};
use super::{Context, runtime};
use crate::client::{LocalConnector, SqlError};
use crate::exit::{Exit, Failure};
use crate::render::Format;
use crate::repl::{DemoControl, Options, Shell, Told};
use async_trait::async_trait;
use clap::Args;
use quorate::node::Node;
use quorate_bench::target::{Connection, Embedded, Row, Target as _, TargetError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const EXAMPLES: &str = "\
Examples:
  quorate demo                              then: \\demo kill 2, a query, \\demo start 2
  quorate demo                              then: \\demo pause pre-commit, \\demo kill coordinator
  quorate demo -n 5 --dir ./demo            five nodes whose data survive
  quorate demo --no-shell -e 'SHOW NODES'";

/// How long a recovery is watched.
const WATCHING: Duration = Duration::from_secs(15);
/// Between two looks at it.
const SETTLE_STEP: Duration = Duration::from_millis(20);
const MOST_NODES: u64 = 9;
/// How long a node that is to go waits until the others have all replicas.
const SETTLING: Duration = Duration::from_secs(5);

/// A cluster in this process to play with, and a shell.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct DemoArgs {
    /// How many nodes
    #[arg(short = 'n', long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MOST_NODES))]
    nodes: u64,
    /// Keep the data in DIR/n1, DIR/n2, ...; in memory if left out
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Run a statement or meta-command first (repeatable)
    #[arg(short = 'e', long = "execute", visible_short_alias = 'c', value_name = "SQL")]
    execute: Vec<String>,
    /// Leave after that
    #[arg(long)]
    no_shell: bool,
    /// Form of results
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Runs the cluster and the shell.
pub fn run(context: &Context, args: DemoArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    let count = usize::try_from(args.nodes).unwrap_or(1);
    let keep = match &args.dir {
        Some(directory) => Keep::Directory(made(directory)?),
        None => Keep::Memory,
    };
    let started = runtime.block_on(Cluster::start(count, &keep, true)).map_err(|error| Failure::of_start(&error))?;
    let cluster = Arc::new(started);
    let interactive = context.terminal.stdin && !args.no_shell;
    if interactive && !context.global.quiet {
        greet(&cluster, &args);
    }
    let connector = Arc::new(LocalConnector::new(cluster.clone()));
    let options =
        Options { format: args.format, keep_going: false, quiet: context.global.quiet, setup: Vec::new(), interactive };
    let shell = Shell::connect(runtime.handle().clone(), connector, options, context.terminal);
    let done = shell.map_err(Failure::from).and_then(|shell| {
        let mut shell = shell.with_demo(Arc::new(Control { cluster: cluster.clone(), held: Mutex::default() }));
        let done = talk(&mut shell, &args, interactive);
        shell.close();
        done
    });
    let stopped = runtime.block_on(cluster.shutdown()).map_err(|error| Failure::of_start(&error));
    done.and(stopped)
}

fn talk(shell: &mut Shell, args: &DemoArgs, interactive: bool) -> Result<(), Failure> {
    if !interactive {
        shell.watch_interrupts();
    }
    if !args.execute.is_empty() {
        run_scripts(shell, &args.execute, &[])?;
    }
    match (interactive, args.no_shell) {
        (true, _) => converse(shell, None),
        (false, false) => run_scripts(shell, &[], &[]),
        (false, true) => Ok(()),
    }
}

fn made(directory: &PathBuf) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|error| Failure::new(Exit::Directory, format!("cannot make {}: {error}", directory.display())))?;
    Ok(directory.clone())
}

fn greet(cluster: &Cluster, args: &DemoArgs) {
    let states = cluster.states();
    let data = match &args.dir {
        Some(directory) => format!("data is kept in {}", directory.display()),
        None => "data is in memory and is lost on exit".to_owned(),
    };
    let plural = if states.len() == 1 { "node" } else { "nodes" };
    eprintln!("quorate {} · {} {plural} in this process · {data}", env!("CARGO_PKG_VERSION"), states.len());
    if let Some(sql) = states.first().and_then(|state| state.sql) {
        eprintln!("  psql   psql \"postgres://root@{sql}/postgres\"");
    }
    eprintln!("  help   \\?  meta-commands   \\h SELECT  syntax   \\demo  break things");
}

/// What `\demo` does.
struct Control {
    cluster: Arc<Cluster>,
    /// The transfer that is held, if one is. Held for moments only.
    held: Mutex<Option<Held>>,
}

/// A transfer between two ranges that has all votes and no outcome.
struct Held {
    /// The node that coordinates it.
    coordinator: usize,
    transaction: String,
    committing: JoinHandle<Result<(), String>>,
}

#[async_trait]
impl DemoControl for Control {
    async fn control(&self, words: &[&str]) -> Result<Option<Told>, SqlError> {
        let (number, text) = match words {
            [] | ["ls"] => (0, self.list()),
            ["kill", "coordinator"] => self.kill_coordinator().await?,
            ["kill", node] => (self.number(node)?, self.kill(self.number(node)?).await?),
            ["stop", node] => (self.number(node)?, self.stop(self.number(node)?).await?),
            ["start", node] => (0, self.start(self.number(node)?).await?),
            ["pause", "pre-commit"] => (0, self.pause().await?),
            ["resume"] => (0, self.resume().await?),
            _ => return Ok(None),
        };
        Ok(Some(Told { text, session_lost: self.cluster.is_current(number) }))
    }
}

impl Control {
    fn number(&self, word: &str) -> Result<usize, SqlError> {
        let count = self.cluster.states().len();
        let number = word.parse().ok().filter(|number| (1..=count).contains(number));
        number.ok_or_else(|| SqlError::usage(format!("\"{word}\" is no node: there are 1 to {count}")))
    }

    fn list(&self) -> String {
        let lines = self.cluster.states().into_iter().map(|state| {
            let status = if state.running { "running" } else { "down" };
            let sql = state.sql.map(|sql| format!("   postgres://root@{sql}/postgres")).unwrap_or_default();
            format!("  node {}   {status:<8} {}{sql}", state.number, state.address)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Nothing may be lost by a node that goes: the others must have their replicas first.
    async fn spare(&self) -> Result<(), SqlError> {
        let all_run = self.cluster.states().iter().all(|state| state.running);
        if !all_run || self.cluster.settle(SETTLING).await {
            return Ok(());
        }
        let error = SqlError::usage("the other nodes do not have all replicas yet");
        Err(error.with_hint("Try again in a moment; SHOW RANGES tells where replicas are."))
    }

    async fn kill(&self, number: usize) -> Result<String, SqlError> {
        self.spare().await?;
        if !self.cluster.kill(number).await {
            return Err(not_running(number));
        }
        Ok(format!("node {number} killed, as by a crash: nothing flushed, nobody told. {}", self.outlook()))
    }

    /// A node that is not the session's transfers money between two ranges, and stops before PreCommit.
    async fn pause(&self) -> Result<String, SqlError> {
        if self.held().is_some() {
            return Err(SqlError::usage("a transfer is held already").with_hint("\\demo resume lets it go on."));
        }
        let other = |state: &NodeState| state.running && !self.cluster.is_current(state.number);
        let coordinator = self.cluster.states().into_iter().find(other);
        let coordinator = coordinator.map(|state| state.number).ok_or_else(|| {
            SqlError::usage("no other node runs").with_hint("\\demo ls shows the nodes, \\demo start N starts one.")
        })?;
        let node = self.cluster.node(coordinator).ok_or_else(|| not_running(coordinator))?;
        let mut session = Session::open(&node).await?;
        session.make_accounts().await?;
        node.hold_next_commit();
        let committing = tokio::spawn(async move { session.transfer().await });
        let transaction = tokio::time::timeout(SETTLING, node.held_commit()).await.ok().flatten();
        let Some(transaction) = transaction else {
            node.release_commits();
            let why = match committing.await {
                Ok(Err(why)) => why,
                _ => "it was over too soon".to_owned(),
            };
            return Err(SqlError::usage(format!("no transfer could be held: {why}")));
        };
        // Nodes join side by side, so that their ids may be other than their numbers here.
        let id = node.id();
        let place = format!("node {coordinator} (node_id {id})");
        let text = format!(
            "transaction {transaction} moves 10 from account 1 to account 2, which lie in two ranges. Both have voted yes;\n\
             {place}, its coordinator, stops before PreCommit. Look at it, then resume it or kill its \
             coordinator:\n\
             \x20 SELECT * FROM quorate.in_doubt;   SELECT * FROM quorate.locks;\n\
             \x20 \\demo resume                      \\demo kill coordinator"
        );
        *self.held() = Some(Held { coordinator, transaction, committing });
        Ok(text)
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_held(&self) -> Result<Held, SqlError> {
        self.held().take().ok_or_else(|| {
            SqlError::usage("no transaction is held").with_hint("\\demo pause pre-commit begins one and holds it.")
        })
    }

    async fn resume(&self) -> Result<String, SqlError> {
        let held = self.take_held()?;
        if let Some(node) = self.cluster.node(held.coordinator) {
            node.release_commits();
        }
        Ok(match held.committing.await {
            Ok(Ok(())) => format!("transaction {} is committed", held.transaction),
            Ok(Err(why)) => format!("transaction {} is not committed: {why}", held.transaction),
            Err(_) => format!("transaction {} has gone with its node", held.transaction),
        })
    }

    /// Kills the coordinator of the held transaction, and watches what the ranges do.
    async fn kill_coordinator(&self) -> Result<(usize, String), SqlError> {
        let held = self.take_held()?;
        self.spare().await?;
        if !self.cluster.kill(held.coordinator).await {
            return Err(not_running(held.coordinator));
        }
        held.committing.abort();
        let began = Instant::now();
        let mut lines =
            vec![format!("node {} killed; transaction {} is in doubt.", held.coordinator, held.transaction)];
        let witness = self.cluster.nodes().into_iter().next().ok_or_else(|| not_running(1))?;
        let mut session = Session::open(&witness).await?;
        let mut before = Vec::new();
        while began.elapsed() < WATCHING {
            let now = session.in_doubt(&held.transaction).await.unwrap_or_default();
            if now != before {
                let at = began.elapsed().as_secs_f64();
                let what = if now.is_empty() { "nothing is locked any more".to_owned() } else { now.join("; ") };
                lines.push(format!("  {at:6.2} s   {what}"));
                before = now;
            }
            if before.is_empty() && began.elapsed() > WATCHING / 10 {
                break;
            }
            tokio::time::sleep(SETTLE_STEP).await;
        }
        lines.push(session.verdict().await?);
        lines.push(self.outlook());
        Ok((held.coordinator, lines.join("\n")))
    }

    async fn stop(&self, number: usize) -> Result<String, SqlError> {
        self.spare().await?;
        match self.cluster.stop(number).await {
            Ok(true) => Ok(format!("node {number} stopped in good order. {}", self.outlook())),
            Ok(false) => Err(not_running(number)),
            Err(error) => Err(SqlError::of_session(&error)),
        }
    }

    async fn start(&self, number: usize) -> Result<String, SqlError> {
        let began = Instant::now();
        match self.cluster.restart(number).await {
            Ok(true) => {
                Ok(format!("node {number} is back ({:.1} s). {}", began.elapsed().as_secs_f64(), self.outlook()))
            }
            Ok(false) => Err(SqlError::usage(format!("node {number} is running"))),
            Err(error) => Err(SqlError::of_session(&error)),
        }
    }

    /// What the cluster stands now.
    fn outlook(&self) -> String {
        let states = self.cluster.states();
        outlook(states.iter().filter(|state| state.running).count(), states.len())
    }
}

/// A session of the demonstration's own.
struct Session {
    connection: Box<dyn Connection>,
}

impl Session {
    async fn open(node: &Node) -> Result<Session, SqlError> {
        let connection = Embedded::new(std::slice::from_ref(node), "a node").connect(0).await;
        Ok(Session { connection: connection.map_err(told)? })
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, SqlError> {
        self.connection.query(sql).await.map_err(told)
    }

    /// Two accounts in two ranges, if they are not there.
    async fn make_accounts(&mut self) -> Result<(), SqlError> {
        for sql in [
            "CREATE TABLE IF NOT EXISTS demo_account (id INT PRIMARY KEY, balance INT NOT NULL)",
            "ALTER TABLE demo_account SPLIT AT VALUES (2)",
            "INSERT INTO demo_account VALUES (1, 100), (2, 0) ON CONFLICT DO NOTHING",
            "SET commit_protocol = 'three_phase'",
        ] {
            self.query(sql).await?;
        }
        Ok(())
    }

    async fn transfer(&mut self) -> Result<(), String> {
        let sql = "UPDATE demo_account SET balance = balance + CASE id WHEN 1 THEN -10 ELSE 10 END";
        self.connection.query(sql).await.map(drop).map_err(|error| error.to_string())
    }

    /// What each range says of the transaction.
    async fn in_doubt(&mut self, transaction: &str) -> Result<Vec<String>, SqlError> {
        let rows = self
            .query(&format!(
                "SELECT 'r' || range_id || ' ' || key || ': ' || state || CASE WHEN recovering THEN \
                 ', being recovered' ELSE '' END FROM quorate.in_doubt WHERE transaction = '{transaction}' \
                 ORDER BY range_id"
            ))
            .await?;
        Ok(rows.iter().map(|row| row[0].text().to_owned()).collect())
    }

    async fn verdict(&mut self) -> Result<String, SqlError> {
        let rows = self.query("SELECT balance FROM demo_account ORDER BY id").await?;
        let balances: Vec<String> = rows.iter().map(|row| row[0].int().to_string()).collect();
        Ok(format!("The accounts hold {}.", balances.join(" and ")))
    }
}

fn told(error: TargetError) -> SqlError {
    SqlError::usage(error.to_string())
}

fn not_running(number: usize) -> SqlError {
    SqlError::usage(format!("node {number} is not running")).with_hint(format!("\\demo start {number} starts it."))
}

/// What `running` of `all` nodes mean, if each range has a replica on up to three of them.
fn outlook(running: usize, all: usize) -> String {
    let replicas = all.min(3);
    let down = all - running;
    let spare = (replicas - 1) / 2;
    let left = format!("{running} of {all} nodes are up");
    if down > spare {
        let has = if all > replicas { "may have" } else { "has" };
        format!("{left}: some data {has} no majority. Statements on it wait, nothing is lost.")
    } else if down == spare {
        format!("{left}: still available, no further failure tolerated.")
    } else {
        format!("{left}: {} more may fail.", spare - down)
    }
}

#[cfg(test)]
mod tests {
    use super::outlook;

    #[test]
    fn the_outlook_counts_majorities() {
        assert_eq!(outlook(3, 3), "3 of 3 nodes are up: 1 more may fail.");
        assert_eq!(outlook(2, 3), "2 of 3 nodes are up: still available, no further failure tolerated.");
        assert!(outlook(1, 3).contains("no majority"));
        assert!(outlook(1, 1).contains("no further failure"));
        assert!(outlook(3, 5).contains("no majority"));
    }
}
