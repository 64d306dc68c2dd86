//! Golden plans: statements of TPC-C, pgbench and sysbench, bound and planned against a catalog made by DDL.

mod catalog;
mod golden;
mod refusals;
