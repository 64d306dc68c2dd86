//! What is measured: servers by URL, or nodes that this process starts.

use super::super::Context;
use super::super::local::{Cluster, Keep};
use super::steps::say;
use super::{Step, TpccArgs};
use crate::client::is_url;
use crate::exit::{Exit, Failure};
use quorate_bench::target::{Embedded, Postgres, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// How long the nodes of this process may take to have their replicas.
const SETTLING: Duration = Duration::from_secs(30);

/// A target that is ready.
pub(super) struct Prepared {
    pub(super) target: Arc<dyn Target>,
    cluster: Option<Cluster>,
    /// Removed at the end.
    temporary: Option<PathBuf>,
}

impl Prepared {
    pub(super) fn open(context: &Context, runtime: &Runtime, args: &TpccArgs) -> Result<Prepared, Failure> {
        if !args.url.is_empty() {
            return servers(args);
        }
        if args.dir.is_none() && matches!(args.step, Some(Step::Run | Step::Check)) {
            return Err(Failure::new(Exit::Usage, "a step alone needs data that were loaded before")
                .with_hint("Say where they are with --dir DIR or --url URL, or leave the step out to do all."));
        }
        let temporary = (args.dir.is_none() && !args.memory).then(temporary_directory);
        let keep = match args.dir.as_ref().or(temporary.as_ref()) {
            Some(directory) => Keep::Directory(made(directory)?),
            None => Keep::Memory,
        };
        let count = usize::try_from(args.nodes).unwrap_or(1);
        let started = runtime.block_on(Cluster::start(count, &keep, false));
        let cluster = started.map_err(|error| Failure::of_start(&error))?;
        let settled = runtime.block_on(settle(context, &cluster));
        let target = Arc::new(Embedded::new(&cluster.nodes(), description(count, args)));
        let prepared = Prepared { target, cluster: Some(cluster), temporary };
        if settled {
            return Ok(prepared);
        }
        prepared.close(runtime)?;
        let message = format!("the replicas of {count} nodes were not made within {SETTLING:?}");
        Err(Failure::new(Exit::TimedOut, message))
    }

    /// Stops what was started here.
    pub(super) fn close(self, runtime: &Runtime) -> Result<(), Failure> {
        drop(self.target);
        let stopped = match &self.cluster {
            Some(cluster) => runtime.block_on(cluster.shutdown()).map_err(|error| Failure::of_start(&error)),
            None => Ok(()),
        };
        if let Some(directory) = &self.temporary {
            std::fs::remove_dir_all(directory)?;
        }
        stopped
    }
}

/// Waits until the loss of a node would lose nothing, so that what is measured is replicated.
async fn settle(context: &Context, cluster: &Cluster) -> bool {
    let voters = cluster.voters();
    if voters > 1 {
        say(context, &format!("waiting until every range has {voters} voters"));
    }
    let started = Instant::now();
    let settled = cluster.settle(SETTLING).await;
    if settled && voters > 1 {
        say(context, &format!("every range has {voters} voters after {:.1} s", started.elapsed().as_secs_f64()));
    }
    settled
}

fn servers(args: &TpccArgs) -> Result<Prepared, Failure> {
    if let Some(wrong) = args.url.iter().find(|url| !is_url(url)) {
        return Err(
            Failure::new(Exit::Usage, format!("{wrong} is no URL")).with_hint("postgres://USER@HOST:PORT/DATABASE")
        );
    }
    let target = Postgres { urls: args.url.clone(), protocol: args.protocol };
    Ok(Prepared { target: Arc::new(target), cluster: None, temporary: None })
}

fn description(count: usize, args: &TpccArgs) -> String {
    let plural = if count == 1 { "node" } else { "nodes" };
    let sync = if args.memory { "in memory, nothing synced" } else { "fsync on" };
    format!("embedded, {count} {plural} x RF {} in this process, {sync}", count.min(3))
}

fn temporary_directory() -> PathBuf {
    std::env::temp_dir().join(format!("quorate-bench-{}", std::process::id()))
}

fn made(directory: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|error| Failure::new(Exit::Directory, format!("cannot make {}: {error}", directory.display())))?;
    Ok(directory.to_path_buf())
}
