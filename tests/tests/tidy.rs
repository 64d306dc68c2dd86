//! The rules of the house hold, and a file that breaks one is found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use quorate_tests::tidy::findings;
use std::path::{Path, PathBuf};

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = findings(&root).unwrap();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn a_broken_rule_is_found() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["net", "storage", "txn", "engine", "benches", "shell", "tests"] {
        let src = root.path().join(folder).join("src");
        std::fs::create_dir_all(&src).unwrap();
        let head = "//! Head.\n//! Invariant: a.\n//! Invariant: b.\n//! Invariant: c.\n";
        std::fs::write(src.join("lib.rs"), head).unwrap();
    }
    std::fs::write(root.path().join("txn/src/mvcc.rs"), "//! Head.\nuse crate::router::Router;\n").unwrap();
    std::fs::write(root.path().join("storage/src/keys.rs"), "use quorate_txn::TxnId;\n").unwrap();
    let found = findings(root.path()).unwrap();
    let places: Vec<(PathBuf, usize)> = found.iter().map(|finding| (finding.file.clone(), finding.line)).collect();
    let keys = PathBuf::from("storage/src/keys.rs");
    assert_eq!(places, [(keys.clone(), 1), (keys, 1), (PathBuf::from("txn/src/mvcc.rs"), 2)]);
}
