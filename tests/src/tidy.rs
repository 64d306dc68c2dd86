//! The rules of the house as data: which module may use which, and what every file must have.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// One broken rule, with its remedy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, relative to the workspace.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// The crates, by folder, with the crates of this workspace that each may name.
const CRATES: [(&str, &[&str]); 7] = [
    ("net", &[]),
    ("storage", &[]),
    ("txn", &["quorate_net", "quorate_storage"]),
    ("engine", &["quorate", "quorate_net", "quorate_storage", "quorate_txn", "quorate_derive"]),
    ("benches", &["quorate", "quorate_net", "quorate_storage", "quorate_txn"]),
    ("shell", &["quorate", "quorate_bench", "quorate_cli"]),
    ("tests", &["quorate", "quorate_net", "quorate_storage", "quorate_txn", "quorate_bench", "quorate_tests"]),
];

/// Modules of a crate that must not name certain other modules: (folder, module, forbidden, remedy).
const FORBIDDEN: [(&str, &str, &[&str], &str); 14] = [
    ("storage", "engine", &["log", "range", "store"], "the engine knows bytes only"),
    ("storage", "log", &["engine", "range", "store"], "the log knows Raft entries only"),
    ("storage", "range", &["store"], "ranges are data; the store drives them"),
    ("txn", "commit", &["router", "participant", "transaction", "coordinator", "oracle"], "commit is pure"),
    ("txn", "lock", &["router", "participant", "transaction", "coordinator", "oracle"], "lock is pure"),
    ("txn", "mvcc", &["router", "participant", "transaction", "coordinator", "oracle"], "mvcc is pure"),
    ("txn", "record", &["router", "participant", "transaction", "coordinator", "oracle"], "record is pure"),
    ("txn", "participant", &["router", "transaction", "coordinator"], "participants are below the router"),
    ("txn", "router", &["transaction", "coordinator"], "the router is below the coordinator"),
    ("txn", "coordinator", &["transaction"], "the coordinator is below the transaction"),
    ("engine", "sql", &["node", "server", "database", "session"], "SQL never sees nodes or sessions"),
    ("engine", "session", &["server", "database", "node"], "sessions are below server and database"),
    ("engine", "node", &["server", "database"], "the node is below server and database"),
    ("net", "transport", &["quic", "loopback"], "the seam does not know its implementations"),
];

/// Crates that the pure modules must not name.
const PURE: [(&str, &str); 4] = [("txn", "commit"), ("txn", "lock"), ("txn", "mvcc"), ("txn", "record")];

/// Everything that breaks a rule below `root`, in order.
///
/// # Errors
/// A file cannot be read.
pub fn findings(root: &Path) -> std::io::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (folder, allowed) in CRATES {
        for file in sources(&root.join(folder).join("src"))? {
            let text = fs::read_to_string(&file)?;
            let name = file.strip_prefix(root).unwrap_or(&file).to_path_buf();
            check_head(&name, &text, &mut found);
            if is_test(&name) {
                continue;
            }
            check_crates(&name, &text, allowed, &mut found);
            check_modules(folder, &name, &text, &mut found);
        }
        check_invariants(root, folder, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Tests beside the code may assemble what they need.
fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs" || part == "front_tests.rs")
        && !file.starts_with("tests")
}

fn check_head(file: &Path, text: &str, found: &mut Vec<Finding>) {
    if !text.starts_with("//!") {
        let message = "no head: begin the file with `//!` and say why it exists".to_owned();
        found.push(Finding { file: file.to_path_buf(), line: 1, message });
    }
}

/// Code lines: no comments, nothing from the test module on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .map(|(at, line)| (at, line.split("//").next().unwrap_or("")))
}

fn check_crates(file: &Path, text: &str, allowed: &[&str], found: &mut Vec<Finding>) {
    for (line, code) in code(text) {
        for name in words(code).filter(|word| *word == "quorate" || word.starts_with("quorate_")) {
            let path = code.contains(&format!("{name}::")) || code.trim_start().starts_with(&format!("use {name}"));
            if path && !allowed.contains(&name) {
                let message = format!("names {name}: this arrow does not exist; move the code, or pass data");
                found.push(Finding { file: file.to_path_buf(), line, message });
            }
        }
    }
}

fn check_modules(folder: &str, file: &Path, text: &str, found: &mut Vec<Finding>) {
    let Some(module) = module_of(file) else { return };
    for (_, _, forbidden, remedy) in FORBIDDEN.iter().filter(|rule| rule.0 == folder && rule.1 == module) {
        for (line, code) in code(text) {
            for target in *forbidden {
                if code.contains(&format!("crate::{target}::")) || code.contains(&format!("use crate::{target};")) {
                    let message = format!("{module} names {target}: {remedy}");
                    found.push(Finding { file: file.to_path_buf(), line, message });
                }
            }
        }
    }
    if PURE.contains(&(folder, module.as_str())) {
        for (line, code) in code(text) {
            if code.contains("quorate_net::") && !code.contains("quorate_net::codec") || code.contains(".await") {
                let message = format!("{module} is pure: no network, nothing asynchronous");
                found.push(Finding { file: file.to_path_buf(), line, message });
            }
        }
    }
}

/// The crate head ends with its invariants.
fn check_invariants(root: &Path, folder: &str, found: &mut Vec<Finding>) -> std::io::Result<()> {
    let file = PathBuf::from(folder).join("src/lib.rs");
    let text = fs::read_to_string(root.join(&file))?;
    let count = text.lines().filter(|line| line.starts_with("//! Invariant:")).count();
    if count < 3 && folder != "tests" {
        let message = format!("{count} `Invariant:` lines in the head; name at least three things that never happen");
        found.push(Finding { file, line: 1, message });
    }
    Ok(())
}

/// First component below `src`, without `.rs`.
fn module_of(file: &Path) -> Option<String> {
    let mut parts = file.iter().skip_while(|part| *part != "src").skip(1);
    Some(parts.next()?.to_str()?.trim_end_matches(".rs").to_owned())
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
