//! Runs the whole cluster under virtual time: `simulate --seeds 1..100 --workload all --faults all`.
//!
//! One line per seed, a summary, and exit code 1 with the command that replays the failing seed if a rule was broken.

use clap::Parser;
use quorate_net::runtime::{Instant, Runtime};
use quorate_tests::simulation::fault::{Fault, Kind};
use quorate_tests::simulation::{MUTATIONS, Mutation, Plan, Report, run};
use quorate_tests::workload;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Tries of making a failing plan smaller.
const MOST_SHRINKS: usize = 60;

/// Simulate whole clusters from seeds, break them, and check every transaction.
#[derive(Parser, Debug)]
struct Arguments {
    /// Seeds: one number, or A..B without B.
    #[arg(long, default_value = "1..21")]
    seeds: String,
    /// Workloads, separated by commas, or all.
    #[arg(long, default_value = "all")]
    workload: String,
    /// Kinds of faults, separated by commas; all or none.
    #[arg(long, default_value = "all")]
    faults: String,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// Transactions that clients try in each run.
    #[arg(long, default_value_t = 300)]
    steps: u64,
    /// Longest pause of a client between two transactions, in milliseconds.
    #[arg(long, default_value_t = 300)]
    think: u64,
    /// One JSON object per line instead of text.
    #[arg(long)]
    jsonl: bool,
    /// Without leases: every new ID that is read costs a round.
    #[arg(long)]
    rounds: bool,
    /// Tell the story of every run.
    #[arg(long)]
    trace: bool,
    /// Leave out the faults with these numbers (from 0) of a seed's plan.
    #[arg(long, value_delimiter = ',')]
    without: Vec<usize>,
    /// Plant this bug (its name, or a number that counts the bugs round); exit code 0 if the first seeds find it: as many
    /// as are stated for it, beginning with the first of --seeds, or its own seed if that is the only one known to.
    #[arg(long)]
    mutation: Option<String>,
    /// Runs at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

/// What to run, in order.
struct Work {
    plans: Vec<Plan>,
    next: AtomicUsize,
    failed: AtomicBool,
    totals: Mutex<Totals>,
}

#[derive(Default)]
struct Totals {
    runs: usize,
    failures: Vec<(Plan, Report)>,
    transactions: [u64; 3],
    faults: BTreeMap<&'static str, u64>,
    virtual_time: Duration,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plans = match plans(&arguments) {
        Ok(plans) => plans,
        Err(message) => {
            eprintln!("simulate: {message}");
            return ExitCode::from(2);
        }
    };
    let clock = Runtime::real();
    let began = clock.now();
    let work = Work { plans, next: AtomicUsize::new(0), failed: AtomicBool::new(false), totals: Mutex::default() };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| runs(&work, &arguments, &clock));
        }
    });
    let totals = work.totals.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary(&totals, &arguments, &clock, began);
    match (totals.failures.first(), arguments.mutation.is_some()) {
        (None, false) | (Some(_), true) => ExitCode::SUCCESS,
        (None, true) => {
            eprintln!("nobody noticed the planted bug");
            ExitCode::FAILURE
        }
        (Some((plan, _)), false) => {
            shrink(plan, &arguments);
            ExitCode::FAILURE
        }
    }
}

fn plans(arguments: &Arguments) -> Result<Vec<Plan>, String> {
    let mut seeds = match arguments.seeds.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => number(&arguments.seeds)?..number(&arguments.seeds)? + 1,
    };
    let mutation = arguments.mutation.as_deref().map(mutation_named).transpose()?;
    if let Some(mutation) = mutation {
        seeds = match (mutation.within, mutation.seed) {
            (Some(within), _) => seeds.start..seeds.start + within,
            (None, Some(seed)) => seed..seed + 1,
            (None, None) => seeds,
        };
        let (name, what, most) = (mutation.name, mutation.what, seeds.end - seeds.start);
        println!("planted: {name}, {what}; to be found within {most} seeds, from {} on", seeds.start);
    }
    let workloads: Vec<&'static str> = match (arguments.workload.as_str(), mutation) {
        ("all", Some(mutation)) => vec![mutation.workload],
        ("all", None) => workload::NAMES.to_vec(),
        (names, _) => names.split(',').map(workload_named).collect::<Result<_, _>>()?,
    };
    let kinds: Vec<Kind> = match arguments.faults.as_str() {
        "all" => Kind::ALL.to_vec(),
        "none" => Vec::new(),
        names => names
            .split(',')
            .map(|name| {
                let known = || Kind::ALL.map(Kind::name).join(", ");
                Kind::named(name).ok_or_else(|| format!("there is no fault \"{name}\"; there are: {}", known()))
            })
            .collect::<Result<_, _>>()?,
    };
    let mut plans = Vec::new();
    for seed in seeds {
        // Each seed plays one workload after the other, unless one is named.
        let at = usize::try_from(seed).unwrap_or(0) % workloads.len();
        let mut plan = Plan::of(seed, workloads[at], arguments.nodes, arguments.steps, &kinds);
        plan.think = Duration::from_millis(arguments.think);
        plan.tells = arguments.trace;
        plan.mutation = mutation.map_or("", |mutation| mutation.name);
        plan.leases = !arguments.rounds;
        let mut number = 0;
        plan.faults.retain(|_| {
            number += 1;
            !arguments.without.contains(&(number - 1))
        });
        plans.push(plan);
    }
    Ok(plans)
}

fn number(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("\"{text}\" is no seed; write one number, or A..B"))
}

fn mutation_named(name: &str) -> Result<&'static Mutation, String> {
    if let Ok(number) = name.parse::<usize>() {
        return Ok(&MUTATIONS[number % MUTATIONS.len()]);
    }
    let known = || MUTATIONS.iter().map(|mutation| mutation.name).collect::<Vec<_>>().join(", ");
    let found = MUTATIONS.iter().find(|mutation| mutation.name == name);
    found.ok_or_else(|| format!("there is no bug \"{name}\"; there are: {}", known()))
}

fn workload_named(name: &str) -> Result<&'static str, String> {
    let found = workload::NAMES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| format!("there is no workload \"{name}\"; there are: {}", workload::NAMES.join(", ")))
}

fn runs(work: &Work, arguments: &Arguments, clock: &Runtime) {
    while !work.failed.load(Ordering::Relaxed) {
        let Some(plan) = work.plans.get(work.next.fetch_add(1, Ordering::Relaxed)) else { return };
        let began = clock.now();
        let report = match run(plan) {
            Ok(report) => report,
            Err(error) => Report { violations: vec![format!("no runtime: {error}")], ..Report::default() },
        };
        let real = clock.now() - began;
        let mut totals = work.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tell(plan, &report, real, arguments);
        totals.runs += 1;
        totals.virtual_time += report.virtual_time;
        for (total, count) in totals.transactions.iter_mut().zip(report.transactions) {
            *total += count;
        }
        for (name, count) in &report.faults {
            *totals.faults.entry(name).or_default() += count;
        }
        if !report.violations.is_empty() {
            work.failed.store(true, Ordering::Relaxed);
            totals.failures.push((plan.clone(), report));
        }
    }
}

fn tell(plan: &Plan, report: &Report, real: Duration, arguments: &Arguments) {
    let [committed, aborted, unknown] = report.transactions;
    let verdict = if report.violations.is_empty() { "ok" } else { "VIOLATION" };
    let (seed, workload, hash) = (plan.seed, plan.workload, report.hash);
    let (virtual_s, real_s) = (report.virtual_time.as_secs_f64(), real.as_secs_f64());
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: the exit code still tells.
    let _ = if arguments.jsonl {
        let line = serde_json::json!({
            "seed": seed, "workload": workload, "verdict": verdict, "committed": committed, "aborted": aborted,
            "unknown": unknown, "faults": report.faults, "messages": report.messages, "virtual_seconds": virtual_s,
            "real_seconds": real_s, "hash": format!("{hash:016x}"), "violations": report.violations,
        });
        writeln!(out, "{line}")
    } else {
        for line in &report.story {
            let _ = writeln!(out, "{line}");
        }
        let faults: u64 = report.faults.values().sum();
        writeln!(
            out,
            "seed {seed:<6} {workload:<12} {verdict:<9} {committed:>5} committed {aborted:>4} aborted {unknown:>3} \
             unknown  {faults:>2} faults {:>6} messages  {virtual_s:>6.1} s in {real_s:.2} s  {hash:016x}",
            report.messages
        )
        .and_then(|()| report.violations.iter().try_for_each(|found| writeln!(out, "    {found}")))
    };
}

fn summary(totals: &Totals, arguments: &Arguments, clock: &Runtime, began: Instant) {
    let real = (clock.now() - began).as_secs_f64();
    let [committed, aborted, unknown] = totals.transactions;
    let virtual_s = totals.virtual_time.as_secs_f64();
    let verdict = match (totals.failures.is_empty(), arguments.mutation.is_some()) {
        (true, _) => "no violation",
        (false, false) => "VIOLATED",
        (false, true) => "the planted bug was found",
    };
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: the exit code still tells.
    let _ = if arguments.jsonl {
        let line = serde_json::json!({
            "runs": totals.runs, "committed": committed, "aborted": aborted, "unknown": unknown, "faults": totals.faults,
            "virtual_seconds": virtual_s, "real_seconds": real, "verdict": verdict,
        });
        writeln!(out, "{line}")
    } else {
        let faults: u64 = totals.faults.values().sum();
        let kinds: Vec<String> = totals.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(
            out,
            "\n{} runs: {committed} transactions committed, {aborted} aborted, {unknown} unknown\n{faults} faults: {}\n\
             {virtual_s:.0} virtual seconds in {real:.1} s: {:.0} times real time, {:.0} committed transactions per second\n\
             verdict: {verdict}",
            totals.runs,
            kinds.join(", "),
            virtual_s / real,
            committed as f64 / real
        )
    };
}

/// Leaves out faults as long as the run still fails, then says how to see it again.
fn shrink(plan: &Plan, arguments: &Arguments) {
    let whole: Vec<Fault> = plan.faults.clone();
    let mut without: Vec<usize> = Vec::new();
    let candidates = (0..whole.len()).take(MOST_SHRINKS);
    for left_out in candidates {
        let tried: Vec<usize> = without.iter().copied().chain([left_out]).collect();
        let faults = whole.iter().enumerate().filter(|(at, _)| !tried.contains(at)).map(|(_, fault)| *fault);
        let smaller = Plan { faults: faults.collect(), tells: false, ..plan.clone() };
        if run(&smaller).is_ok_and(|report| !report.violations.is_empty()) {
            without = tried;
        }
    }
    let left = whole.iter().enumerate().filter(|(at, _)| !without.contains(at));
    eprintln!("\nseed {} still fails with {} of {} faults:", plan.seed, whole.len() - without.len(), whole.len());
    left.for_each(|(_, fault)| eprintln!("    {fault}"));
    // Numbers count in the seed's whole plan.
    let played: Vec<usize> = (0..).filter(|number| !arguments.without.contains(number)).take(whole.len()).collect();
    let mut numbers: Vec<usize> =
        without.iter().map(|at| played[*at]).chain(arguments.without.iter().copied()).collect();
    numbers.sort_unstable();
    let leave: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let leave = if leave.is_empty() { String::new() } else { format!(" --without {}", leave.join(",")) };
    let rounds = if plan.leases { "" } else { " --rounds" };
    eprintln!(
        "see it again: cargo run --release -p quorate-tests --bin simulate -- --seeds {} --workload {} --faults {} \
         --nodes {} --steps {} --think {}{leave}{rounds} --trace",
        plan.seed, plan.workload, arguments.faults, plan.nodes, plan.steps, arguments.think
    );
}
