//! Debian's psql, where it is installed.

use super::*;
use std::io::Write;
use std::process::{Command, Output, Stdio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_works() {
    let server = Server::start().await;
    let port = server.port().to_string();
    let script = "CREATE TABLE t (a int PRIMARY KEY, b text);\n\\copy t from stdin\n1\tone\n2\ttwo\n\\.\n\
                  SELECT * FROM t ORDER BY a;\nSELECT 1 \\gdesc\nBEGIN;\nUPDATE t SET b = 'x';\nROLLBACK;\n";
    match tokio::task::spawn_blocking(move || psql(&port, script)).await.unwrap() {
        None => eprintln!("skipped: psql is not installed"),
        Some(output) => {
            let expected = "CREATE TABLE\nCOPY 2\n1|one\n2|two\n?column?|integer\nBEGIN\nUPDATE 2\nROLLBACK\n";
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
            assert!(output.status.success());
        }
    }
    server.stop().await;
}

/// Runs a script; `None` if there is no psql.
fn psql(port: &str, script: &str) -> Option<Output> {
    let arguments = ["-h", "127.0.0.1", "-p", port, "-U", "root", "-X", "-At", "-v", "ON_ERROR_STOP=1", "postgres"];
    let child = Command::new("psql").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}
