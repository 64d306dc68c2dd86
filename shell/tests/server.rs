//! `quorate start`, `cluster` and `demo` as processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::{pipe, quorate, run};

/// A node that runs until it is dropped.
struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it said first.
    said: Vec<String>,
}

impl Server {
    fn start(directory: &Path, join: Option<&str>) -> Server {
        let mut command = quorate();
        command.arg("start").arg(directory).args(["--sql-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0"]);
        command.args(join.into_iter().flat_map(|token| ["--join", token]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Server { child, out, said: Vec::new() }
    }

    /// Reads up to the first line that contains `text`.
    fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "ended after {:?}", self.said);
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn token(&mut self) -> String {
        self.until("--join").trim().rsplit(' ').next().unwrap().to_owned()
    }

    fn terminate(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_second_node_joins_with_the_printed_line() {
    let directory = tempfile::tempdir().unwrap();
    let (first_dir, second_dir) = (directory.path().join("n1"), directory.path().join("n2"));
    let mut first = Server::start(&first_dir, None);
    let token = first.token();
    assert!(first.said[0].contains("new cluster"), "{:?}", first.said);
    let mut second = Server::start(&second_dir, Some(&token));
    second.until("joined");
    second.until("data ");

    let target = first_dir.to_str().unwrap();
    let nodes = run(["cluster", "nodes", target, "--format", "json"]);
    let nodes: serde_json::Value = serde_json::from_str(&nodes.out).unwrap();
    assert_eq!((&nodes["schema"], nodes["nodes"].as_array().unwrap().len()), (&1.into(), 2));

    let rows = run(["sql", second_dir.to_str().unwrap(), "--format", "csv", "-e", "select 1 as a"]);
    assert_eq!((rows.code, rows.out.as_str()), (0, "a\n1\n"), "{}", rows.err);
    assert_eq!(second.terminate(), 0);
    drop(first);
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), None);
    server.token();
    let target = directory.path().to_str().unwrap();
    let made = run(["cluster", "token", "create", target]);
    assert!(made.code == 0 && made.out.starts_with("qj1-"), "{made:?}");
    let list = run(["cluster", "token", "list", target, "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    let tokens = list["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    let id = tokens[0]["id"].as_str().unwrap();
    assert_eq!(run(["cluster", "token", "revoke", id, target]).code, 0);
    assert_eq!(run(["cluster", "token", "revoke", "nope", target]).code, 1);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_taken_port_is_told_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = directory.path().join("n1");
    let ran = run(["start", path.to_str().unwrap(), "--sql-addr", &address, "--node-addr", "127.0.0.1:0"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the port is taken") && ran.err.contains("--sql-addr 127.0.0.1:0"), "{}", ran.err);
    assert!(!path.exists());
}

#[test]
fn a_damaged_token_is_2_and_a_silent_directory_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let flags = ["--sql-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0"];
    let ran = run(["start", path, "--join", "qj1-127.0.0.1:1-abc"].iter().chain(&flags));
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = run(["cluster", "status", path]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("no node is running"), "{}", ran.err);
}

#[test]
fn the_demo_survives_a_killed_node() {
    let script = "create table t (a int primary key);\ninsert into t values (1), (2);\n\\demo kill 9\n";
    let ran = pipe(["demo", "-q"], script);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("\"9\" is no node: there are 1 to 3"), "{}", ran.err);
    let ran = run(["demo", "-q", "--no-shell", "--format", "csv", "-e", "select count(*) as nodes from quorate.nodes"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "nodes\n3\n"), "{}", ran.err);
}
