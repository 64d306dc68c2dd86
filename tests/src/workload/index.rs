//! An indexed column that changes all the time: the index and the table always say the same.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Isolation, Row, Target, TargetError};
use rand::RngExt;

const ROWS: i64 = 20;
const COLOURS: i64 = 3;

/// The workload.
#[derive(Default)]
pub struct Index {
    found: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Workload for Index {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        connection.batch("CREATE TABLE thing (id INT PRIMARY KEY, colour INT NOT NULL, weight INT NOT NULL)").await?;
        connection.batch("CREATE INDEX thing_colour ON thing (colour)").await?;
        let rows: Vec<String> = (0..ROWS).map(|id| format!("({id}, {}, 1)", id % COLOURS)).collect();
        connection.batch(&format!("INSERT INTO thing VALUES {}", rows.join(","))).await?;
        split_at(target, 0, "thing", ROWS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let (id, colour) = (client.rng.random_range(0..ROWS + 4), client.rng.random_range(0..COLOURS));
        match client.rng.random_range(0..6) {
            0 => drop(client.single(&format!("DELETE FROM thing WHERE id = {id}")).await),
            1 => {
                let sql = format!("INSERT INTO thing VALUES ({id}, {colour}, 1) ON CONFLICT DO NOTHING");
                client.single(&sql).await;
            }
            2 => {
                let next = (colour + 1) % COLOURS;
                client.single(&format!("UPDATE thing SET colour = {next} WHERE colour = {colour}")).await;
            }
            3 => drop(client.single(&format!("UPDATE thing SET colour = {colour} WHERE id = {id}")).await),
            _ => self.compare(client, colour).await,
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "thing", 1 + i64::try_from(at).unwrap_or(0) % ROWS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM thing"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let mut found = self.found.lock().clone();
        let mut connection = target.connect(0).await?;
        for colour in 0..COLOURS {
            let by_index = connection.query(&by_index(colour)).await?;
            let by_table = connection.query(&by_table(colour)).await?;
            found.extend(difference(colour, &by_index, &by_table));
        }
        Ok(found)
    }
}

impl Index {
    async fn compare(&self, client: &mut Client, colour: i64) {
        let level = [Isolation::Serializable, Isolation::RepeatableRead][client.rng.random_range(0..2)];
        let done = match client.begin(level).await {
            Ok(()) => both(client, colour).await,
            Err(error) => Err(error),
        };
        if let (Some((by_index, by_table)), Outcome::Committed) = client.end(done).await {
            self.found.lock().extend(difference(colour, &by_index, &by_table));
        }
    }
}

async fn both(client: &mut Client, colour: i64) -> Result<(Vec<Row>, Vec<Row>), TargetError> {
    Ok((client.query(&by_index(colour)).await?, client.query(&by_table(colour)).await?))
}

fn by_index(colour: i64) -> String {
    format!("SELECT id FROM thing WHERE colour = {colour} ORDER BY id")
}

/// The same rows, in a way that no index helps with.
fn by_table(colour: i64) -> String {
    format!("SELECT id FROM thing WHERE colour + 0 = {colour} ORDER BY id")
}

fn difference(colour: i64, by_index: &[Row], by_table: &[Row]) -> Option<String> {
    let ids = |rows: &[Row]| rows.iter().map(|row| row[0].int()).collect::<Vec<_>>();
    let (by_index, by_table) = (ids(by_index), ids(by_table));
    (by_index != by_table).then(|| format!("colour {colour}: {by_index:?} by the index, {by_table:?} by the table"))
}
