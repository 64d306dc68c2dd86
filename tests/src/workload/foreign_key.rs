//! Parents that are deleted while children are inserted: no child without its parent, ever.

use super::{Client, Workload, split_at};
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;

const PARENTS: i64 = 6;

/// The workload.
#[derive(Default)]
pub struct ForeignKey;

#[async_trait::async_trait]
impl Workload for ForeignKey {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        connection.batch("CREATE TABLE parent (id INT PRIMARY KEY, note INT)").await?;
        connection
            .batch("CREATE TABLE child (id BIGINT PRIMARY KEY, parent INT NOT NULL REFERENCES parent (id))")
            .await?;
        connection.batch("CREATE INDEX child_parent ON child (parent)").await?;
        split_at(target, 0, "parent", PARENTS / 2).await;
        split_at(target, 0, "child", 500_000).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let parent = client.rng.random_range(0..PARENTS);
        let level = [Isolation::Serializable, Isolation::RepeatableRead, Isolation::ReadCommitted];
        let level = level[client.rng.random_range(0..3)];
        let id = client.rng.random_range(0..1_000_000);
        let statements: Vec<String> = match client.rng.random_range(0..5) {
            0 => vec![format!("INSERT INTO parent VALUES ({parent}, 0) ON CONFLICT DO NOTHING")],
            1 => vec![format!("DELETE FROM parent WHERE id = {parent}")],
            2 => vec![
                format!("DELETE FROM child WHERE parent = {parent}"),
                format!("DELETE FROM parent WHERE id = {parent}"),
            ],
            3 => vec![format!("UPDATE parent SET note = note + 1 WHERE id = {parent}")],
            _ => vec![format!("INSERT INTO child VALUES ({id}, {parent})")],
        };
        let mut done = client.begin(level).await;
        for statement in statements {
            if done.is_ok() {
                done = client.query(&statement).await.map(drop);
            }
        }
        client.end(done).await;
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        let at = i64::try_from(at).unwrap_or(0);
        if at % 2 == 0 {
            split_at(target, node, "parent", 1 + at % PARENTS).await;
        } else {
            split_at(target, node, "child", at.wrapping_mul(1_000)).await;
        }
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM child"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let sql = "SELECT child.id, child.parent FROM child LEFT JOIN parent ON parent.id = child.parent \
                   WHERE parent.id IS NULL";
        let orphans = target.connect(0).await?.query(sql).await?;
        Ok(orphans.iter().map(|row| format!("child {} has no parent {}", row[0].int(), row[1].int())).collect())
    }
}
