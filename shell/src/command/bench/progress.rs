//! What a person sees while a benchmark works: one line that is drawn again, or a line now and then in a log.

use super::super::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_bench::tpcc::{Live, Options, Progress};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Seconds between lines of a log.
const LOG_EVERY: u32 = 5;

/// A display that ends with [`Shown::finish`].
pub(super) struct Shown {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Shown {
    pub(super) fn finish(self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

/// Draws or logs what `line` says, once a second, until finished.
fn show(
    context: &Context,
    template: &str,
    length: u64,
    mut line: impl FnMut(&ProgressBar) -> String + Send + 'static,
) -> Shown {
    let people = context.terminal.stderr && !context.global.quiet;
    let target = if people { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style);
    let logs = !people && !context.global.quiet;
    let drawn = bar.clone();
    let task = tokio::spawn(async move {
        for second in 0u32.. {
            let text = line(&drawn);
            drawn.set_message(text.clone());
            if logs && second > 0 && second.is_multiple_of(LOG_EVERY) {
                eprintln!("{text}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    Shown { bar, task }
}

/// Rows loaded.
pub(super) fn loading(context: &Context, progress: Arc<Progress>) -> Shown {
    let began = Instant::now();
    show(context, "load   {bar:30} {percent:>3}%   {msg}", 100, move |bar| {
        let (done, total) = progress.rows();
        bar.set_length(total.max(1));
        bar.set_position(done);
        let seconds = began.elapsed().as_secs_f64();
        let left = if done > 0 { (total.saturating_sub(done)) as f64 * seconds / done as f64 } else { 0.0 };
        format!("{done} of {total} rows   {:.0} rows/s   ~{left:.0} s left", done as f64 / seconds.max(0.001))
    })
}

/// Transactions of the last second.
pub(super) fn running(context: &Context, options: &Options, live: Arc<Live>) -> Shown {
    let began = Instant::now();
    let ramp = options.ramp;
    let length = (options.ramp + options.duration).as_secs().max(1);
    let mut before = [0u64; 5];
    show(context, "run    {bar:30} {msg}", length, move |bar| {
        let elapsed = began.elapsed();
        bar.set_position(elapsed.as_secs());
        let now: [u64; 5] = std::array::from_fn(|at| live.types()[at].committed.load(Ordering::Relaxed));
        let rates: Vec<u64> = now.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect();
        before = now;
        let sum = |of: fn(&quorate_bench::tpcc::LiveType) -> u64| live.types().iter().map(of).sum::<u64>();
        let retries = sum(|of| of.retries.load(Ordering::Relaxed));
        let errors = sum(|of| of.errors.load(Ordering::Relaxed));
        let phase = if elapsed < ramp { " (ramp)" } else { "" };
        format!(
            "{:>3} s{phase}   per second: new-order {}  payment {}  status {}  delivery {}  stock {}   retries {retries}  errors {errors}",
            elapsed.as_secs(),
            rates[0],
            rates[1],
            rates[2],
            rates[3],
            rates[4]
        )
    })
}

/// The check.
pub(super) fn checking(context: &Context) -> Shown {
    let began = Instant::now();
    show(context, "check  {spinner} {msg}", 1, move |bar| {
        bar.tick();
        format!("12 conditions, {} s", began.elapsed().as_secs())
    })
}
