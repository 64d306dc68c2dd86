//! `quorate sql`: the shell, on memory, a directory or a server.

use super::local::Alone;
use super::{Context, runtime, units, variable};
use crate::client::{Address, Connector, LocalConnector, Place, RemoteConnector};
use crate::exit::{Exit, Failure};
use crate::render::Format;
use crate::repl::{Options, Script, Shell, Stop, history_file, interact};
use clap::Args;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const EXAMPLES: &str = "\
Examples:
  quorate sql                                   in memory
  quorate sql ./bank -e 'SELECT 1' -e '\\dt'     on a directory
  quorate sql postgres://root@127.0.0.1:7432/postgres --format csv < a.sql";

/// SQL shell: in memory, on a directory, or on a server.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct SqlArgs {
    /// Directory, or URL of a server; in memory if left out
    #[arg(env = "QUORATE_URL")]
    target: Option<String>,
    /// Run a statement or meta-command and leave (repeatable; before files)
    #[arg(short = 'e', long = "execute", visible_short_alias = 'c', value_name = "SQL")]
    execute: Vec<String>,
    /// Run the statements of a file and leave (repeatable; - is standard input)
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Form of results; box on a terminal, else table
    #[arg(long, value_enum, env = "QUORATE_FORMAT")]
    format: Option<Format>,
    /// Go on after errors; still exits with 1
    #[arg(long)]
    keep_going: bool,
    /// Refuse statements that write
    #[arg(long)]
    read_only: bool,
    /// Leave out the statements of $XDG_CONFIG_HOME/quorate/sqlrc
    #[arg(long)]
    no_init: bool,
    /// Cancel statements that run longer
    #[arg(long, value_name = "TIME", value_parser = units::duration, env = "QUORATE_TIMEOUT")]
    timeout: Option<Duration>,
}

impl SqlArgs {
    fn options(&self, context: &Context, interactive: bool) -> Options {
        let mut setup = Vec::new();
        if self.read_only {
            setup.push("SET default_transaction_read_only = on".to_owned());
        }
        if let Some(timeout) = self.timeout {
            setup.push(format!("SET statement_timeout = {}", timeout.as_millis()));
        }
        Options { format: self.format, keep_going: self.keep_going, quiet: context.global.quiet, setup, interactive }
    }
}

/// Runs the shell.
pub fn run(context: &Context, args: SqlArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    let interactive = context.terminal.stdin && args.execute.is_empty() && args.file.is_empty();
    let target = args.target.clone().filter(|target| !target.is_empty()).or_else(url_of_libpq);
    let opened = Opened::open(&runtime, &Address::parse(target.as_deref()))?;
    if interactive && !context.global.quiet {
        eprintln!("quorate {} · {}   (\\? for help)", env!("CARGO_PKG_VERSION"), opened.greeting);
    }
    let done = session(context, &args, &runtime, &opened, interactive);
    let closed = opened.close(&runtime);
    done.and(closed)
}

fn session(
    context: &Context,
    args: &SqlArgs,
    runtime: &Runtime,
    opened: &Opened,
    interactive: bool,
) -> Result<(), Failure> {
    let options = args.options(context, interactive);
    let mut shell = Shell::connect(runtime.handle().clone(), opened.connector.clone(), options, context.terminal)?;
    let done = if interactive {
        let init = (!args.no_init).then(init_file).flatten();
        converse(&mut shell, init.as_deref())
    } else {
        shell.watch_interrupts();
        run_scripts(&mut shell, &args.execute, &args.file)
    };
    shell.close();
    done
}

/// A person's session, after the statements of the init file.
pub(super) fn converse(shell: &mut Shell, init: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = init.filter(|path| path.is_file())
        && ended(shell.run_script(&mut script_of(path)?))?
    {
        return Ok(());
    }
    interact(shell, history_file(variable("XDG_STATE_HOME").map(PathBuf::from), variable("HOME").map(PathBuf::from)))
}

/// Runs arguments, then files; standard input if there are none.
pub(super) fn run_scripts(shell: &mut Shell, execute: &[String], files: &[PathBuf]) -> Result<(), Failure> {
    for sql in execute {
        if ended(shell.run_script(&mut Script::of_argument(sql)))? {
            return shell.outcome();
        }
    }
    for path in files {
        if ended(shell.run_script(&mut script_of(path)?))? {
            return shell.outcome();
        }
    }
    if execute.is_empty() && files.is_empty() {
        ended(shell.run_script(&mut standard_input()))?;
    }
    shell.outcome()
}

/// Whether the script asked to leave.
fn ended(done: Result<(), Stop>) -> Result<bool, Failure> {
    match done {
        Ok(()) => Ok(false),
        Err(Stop::Quit) => Ok(true),
        Err(Stop::Failed(exit)) => Err(Failure::told(exit)),
    }
}

fn standard_input() -> Script {
    Script::new("<stdin>", Box::new(BufReader::new(io::stdin())))
}

fn script_of(path: &Path) -> Result<Script, Failure> {
    if path == Path::new("-") {
        return Ok(standard_input());
    }
    let file = File::open(path)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot open {}: {error}", path.display())))?;
    Ok(Script::new(path.display().to_string(), Box::new(BufReader::with_capacity(64 << 10, file))))
}

fn init_file() -> Option<PathBuf> {
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(config.join("quorate/sqlrc"))
}

/// The server that libpq's variables name, if any of them is set.
fn url_of_libpq() -> Option<String> {
    let host = variable("PGHOST");
    let port = variable("PGPORT");
    if host.is_none() && port.is_none() {
        return None;
    }
    let user = variable("PGUSER").unwrap_or_else(|| "root".to_owned());
    let database = variable("PGDATABASE").unwrap_or_else(|| "postgres".to_owned());
    let (host, port) = (host.unwrap_or_else(|| "127.0.0.1".to_owned()), port.unwrap_or_else(|| "7432".to_owned()));
    Some(format!("postgres://{user}@{host}:{port}/{database}"))
}

/// A target that is open.
pub(super) struct Opened {
    pub(super) connector: Arc<dyn Connector>,
    alone: Option<Arc<Alone>>,
    greeting: String,
}

impl Opened {
    /// Opens a target. A directory whose node runs is reached through that node.
    pub(super) fn open(runtime: &Runtime, address: &Address) -> Result<Opened, Failure> {
        match address {
            Address::Memory => Opened::alone(runtime, None, "data is in memory and is lost on exit".to_owned()),
            Address::Url(url) => Opened::remote(url),
            Address::Directory(path) => match Place::find(path) {
                Some(place) => Opened::remote(&place.url()),
                None => Opened::alone(runtime, Some(path), format!("data is kept in {}", path.display())),
            },
        }
    }

    fn alone(runtime: &Runtime, directory: Option<&Path>, greeting: String) -> Result<Opened, Failure> {
        let alone = runtime.block_on(Alone::open(directory)).map_err(|error| Failure::of_start(&error))?;
        let alone = Arc::new(alone);
        Ok(Opened { connector: Arc::new(LocalConnector::new(alone.clone())), alone: Some(alone), greeting })
    }

    fn remote(url: &str) -> Result<Opened, Failure> {
        let password = variable("QUORATE_PASSWORD").or_else(|| variable("PGPASSWORD"));
        let connector = RemoteConnector::parse(url, password).map_err(|error| Failure::new(Exit::Usage, error))?;
        let greeting = format!("connected to {}", connector.describe());
        Ok(Opened { connector: Arc::new(connector), alone: None, greeting })
    }

    /// Closes what was opened in this process.
    pub(super) fn close(self, runtime: &Runtime) -> Result<(), Failure> {
        match &self.alone {
            Some(alone) => runtime.block_on(alone.close()).map_err(|error| Failure::of_start(&error)),
            None => Ok(()),
        }
    }
}
