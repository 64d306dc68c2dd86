//! The steps: load, run, check; and the report at the end.

use super::super::Context;
use super::progress;
use super::{Step, TpccArgs};
use crate::exit::{Exit, Failure};
use quorate_bench::target::{Target, TargetError};
use quorate_bench::tpcc::{self, Condition, Counted, Live, Options, Progress, Report, Results};
use std::io::Write;
use std::sync::Arc;
use tokio::time::Instant;

/// Runs one step, or all.
pub(super) async fn run(context: &Context, args: &TpccArgs, target: &Arc<dyn Target>) -> Result<(), Failure> {
    let options = args.options();
    let all = args.step.is_none();
    if all || args.step == Some(Step::Init) {
        load(context, target, &options).await?;
    }
    let results = match args.step {
        None | Some(Step::Run) => Some(measure(context, target, &options).await?),
        _ => None,
    };
    let checked = match args.step {
        None | Some(Step::Check) => Some(check(context, target).await?),
        _ => None,
    };
    match (results, checked) {
        (Some(results), checked) => {
            // What was committed before this run is not in the driver's counts.
            let known = checked.as_ref().map(|(conditions, counted)| (conditions.as_slice(), *counted));
            report(args, &Report::new(target.describe(), &options, &results, known))
        }
        (None, Some((conditions, _))) => verdict(args, &conditions),
        (None, None) => Ok(()),
    }
}

async fn load(context: &Context, target: &Arc<dyn Target>, options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    let counted = Arc::new(Progress::default());
    let shown = progress::loading(context, counted.clone());
    let loaded = tpcc::load(target.clone(), options, counted.clone()).await;
    shown.finish();
    loaded.map_err(failure)?;
    say(context, &format!("loaded {} rows in {:.1} s", counted.rows().0, started.elapsed().as_secs_f64()));
    Ok(())
}

async fn measure(context: &Context, target: &Arc<dyn Target>, options: &Options) -> Result<Results, Failure> {
    let live = Arc::new(Live::default());
    let shown = progress::running(context, options, live.clone());
    let stop = live.clone();
    // What was measured until an interrupt is reported.
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.stop();
        }
    });
    let results = tpcc::run(target.clone(), options, wall(), live).await;
    interrupted.abort();
    shown.finish();
    results.map_err(failure)
}

async fn check(context: &Context, target: &Arc<dyn Target>) -> Result<(Vec<Condition>, Counted), Failure> {
    let started = Instant::now();
    let shown = progress::checking(context);
    let checked = tpcc::check(target.as_ref()).await;
    shown.finish();
    let checked = checked.map_err(failure)?;
    say(context, &format!("checked in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(checked)
}

fn report(args: &TpccArgs, report: &Report) -> Result<(), Failure> {
    let text = if args.json {
        serde_json::to_string(report).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?
    } else {
        report.to_string()
    };
    writeln!(std::io::stdout(), "{text}")?;
    if report.pass { Ok(()) } else { Err(Failure::told(Exit::CheckFailed)) }
}

fn verdict(args: &TpccArgs, conditions: &[Condition]) -> Result<(), Failure> {
    let broken: Vec<&Condition> = conditions.iter().filter(|condition| condition.violations != 0).collect();
    let mut out = std::io::stdout().lock();
    if args.json {
        let list: Vec<_> =
            conditions.iter().map(|it| serde_json::json!({"clause": it.clause, "violations": it.violations})).collect();
        writeln!(out, "{}", serde_json::json!({"schema": 1, "pass": broken.is_empty(), "conditions": list}))?;
    } else {
        for Condition { clause, rule, violations } in conditions {
            let state = if *violations == 0 { "ok".to_owned() } else { format!("{violations} violations") };
            writeln!(out, "  {clause:<10} {state:<16} {rule}")?;
        }
        writeln!(out, "  {} of {} conditions hold", conditions.len() - broken.len(), conditions.len())?;
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::told(Exit::CheckFailed)) }
}

fn failure(error: TargetError) -> Failure {
    let exit = Exit::of_statement(Some(&error.sqlstate), &error.message);
    Failure::new(exit, error.to_string())
}

pub(super) fn say(context: &Context, text: &str) {
    if !context.global.quiet {
        eprintln!("{text}");
    }
}

/// Microseconds since 1970: orders carry the date on which they were entered.
#[expect(clippy::disallowed_methods, reason = "the driver stands outside of the database, and dates are for people")]
fn wall() -> u64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
}
