//! `quorate sql` as scripts see it: results on standard output, errors on standard error, exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use support::{pipe, quorate, run};

#[test]
fn an_argument_is_run_and_its_rows_are_a_table() {
    let ran = run(["sql", "-e", "SELECT 1 AS a, 'x' AS b"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, " a | b \n---+---\n 1 | x\n(1 row)\n\n", ""));
}

#[test]
fn a_pipe_stops_at_its_first_error() {
    let ran = pipe(["sql"], "bad;\nselect 1");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err.starts_with("<stdin>:1: ERROR:  42601: syntax error at or near \"bad\"\nLINE 1: bad;\n        ^^^\n"),
        "{}",
        ran.err
    );
}

#[test]
fn keep_going_runs_the_rest_and_still_fails() {
    let ran = pipe(["sql", "--keep-going", "--format", "csv"], "bad;\nselect 1 as a;");
    assert_eq!((ran.code, ran.out.as_str()), (1, "a\n1\n"));
}

#[test]
fn formats_for_programs_hold_data_only() {
    let script = "create table t (id int primary key, name text, paid numeric(8,2), ok bool);
                  insert into t values (1, 'Ann', 1.50, true), (2, null, null, false);
                  select * from t order by id;";
    let of = |format| {
        let ran = pipe(["sql", "--format", format], script);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        ran.out
    };
    assert_eq!(of("csv"), "id,name,paid,ok\n1,Ann,1.50,t\n2,,,f\n");
    assert_eq!(of("tsv"), "id\tname\tpaid\tok\n1\tAnn\t1.50\tt\n2\t\\N\t\\N\tf\n");
    assert_eq!(
        of("jsonl"),
        "{\"id\":1,\"name\":\"Ann\",\"paid\":1.50,\"ok\":true}\n{\"id\":2,\"name\":null,\"paid\":null,\"ok\":false}\n"
    );
    assert_eq!(
        of("box"),
        "CREATE TABLE\nINSERT 0 2\n\
         ┌────┬──────┬────────────┬────┐\n\
         │ id │ name │       paid │ ok │\n\
         │int4│ text │numeric(8,2)│bool│\n\
         ├────┼──────┼────────────┼────┤\n\
         │  1 │ Ann  │       1.50 │ t  │\n\
         │  2 │ NULL │       NULL │ f  │\n\
         └────┴──────┴────────────┴────┘\n2 rows\n"
    );
}

#[test]
fn copy_takes_its_lines_from_the_script() {
    let script = "create table t (id int primary key, name text);\n\
                  copy t from stdin;\n1\tAnn\n2\t\\N\n\\.\nselect count(*), count(name) from t;";
    let ran = pipe(["sql", "--format", "csv"], script);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "count,count\n2,1\n", ""));
}

#[test]
fn errors_of_files_name_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.sql");
    std::fs::write(&file, "-- head\nselect 1;\n\nselect *\n  from nope;\n").unwrap();
    let ran = run(["sql", "-q", "-f", file.to_str().unwrap()]);
    let expected = format!("{}:5: ERROR:  42P01: relation \"nope\" does not exist\n", file.display());
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with(&expected), "{}", ran.err);
    assert!(ran.err.contains("LINE 2:   from nope;\n               ^^^^\n"), "{}", ran.err);
}

#[test]
fn meta_commands_list_the_catalog() {
    let script =
        "create table accounts (id int primary key, owner text not null default 'x');\n\\dt\n\\d accounts\n.tables\n";
    let ran = pipe(["sql", "-q"], script);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains(" public | accounts | table | postgres"), "{}", ran.out);
    assert!(ran.out.contains("Table \"public.accounts\""), "{}", ran.out);
    assert!(ran.out.contains("\"accounts_pkey\" PRIMARY KEY, btree (id)"), "{}", ran.out);
}

#[test]
fn unknown_meta_commands_suggest_a_near_one() {
    let ran = pipe(["sql"], "\\timign on\nselect 1;");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("HINT:  Did you mean \\timing?"), "{}", ran.err);
}

#[test]
fn a_directory_keeps_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank");
    let path = path.to_str().unwrap();
    let made = run(["sql", path, "-e", "create table t (a int primary key)", "-e", "insert into t values (7)"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let read = run(["sql", path, "--format", "csv", "-e", "select a from t"]);
    assert_eq!((read.code, read.out.as_str()), (0, "a\n7\n"));
}

#[test]
fn read_only_and_timeouts_are_kept() {
    let refused = run(["sql", "--read-only", "-e", "create table t (a int primary key)"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("25006"), "{}", refused.err);
    let slow = run(["sql", "--timeout", "100ms", "-e", "select pg_sleep(20)"]);
    assert_eq!(slow.code, 5, "{}", slow.err);
    // A statement that computes and waits for nothing is ended as well.
    let busy = run(["sql", "--timeout", "100ms", "-e", "select count(*) from generate_series(1, 1000000000)"]);
    assert_eq!(busy.code, 5, "{}", busy.err);
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank");
    let mut command = quorate();
    command.arg("sql").arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut owner = command.spawn().unwrap();
    let mut stdin = owner.stdin.take().unwrap();
    writeln!(stdin, "\\echo ready").unwrap();
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let second = run(["sql", path.to_str().unwrap(), "-e", "select 1"]);
    assert_eq!(second.code, 11);
    assert!(second.err.contains(&format!("in use by process {}", owner.id())), "{}", second.err);
    drop(stdin);
    assert!(owner.wait().unwrap().success());
}

#[test]
fn a_directory_of_a_newer_release_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let line = "quorate 99\n";
    std::fs::write(directory.path().join("FORMAT"), format!("{line}crc32 {:08x}\n", crc32(line.as_bytes()))).unwrap();
    let ran = run(["sql", directory.path().to_str().unwrap(), "-e", "select 1"]);
    assert_eq!((ran.code, ran.out.as_str()), (11, ""));
    assert!(ran.err.contains("format 99"), "{}", ran.err);
}

/// The checksum of zip and PNG, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

#[test]
fn servers_that_do_not_answer_are_3() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let ran = run(["sql", &format!("postgres://root@127.0.0.1:{port}/postgres"), "-e", "select 1"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with(&format!("error: cannot connect to 127.0.0.1:{port}")), "{}", ran.err);
}

#[test]
fn wrong_flags_are_2_and_suggest() {
    let ran = run(["sql", "--formt", "csv"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--format"), "{}", ran.err);
    assert_eq!(run(["sql", "--timeout", "30"]).code, 2);
    assert_eq!(run(["sql", "postgres://a:b:c"]).code, 2);
    assert_eq!(run(["--help"]).code, 0);
}

#[test]
fn version_is_stable_json() {
    let ran = run(["version", "--json"]);
    let version: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&version["schema"], &version["version"]), (&1.into(), &env!("CARGO_PKG_VERSION").into()));
}
