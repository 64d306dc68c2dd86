//! A small bank: transfers between accounts whose sum never changes. The workload of crash tests.

use crate::target::{Cell, Connection, Isolation, Param, Statement, Target, TargetError};

static READ: Statement = Statement { id: 0, sql: "SELECT balance FROM account WHERE id = $1 FOR UPDATE" };
static WRITE: Statement = Statement { id: 1, sql: "UPDATE account SET balance = $2 WHERE id = $1" };
static NOTE: Statement =
    Statement { id: 2, sql: "INSERT INTO transfer (id, source, target, amount) VALUES ($1, $2, $3, $4)" };

/// A transfer between two accounts, under a number of its own so that it can be found again.
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// Unique number.
    pub id: i64,
    /// Pays.
    pub from: i64,
    /// Receives.
    pub to: i64,
    /// How much.
    pub amount: i64,
}

/// Makes `accounts` accounts with `balance` each.
pub async fn load(target: &dyn Target, accounts: i64, balance: i64) -> Result<(), TargetError> {
    let mut connection = target.connect(0).await?;
    connection.batch("CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL)").await?;
    connection
        .batch("CREATE TABLE transfer (id BIGINT PRIMARY KEY, source INT NOT NULL, target INT NOT NULL, amount BIGINT NOT NULL)")
        .await?;
    let rows: Vec<String> = (1..=accounts).map(|id| format!("({id},{balance})")).collect();
    connection.batch(&format!("INSERT INTO account VALUES {}", rows.join(","))).await
}

/// One attempt of a transfer, from BEGIN to COMMIT.
pub async fn transfer(connection: &mut dyn Connection, transfer: Transfer) -> Result<(), TargetError> {
    connection.batch(Isolation::Serializable.begin()).await?;
    let Transfer { id, from, to, amount } = transfer;
    let source = balance(connection, from).await?;
    let target = balance(connection, to).await?;
    connection.run(&WRITE, &[Param::Int(from), Param::Int(source - amount)]).await?;
    connection.run(&WRITE, &[Param::Int(to), Param::Int(target + amount)]).await?;
    let note = [Param::Int(id), Param::Int(from), Param::Int(to), Param::Int(amount)];
    connection.run(&NOTE, &note).await?;
    connection.batch("COMMIT").await
}

async fn balance(connection: &mut dyn Connection, account: i64) -> Result<i64, TargetError> {
    let rows = connection.run(&READ, &[Param::Int(account)]).await?;
    let row = rows.first().ok_or_else(|| TargetError::new("02000", format!("no account {account}")))?;
    Ok(row[0].int())
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Sum of all balances.
    pub total: i64,
    /// Accounts whose balance differs from what the transfers say, given the opening balance.
    pub wrong: i64,
    /// Numbers of all transfers in the database, ascending.
    pub transfers: Vec<i64>,
}

/// Reads sums and transfers at one snapshot.
pub async fn audit(target: &dyn Target, opening: i64) -> Result<Audit, TargetError> {
    let mut connection = target.connect(0).await?;
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let total = connection.query("SELECT sum(balance) FROM account").await?;
    let wrong = connection
        .query(&format!(
            "SELECT count(*) FROM account \
             LEFT JOIN (SELECT source, sum(amount) AS paid FROM transfer GROUP BY source) p ON p.source = id \
             LEFT JOIN (SELECT target, sum(amount) AS got FROM transfer GROUP BY target) g ON g.target = id \
             WHERE balance <> {opening} - coalesce(paid, 0) + coalesce(got, 0)"
        ))
        .await?;
    let transfers = connection.query("SELECT id FROM transfer ORDER BY id").await?;
    connection.batch("COMMIT").await?;
    let first = |rows: &[Vec<Cell>]| rows.first().map_or(0, |row| row[0].int());
    Ok(Audit {
        total: first(&total),
        wrong: first(&wrong),
        transfers: transfers.iter().map(|row| row[0].int()).collect(),
    })
}
