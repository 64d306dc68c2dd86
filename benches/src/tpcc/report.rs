//! The report of a run: text for people, JSON for tools.

use super::check::{Condition, Counted};
use super::run::Results;
use super::transactions::Kind;
use super::{Options, Pace};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that a run found, ready to be shown.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this structure.
    pub schema: u32,
    /// What was measured.
    pub target: String,
    /// Scale.
    pub warehouses: i64,
    /// Terminals.
    pub clients: usize,
    /// Isolation level.
    pub isolation: String,
    /// `none`, or the factor of the specification's times.
    pub pace: String,
    /// Measured seconds.
    pub seconds: f64,
    /// New orders per minute.
    pub nopm: f64,
    /// Retried attempts as a share of all attempts.
    pub abort_share: f64,
    /// By transaction type.
    pub types: Vec<TypeReport>,
    /// Retried failures by SQLSTATE.
    pub retried: BTreeMap<String, u64>,
    /// COMMITs with unknown outcome.
    pub ambiguous: u64,
    /// Clause and number of violations; empty if nothing was checked.
    pub conditions: Vec<(String, i64)>,
    /// New orders that the driver saw commit, and that the database holds (without a check: none).
    pub new_orders: (u64, Option<i64>),
    /// Text of the first error given up.
    pub first_error: Option<String>,
    /// Whether everything that was looked at holds.
    pub pass: bool,
    /// Why not.
    pub failures: Vec<String>,
}

/// One line of the table; latencies in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct TypeReport {
    /// The type.
    pub name: &'static str,
    /// Committed.
    pub count: u64,
    /// Share of all.
    pub mix: f64,
    /// 50th percentile.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
    /// Rolled back as specified, percent.
    pub rollback: f64,
    /// Retries per commit.
    pub retries: f64,
    /// Given up.
    pub errors: u64,
}

impl Report {
    /// Puts together what `results` and (if a check was made) `checked` say.
    pub fn new(
        target: String,
        options: &Options,
        results: &Results,
        checked: Option<(&[Condition], Counted)>,
    ) -> Report {
        let mut report = Report {
            schema: 1,
            target,
            warehouses: options.warehouses,
            clients: options.clients,
            isolation: options.isolation.sql().to_lowercase(),
            pace: match options.pace {
                Pace::None => "none".to_owned(),
                Pace::Factor(factor) => factor.to_string(),
            },
            seconds: results.seconds,
            nopm: results.new_orders_per_minute(),
            abort_share: results.abort_share(),
            types: types(results),
            retried: results.retried.clone(),
            ambiguous: results.ambiguous,
            conditions: Vec::new(),
            new_orders: (results.all_new_orders, None),
            first_error: results.first_error.clone(),
            pass: true,
            failures: Vec::new(),
        };
        report.judge_latency();
        if let Some((conditions, counted)) = checked {
            report.judge_consistency(conditions, counted, results);
        }
        if let Some(error) = &report.first_error {
            report.failures.push(format!("transactions were given up, first: {error}"));
        }
        if report.types[0].count == 0 {
            report.failures.push("no new-order committed".to_owned());
        }
        report.pass = report.failures.is_empty();
        report
    }

    fn judge_latency(&mut self) {
        for (kind, of) in Kind::ALL.into_iter().zip(&self.types) {
            if of.p90 > kind.limit_seconds() * 1000.0 {
                self.failures.push(format!("{}: p90 {:.0} ms is above {} s", of.name, of.p90, kind.limit_seconds()));
            }
        }
    }

    fn judge_consistency(&mut self, conditions: &[Condition], counted: Counted, results: &Results) {
        for condition in conditions {
            self.conditions.push((condition.clause.to_owned(), condition.violations));
            if condition.violations != 0 {
                let Condition { clause, rule, violations } = condition;
                self.failures.push(format!("{clause} ({rule}): {violations} violations"));
            }
        }
        self.new_orders.1 = Some(counted.new_orders);
        // Each unknown outcome may or may not be in the database; what was acknowledged must be.
        let slack = results.ambiguous as i64;
        for (what, seen, held) in [
            ("new orders", results.all_new_orders, counted.new_orders),
            ("deliveries", results.all_deliveries, counted.deliveries),
        ] {
            let seen = seen as i64;
            if held < seen || held > seen + slack * 10 {
                self.failures.push(format!("the driver saw {seen} {what} commit, the database holds {held}"));
            }
        }
    }
}

fn types(results: &Results) -> Vec<TypeReport> {
    let total: u64 = results.types.iter().map(|of| of.committed + of.rolled_back).sum();
    Kind::ALL
        .into_iter()
        .zip(&results.types)
        .map(|(kind, of)| {
            let done = of.committed + of.rolled_back;
            let at = |quantile: f64| of.latency.value_at_quantile(quantile) as f64 / 1000.0;
            TypeReport {
                name: kind.name(),
                count: of.committed,
                mix: done as f64 * 100.0 / total.max(1) as f64,
                p50: at(0.5),
                p90: at(0.9),
                p95: at(0.95),
                p99: at(0.99),
                p999: at(0.999),
                max: of.latency.max() as f64 / 1000.0,
                rollback: of.rolled_back as f64 * 100.0 / done.max(1) as f64,
                retries: of.retries as f64 / of.committed.max(1) as f64,
                errors: of.errors.values().sum(),
            }
        })
        .collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "TPC-C-style result (unaudited, not a TPC result)")?;
        writeln!(f, "target    {}", self.target)?;
        writeln!(
            f,
            "load      {} warehouse{} · {} clients · {} · pace {} · measured {:.1} s\n",
            self.warehouses,
            if self.warehouses == 1 { "" } else { "s" },
            self.clients,
            self.isolation,
            self.pace,
            self.seconds
        )?;
        writeln!(f, "  NOPM {:.1}   retried attempts {:.2} %\n", self.nopm, self.abort_share * 100.0)?;
        writeln!(
            f,
            "  {:<13}{:>8}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>15}{:>8}",
            "transaction",
            "count",
            "mix%",
            "p50",
            "p90",
            "p95",
            "p99",
            "p99.9",
            "max",
            "rollback",
            "retries/commit",
            "errors"
        )?;
        for of in &self.types {
            writeln!(
                f,
                "  {:<13}{:>8}{:>7.1}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>9.2}%{:>15.3}{:>8}",
                of.name,
                of.count,
                of.mix,
                of.p50,
                of.p90,
                of.p95,
                of.p99,
                of.p999,
                of.max,
                of.rollback,
                of.retries,
                of.errors
            )?;
        }
        writeln!(
            f,
            "  latencies in ms, from BEGIN to the acknowledged COMMIT incl. retries; closed loop unless paced\n"
        )?;
        if !self.retried.is_empty() {
            let codes: Vec<String> = self.retried.iter().map(|(code, count)| format!("{code} {count}")).collect();
            writeln!(f, "  retried by SQLSTATE   {}", codes.join(", "))?;
        }
        if !self.conditions.is_empty() {
            let hold = self.conditions.iter().filter(|(_, violations)| *violations == 0).count();
            writeln!(
                f,
                "  consistency           {hold}/{} conditions hold (3.3.2.1-12, at one ID)",
                self.conditions.len()
            )?;
        }
        for failure in &self.failures {
            writeln!(f, "  failed                {failure}")?;
        }
        write!(f, "  verdict               {}", if self.pass { "PASS" } else { "FAIL" })
    }
}
