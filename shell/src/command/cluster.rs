//! `quorate cluster`: what a running cluster looks like, and tokens for nodes that are to join. All of it is SQL, sent to
//! one node.

use super::sql::Opened;
use super::{Context, runtime};
use crate::client::{Address, Column, Connection, Kind, Place, Rows, SqlError, fetch};
use crate::exit::{Exit, Failure};
use crate::render::{Format, Palette, Style, write_result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

const EXAMPLES: &str = "\
Examples:
  quorate cluster status ./n1
  quorate cluster nodes postgres://root@127.0.0.1:7432/postgres --format json
  quorate cluster token create ./n1";

const STATUS_EXAMPLES: &str = "Examples:\n  quorate cluster status ./n1\n  quorate cluster status ./n1 --format json";
const NODES_EXAMPLES: &str = "Examples:\n  quorate cluster nodes ./n1\n  quorate cluster nodes ./n1 --format csv";
const RANGES_EXAMPLES: &str = "Examples:\n  quorate cluster ranges ./n1\n  quorate cluster ranges ./n1 --format jsonl";
const TOKEN_EXAMPLES: &str = "Examples:\n  quorate cluster token create ./n1\n  quorate cluster token list ./n1\n  \
                              quorate cluster token revoke ID ./n1";
const CREATE_EXAMPLES: &str =
    "Examples:\n  quorate cluster token create ./n1\n  quorate cluster token create ./n1 --format json";
const LIST_EXAMPLES: &str =
    "Examples:\n  quorate cluster token list ./n1\n  quorate cluster token list ./n1 --format json";
const REVOKE_EXAMPLES: &str =
    "Examples:\n  quorate cluster token revoke 0k7zykhaj520 ./n1\n  quorate cluster token revoke ID URL";

/// Look at a cluster and let nodes join.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ClusterArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum What {
    /// Whether it is healthy, in one sentence
    #[command(before_help = STATUS_EXAMPLES)]
    Status(Query),
    /// Its nodes
    #[command(before_help = NODES_EXAMPLES)]
    Nodes(Query),
    /// Its ranges
    #[command(before_help = RANGES_EXAMPLES)]
    Ranges(Query),
    /// Tokens for nodes that are to join
    #[command(subcommand, before_help = TOKEN_EXAMPLES)]
    Token(Token),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Token {
    /// Make one (valid 1 h, one use) and print it
    #[command(before_help = CREATE_EXAMPLES)]
    Create(Query),
    /// Those that were made
    #[command(before_help = LIST_EXAMPLES)]
    List(Query),
    /// Make one useless
    #[command(before_help = REVOKE_EXAMPLES)]
    Revoke {
        /// Its id, as `list` prints it
        id: String,
        #[command(flatten)]
        query: Query,
    },
}

#[derive(Debug, Args)]
struct Query {
    /// Data directory of a node that runs on this machine, or URL
    #[arg(env = "QUORATE_URL")]
    target: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Answer {
    #[default]
    Table,
    Json,
    Jsonl,
    Csv,
}

/// Asks one node.
pub fn run(context: &Context, args: ClusterArgs) -> Result<(), Failure> {
    let query = args.what.query();
    let address = target(&query.target)?;
    let format = query.format;
    let runtime = runtime()?;
    let opened = Opened::open(&runtime, &address)?;
    let done = runtime.block_on(async {
        let mut connection = opened.connector.connect(None).await?;
        let done = ask(connection.as_mut(), &args.what, format, context).await;
        connection.close().await;
        done
    });
    done.and(opened.close(&runtime))
}

impl What {
    fn query(&self) -> &Query {
        match self {
            What::Status(query) | What::Nodes(query) | What::Ranges(query) => query,
            What::Token(Token::Create(query) | Token::List(query) | Token::Revoke { query, .. }) => query,
        }
    }
}

/// A cluster is asked through a node that runs; a directory is never opened here.
fn target(text: &str) -> Result<Address, Failure> {
    match Address::parse(Some(text)) {
        Address::Directory(path) => match Place::find(&path) {
            Some(place) => Ok(Address::Url(place.url())),
            None => Err(Failure::new(Exit::NoConnection, format!("no node is running in {}", path.display()))
                .with_hint(format!("Start it with: quorate start {}", path.display()))),
        },
        address => Ok(address),
    }
}

async fn ask(connection: &mut dyn Connection, what: &What, format: Answer, context: &Context) -> Result<(), Failure> {
    match what {
        What::Status(_) => status(connection, format).await,
        What::Nodes(_) => list(connection, "nodes", "SHOW NODES", format, context).await,
        What::Ranges(_) => list(connection, "ranges", "SHOW RANGES", format, context).await,
        What::Token(Token::List(_)) => {
            list(connection, "tokens", "SELECT * FROM quorate.join_tokens", format, context).await
        }
        What::Token(Token::Create(_)) => create(connection, format).await,
        What::Token(Token::Revoke { id, .. }) => revoke(connection, id).await,
    }
}

async fn query(connection: &mut dyn Connection, sql: &str) -> Result<Rows, SqlError> {
    let mut rows = Rows::default();
    match connection.run(sql, &mut rows).await? {
        crate::client::Flow::Done => Ok(rows),
        crate::client::Flow::CopyIn => Err(SqlError::usage("the server wants data")),
    }
}

async fn list(
    connection: &mut dyn Connection,
    name: &str,
    sql: &str,
    format: Answer,
    context: &Context,
) -> Result<(), Failure> {
    let rows = query(connection, sql).await?;
    let mut out = io::stdout().lock();
    let style = |format| Style { format, palette: Palette::plain(), max_rows: None, width: None };
    match format {
        Answer::Json => {
            let objects: Vec<Value> = rows.rows.iter().map(|row| object(&rows.columns, row)).collect();
            writeln!(out, "{}", json!({"schema": 1, name: objects}))?;
        }
        Answer::Table if context.terminal.stdout => {
            let palette = Palette::new(context.terminal.color_stdout());
            write_result(&Style { palette, ..style(Format::Box) }, rows.columns, rows.rows, &mut out)?;
        }
        Answer::Table => drop(write_result(&style(Format::Table), rows.columns, rows.rows, &mut out)?),
        Answer::Jsonl => drop(write_result(&style(Format::Jsonl), rows.columns, rows.rows, &mut out)?),
        Answer::Csv => drop(write_result(&style(Format::Csv), rows.columns, rows.rows, &mut out)?),
    }
    Ok(())
}

fn object(columns: &[Column], row: &crate::client::Row) -> Value {
    let fields = columns.iter().zip(row).map(|(column, cell)| {
        let value = match (cell.as_deref(), column.kind) {
            (None, _) => Value::Null,
            (Some(text), Kind::Bool) => Value::Bool(text == "t"),
            (Some(text), Kind::Number | Kind::Json) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            (Some(text), Kind::Text) => text.into(),
        };
        (column.name.clone(), value)
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

async fn create(connection: &mut dyn Connection, format: Answer) -> Result<(), Failure> {
    let rows = fetch(connection, "SELECT quorate.create_join_token()").await?;
    let token = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
    let mut out = io::stdout().lock();
    match format {
        Answer::Json | Answer::Jsonl => writeln!(out, "{}", json!({"schema": 1, "token": token}))?,
        Answer::Table | Answer::Csv => writeln!(out, "{token}")?,
    }
    Ok(())
}

async fn revoke(connection: &mut dyn Connection, id: &str) -> Result<(), Failure> {
    let sql = format!("SELECT quorate.revoke_join_token('{}')", id.replace('\'', "''"));
    let rows = fetch(connection, &sql).await?;
    match rows.first().and_then(|row| row.first()).and_then(Option::as_deref) {
        Some("t") => Ok(()),
        _ => Err(Failure::new(Exit::Failed, format!("there is no token \"{id}\" that could still be used"))
            .with_hint("quorate cluster token list TARGET")),
    }
}

/// What the nodes and ranges of a cluster add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Health {
    nodes: usize,
    live: usize,
    ranges: usize,
    leaderless: usize,
    under_replicated: usize,
    without_majority: usize,
}

async fn status(connection: &mut dyn Connection, format: Answer) -> Result<(), Failure> {
    let nodes = query(connection, "SHOW NODES").await?;
    let ranges = query(connection, "SHOW RANGES").await?;
    let health = Health::of(&nodes, &ranges);
    let mut out = io::stdout().lock();
    match format {
        Answer::Table | Answer::Csv => writeln!(out, "{}", health.sentence())?,
        Answer::Json | Answer::Jsonl => writeln!(
            out,
            "{}",
            json!({
                "schema": 1,
                "healthy": health.is_healthy(),
                "nodes": health.nodes,
                "live_nodes": health.live,
                "ranges": health.ranges,
                "leaderless_ranges": health.leaderless,
                "under_replicated_ranges": health.under_replicated,
                "ranges_without_majority": health.without_majority,
                "text": health.sentence(),
            })
        )?,
    }
    Ok(())
}

impl Health {
    fn of(nodes: &Rows, ranges: &Rows) -> Health {
        let mut health = Health { nodes: nodes.rows.len(), ranges: ranges.rows.len(), ..Health::default() };
        let mut live = Vec::new();
        for row in &nodes.rows {
            if field(nodes, row, "status") == Some("live") {
                live.push(field(nodes, row, "node_id").unwrap_or_default());
            }
        }
        health.live = live.len();
        for row in &ranges.rows {
            // `{1,2,3}`: those that vote.
            let replicas = field(ranges, row, "replicas").unwrap_or_default().trim_matches(['{', '}']);
            let voters: Vec<&str> = replicas.split(',').filter(|voter| !voter.is_empty()).collect();
            let up = voters.iter().filter(|voter| live.contains(*voter)).count();
            health.leaderless += usize::from(field(ranges, row, "lease_holder").is_none());
            health.under_replicated += usize::from(voters.len() < health.nodes.min(3));
            health.without_majority += usize::from(up * 2 <= voters.len());
        }
        health
    }

    fn is_healthy(&self) -> bool {
        self.live == self.nodes && self.under_replicated == 0 && self.without_majority == 0
    }

    fn sentence(&self) -> String {
        let Health { nodes, live, ranges, under_replicated, without_majority, .. } = self;
        let replicas = (*nodes).min(3);
        let head = format!("{live} of {nodes} nodes are up, {ranges} ranges.");
        if *without_majority > 0 {
            return format!("Not available in part. {head} {without_majority} ranges have no majority of replicas.");
        }
        let mut notes = Vec::new();
        if *under_replicated > 0 {
            notes.push(format!("{under_replicated} ranges have fewer than {replicas} replicas."));
        }
        if live < nodes {
            notes.push("What is down should be started again.".to_owned());
        }
        match (self.is_healthy(), replicas) {
            (true, 3) => {
                format!("Healthy. {head} Every range has 3 replicas. One node may fail without data loss or downtime.")
            }
            (true, _) => format!("Healthy. {head} No node may fail: a third one would change that."),
            (false, _) => format!("Degraded, still available. {head} {}", notes.join(" ")),
        }
    }
}

fn field<'a>(rows: &Rows, row: &'a crate::client::Row, name: &str) -> Option<&'a str> {
    let at = rows.columns.iter().position(|column| column.name == name)?;
    row.get(at)?.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &[&str], rows: &[&[&str]]) -> Rows {
        Rows {
            columns: columns.iter().copied().map(Column::text).collect(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect())
                .collect(),
        }
    }

    #[test]
    fn health_counts_voters_on_live_nodes() {
        let nodes = rows(&["node_id", "status"], &[&["1", "live"], &["2", "live"], &["3", "down"]]);
        let ranges = rows(
            &["range_id", "lease_holder", "replicas", "learners"],
            &[&["1", "1", "{1,2,3}", "{}"], &["2", "-", "{3}", "{}"], &["3", "2", "{2}", "{3}"]],
        );
        let health = Health::of(&nodes, &ranges);
        let expected = Health { nodes: 3, live: 2, ranges: 3, leaderless: 1, under_replicated: 2, without_majority: 1 };
        assert_eq!(health, expected);
        assert!(health.sentence().starts_with("Not available in part. 2 of 3 nodes are up, 3 ranges."));
    }

    #[test]
    fn three_full_nodes_are_healthy() {
        let nodes = rows(&["node_id", "status"], &[&["1", "live"], &["2", "live"], &["3", "live"]]);
        let ranges = rows(&["lease_holder", "replicas"], &[&["1", "{1,2,3}"]]);
        assert_eq!(
            Health::of(&nodes, &ranges).sentence(),
            "Healthy. 3 of 3 nodes are up, 1 ranges. Every range has 3 replicas. One node may fail without data loss or downtime."
        );
    }
}
