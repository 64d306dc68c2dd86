//! The scripts of this folder.

use super::{Lines, connect, node, show_error};
use crate::session::{Gateway, Session};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One block of a script.
struct Block {
    /// Comments and empty lines before it.
    before: String,
    session: Option<String>,
    sql: String,
    expected: String,
}

fn read(text: &str) -> (Vec<Block>, String) {
    let mut blocks = Vec::new();
    let (mut before, mut session, mut sql, mut lines) = (String::new(), None, String::new(), text.lines());
    while let Some(line) = lines.next() {
        if line == "----" {
            let expected: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let expected = expected.iter().map(|line| format!("{line}\n")).collect();
            blocks.push(Block {
                before: std::mem::take(&mut before),
                session: session.take(),
                sql: std::mem::take(&mut sql),
                expected,
            });
        } else if sql.is_empty() && (line.is_empty() || line.starts_with("--")) {
            before.push_str(line);
            before.push('\n');
        } else if let (true, Some(name)) = (sql.is_empty(), line.strip_suffix(':').filter(|name| !name.contains(' '))) {
            session = Some(name.to_owned());
        } else {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    (blocks, before + &sql)
}

struct Script {
    gateway: Arc<Gateway>,
    sessions: BTreeMap<String, Session>,
    current: String,
}

impl Script {
    async fn run(&mut self, sql: &str) -> String {
        if !self.sessions.contains_key(&self.current) {
            let session = connect(self.gateway.clone(), "postgres").await.unwrap();
            self.sessions.insert(self.current.clone(), session);
        }
        let session = self.sessions.get_mut(&self.current).unwrap();
        let mut out = Lines::default();
        // Data of COPY follow the statement after a line of `<<`.
        let (sql, data) = sql.split_once("<<\n").unwrap_or((sql, ""));
        match session.simple(sql.trim_end(), &mut out).await {
            Ok(None) => {}
            Ok(Some(mut copy)) => {
                let fed = session.copy_data(&mut copy, data.as_bytes()).await;
                let done = match fed {
                    Ok(()) => session.copy_done(copy, &mut out).await.map(|_| ()),
                    Err(error) => {
                        session.copy_abort(copy).await;
                        Err(error)
                    }
                };
                if let Err(error) = done {
                    out.text.push_str(&show_error(&error, sql));
                }
            }
            Err(error) => out.text.push_str(&show_error(&error, sql)),
        }
        out.text.replace("\n\n", "\n(blank)\n")
    }
}

async fn run(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (blocks, tail) = read(&text);
    let node = node().await;
    let mut script = Script { gateway: node.gateway(), sessions: BTreeMap::new(), current: "a".into() };
    let mut updated = String::new();
    let mut failures = String::new();
    for block in blocks {
        updated.push_str(&block.before);
        if let Some(session) = &block.session {
            updated.push_str(&format!("{session}:\n"));
            script.current.clone_from(session);
        }
        let actual = script.run(&block.sql).await;
        updated.push_str(&format!("{}----\n{actual}\n", block.sql));
        if actual != block.expected {
            let name = path.file_name().unwrap().to_string_lossy();
            failures.push_str(&format!("{name}: {}expected:\n{}actual:\n{actual}\n", block.sql, block.expected));
        }
    }
    for session in script.sessions.values_mut() {
        session.end().await;
    }
    drop(script);
    node.shutdown().await.unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, format!("{}\n", (updated + &tail).trim_end())).unwrap();
        return Ok(());
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// The scripts, in order of their names; `GOLDEN=part` picks some.
fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session/tests");
    let pick = std::env::var("GOLDEN").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .filter(|path| path.to_string_lossy().contains(&pick))
        .collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn sessions_answer_as_the_scripts_say() {
    let mut failures = Vec::new();
    for path in scripts() {
        if let Err(failure) = run(&path).await {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
