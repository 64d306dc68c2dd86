//! `Statement`: what one SQL statement asks for, before names are looked up.
//!
//! Queries, changes of rows and of the catalog keep sqlparser's tree and go to the binder. Everything about the
//! session (transactions, settings, prepared statements, COPY, EXPLAIN) is taken out of its tokens by our own front
//! parser into plain data.

use sqlparser::ast;

/// One statement and where it stands in the text it came with.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it asks for.
    pub kind: StatementKind,
    /// Byte offset of its first token.
    pub start: usize,
    /// Byte offset after its last token (before the semicolon).
    pub end: usize,
    /// AS OF SYSTEM TIME, if it is a query that has it.
    pub as_of: Option<AsOf>,
}

/// A state of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// As of a transaction ID.
    Id(u64),
    /// As of so many microseconds ago.
    Ago(i64),
    /// As of a time, in microseconds since 2000-01-01 UTC.
    Time(i64),
}

/// What a statement asks for.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// Queries, DML and DDL: bound against the catalog.
    Sql(Box<ast::Statement>),
    /// COPY.
    Copy(Box<Copy>),
    /// EXPLAIN.
    Explain {
        /// How.
        options: ExplainOptions,
        /// What.
        statement: Box<Statement>,
    },
    /// ALTER TABLE ... SPLIT AT VALUES.
    SplitAt {
        /// The table.
        table: ast::ObjectName,
        /// One row of key values per split.
        rows: Vec<Vec<ast::Expr>>,
    },
    /// SHOW RANGES [FROM TABLE t].
    ShowRanges {
        /// The table.
        table: Option<ast::ObjectName>,
    },
    /// SHOW NODES.
    ShowNodes,
    /// SHOW COMMIT TRACE [FOR LAST TRANSACTION].
    ShowCommitTrace,
    /// VACUUM and ANALYZE: answered, without effect; the tables must exist.
    Vacuum {
        /// The tables named.
        tables: Vec<ast::ObjectName>,
        /// ANALYZE rather than VACUUM.
        analyze: bool,
    },
    /// BEGIN, START TRANSACTION.
    Begin(TransactionModes),
    /// COMMIT, END.
    Commit {
        /// AND CHAIN.
        chain: bool,
    },
    /// ROLLBACK, ABORT.
    Rollback {
        /// AND CHAIN.
        chain: bool,
    },
    /// PREPARE TRANSACTION.
    PrepareTransaction(String),
    /// COMMIT PREPARED.
    CommitPrepared(String),
    /// ROLLBACK PREPARED.
    RollbackPrepared(String),
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    Release(String),
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo(String),
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS AS TRANSACTION.
    SetTransaction {
        /// What.
        modes: TransactionModes,
        /// For the transactions to come rather than this one.
        session: bool,
    },
    /// SET.
    Set {
        /// The setting, lower case.
        name: String,
        /// Its value; several are joined with commas; `None` is DEFAULT.
        value: Option<Vec<String>>,
        /// SET LOCAL: until the transaction ends.
        local: bool,
    },
    /// RESET; `None` is ALL.
    Reset(Option<String>),
    /// SHOW; `None` is ALL.
    Show(Option<String>),
    /// PREPARE.
    Prepare {
        /// Its name.
        name: String,
        /// Types of the first parameters, as far as given.
        types: Vec<ast::DataType>,
        /// What.
        statement: Box<Statement>,
    },
    /// EXECUTE.
    Execute {
        /// Which.
        name: String,
        /// Arguments, bound by `optimizer::plan_arguments`.
        args: Vec<ast::Expr>,
    },
    /// DEALLOCATE; `None` is ALL.
    Deallocate(Option<String>),
    /// DISCARD.
    Discard(Discard),
    /// CLOSE ALL and UNLISTEN: there is nothing to close; the tag to answer with.
    Nothing(&'static str),
}

impl StatementKind {
    /// Whether it is INSERT, UPDATE or DELETE.
    pub fn is_dml(&self) -> bool {
        use ast::Statement::{Delete, Insert, Update};
        matches!(self, StatementKind::Sql(statement) if matches!(**statement, Insert(..) | Update { .. } | Delete(..)))
    }
}

/// What DISCARD throws away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// Everything.
    All,
    /// Cached plans.
    Plans,
    /// What currval and lastval remember.
    Sequences,
    /// Temporary tables.
    Temp,
}

/// Isolation levels by their SQL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// As READ COMMITTED.
    ReadUncommitted,
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// One snapshot.
    RepeatableRead,
    /// As if one after the other, in the order of real time.
    Serializable,
}

impl IsolationLevel {
    /// As SHOW shows it.
    pub fn name(self) -> &'static str {
        match self {
            IsolationLevel::ReadUncommitted => "read uncommitted",
            IsolationLevel::ReadCommitted => "read committed",
            IsolationLevel::RepeatableRead => "repeatable read",
            IsolationLevel::Serializable => "serializable",
        }
    }
}

/// What a transaction is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// ISOLATION LEVEL, if given.
    pub isolation: Option<IsolationLevel>,
    /// READ ONLY or READ WRITE, if given.
    pub read_only: Option<bool>,
    /// DEFERRABLE or NOT DEFERRABLE, if given.
    pub deferrable: Option<bool>,
    /// AS OF SYSTEM TIME, if given.
    pub as_of: Option<AsOf>,
}

/// How EXPLAIN shows a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplainOptions {
    /// Run it and show what happened.
    pub analyze: bool,
    /// Show output columns.
    pub verbose: bool,
    /// Leave out row estimates (`COSTS OFF`).
    pub no_costs: bool,
    /// Show how the transaction would commit.
    pub txn: bool,
}

/// COPY.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is copied.
    pub source: CopySource,
    /// TO STDOUT rather than FROM STDIN.
    pub to: bool,
    /// How lines are written.
    pub format: CopyFormat,
}

/// What COPY copies.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// A table; no columns means all.
    Table {
        /// Its name.
        name: ast::ObjectName,
        /// The columns in the order of the fields.
        columns: Vec<ast::Ident>,
    },
    /// A query.
    Query(Box<ast::Query>),
}

/// How lines of COPY are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFormat {
    /// CSV rather than text.
    pub csv: bool,
    /// Between fields.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    /// The first line holds the names of the columns.
    pub header: bool,
    /// Around CSV fields.
    pub quote: u8,
    /// Before a quote inside a quoted CSV field.
    pub escape: u8,
}

impl CopyFormat {
    /// The text format's defaults.
    pub fn text() -> CopyFormat {
        CopyFormat { csv: false, delimiter: b'\t', null: "\\N".into(), header: false, quote: b'"', escape: b'"' }
    }

    /// The CSV format's defaults.
    pub fn csv() -> CopyFormat {
        CopyFormat { csv: true, delimiter: b',', null: String::new(), header: false, quote: b'"', escape: b'"' }
    }
}
