//! Statements that the front parser takes before the grammar does.

use super::*;
use crate::sql::parser::CopyFormat;
use proptest::prelude::*;

#[track_caller]
fn one(sql: &str) -> StatementKind {
    let mut statements = parse(sql).unwrap();
    assert_eq!(statements.len(), 1);
    statements.remove(0).kind
}

#[track_caller]
fn check_error(sql: &str, message: &str, span: Option<(usize, usize)>, hint: Option<&str>) {
    let error = parse(sql).unwrap_err();
    assert_eq!(error.message(), message);
    assert_eq!(error.span(), span);
    assert_eq!(error.hint(), hint);
}

#[test]
fn statements_are_cut_with_their_places() {
    let statements = parse("begin; ; select 1;\n  commit").unwrap();
    let spans: Vec<(usize, usize)> = statements.iter().map(|statement| (statement.start, statement.end)).collect();
    assert_eq!(spans, [(0, 5), (9, 17), (21, 27)]);
    assert!(parse(" -- nothing\n;").unwrap().is_empty());
}

#[test]
fn syntax_errors_name_the_word_and_its_place() {
    check_error("selct 1;", "syntax error at or near \"selct\"", Some((0, 5)), Some("Did you mean \"SELECT\"?"));
    check_error("select 1 from t whre x = 1", "syntax error at or near \"x\"", Some((21, 22)), None);
    check_error("select 1 +", "syntax error at end of input", Some((10, 10)), None);
    check_error("select ), 2", "syntax error at or near \")\"", Some((7, 8)), None);
    check_error("select 'abc", "unterminated quoted string at or near \"'abc\"", Some((7, 11)), None);
}

#[test]
fn transactions() {
    let modes = |sql: &str| match one(sql) {
        StatementKind::Begin(modes) => modes,
        other => panic!("{other:?}"),
    };
    assert_eq!(modes("BEGIN;"), TransactionModes::default());
    assert_eq!(
        modes("start transaction isolation level repeatable read, read only"),
        TransactionModes {
            isolation: Some(IsolationLevel::RepeatableRead),
            read_only: Some(true),
            ..TransactionModes::default()
        }
    );
    assert!(matches!(one("END"), StatementKind::Commit { chain: false }));
    assert!(matches!(one("rollback to savepoint \"A\""), StatementKind::RollbackTo(name) if name == "A"));
    let sql = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
    let StatementKind::SetTransaction { modes, session: true } = one(sql) else { panic!() };
    assert_eq!(modes.isolation, Some(IsolationLevel::ReadCommitted));
    assert!(matches!(one("PREPARE TRANSACTION 'x y'"), StatementKind::PrepareTransaction(gid) if gid == "x y"));
    assert!(matches!(one("commit prepared $$x$$"), StatementKind::CommitPrepared(gid) if gid == "x"));
    assert!(matches!(one("Rollback Prepared ''"), StatementKind::RollbackPrepared(gid) if gid.is_empty()));
    check_error("commit prepared x", "syntax error at or near \"x\"", Some((16, 17)), None);
    check_error("abort prepared 'x'", "syntax error at or near \"prepared\"", Some((6, 14)), None);
}

#[test]
fn settings() {
    let set = |sql: &str| match one(sql) {
        StatementKind::Set { name, value, local } => (name, value.map(|values| values.join(",")), local),
        other => panic!("{other:?}"),
    };
    assert_eq!(set("SET search_path TO public"), ("search_path".into(), Some("public".into()), false));
    assert_eq!(set("set local statement_timeout = -1"), ("statement_timeout".into(), Some("-1".into()), true));
    let zone = set("SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE");
    assert_eq!(zone, ("timezone".into(), Some("+00:00".into()), false));
    assert_eq!(set("set a.b to default"), ("a.b".into(), None, false));
    assert!(
        matches!(one("show transaction isolation level"), StatementKind::Show(Some(name)) if name == "transaction_isolation")
    );
    assert!(matches!(one("RESET ALL"), StatementKind::Reset(None)));
    assert!(matches!(one("show ranges from table t"), StatementKind::ShowRanges { table: Some(_) }));
}

#[test]
fn copy_takes_both_forms_of_options() {
    let format = |sql: &str| match one(sql) {
        StatementKind::Copy(copy) => copy.format,
        other => panic!("{other:?}"),
    };
    assert_eq!(format("copy pgbench_accounts from stdin with (freeze on)"), CopyFormat::text());
    let csv = CopyFormat { delimiter: b';', header: true, ..CopyFormat::csv() };
    assert_eq!(format("COPY t (a, b) FROM STDIN (FORMAT csv, HEADER, DELIMITER ';')"), csv);
    assert_eq!(format("copy t from stdin with csv header delimiter as ';'"), csv);
}

#[test]
fn other_statements() {
    assert!(
        matches!(one("vacuum analyze pgbench_branches"), StatementKind::Vacuum { tables, analyze: false } if tables.len() == 1)
    );
    let StatementKind::SplitAt { rows, .. } = one("alter table t split at values (1, 'a'), (2, 'b')") else { panic!() };
    assert_eq!(rows.len(), 2);
    let StatementKind::Explain { options, .. } = one("explain (analyze, costs off) select 1") else { panic!() };
    assert!(options.analyze && options.no_costs);
    assert!(matches!(one("explain (select 1)"), StatementKind::Explain { .. }));
    let StatementKind::Prepare { types, .. } = one("prepare p (int, text) as select $1, $2") else { panic!() };
    assert_eq!(types.len(), 2);
    assert!(matches!(one("execute p (1, 'x')"), StatementKind::Execute { args, .. } if args.len() == 2));
    let refused = parse("declare c cursor for select 1").unwrap_err();
    assert_eq!(refused.sqlstate(), Some(SqlState::FEATURE_NOT_SUPPORTED));
}

#[test]
fn depth_is_bounded() {
    let nested = format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(parse(&nested).unwrap_err().sqlstate(), Some(SqlState::STATEMENT_TOO_COMPLEX));
    let chain = format!("select 1{}", " + 1".repeat(100_000));
    assert_eq!(parse(&chain).unwrap_err().sqlstate(), Some(SqlState::STATEMENT_TOO_COMPLEX));
    let conditions = format!("select 1 from t where a = 1{}", " or a = 2".repeat(1_000));
    assert!(parse(&conditions).is_ok());
}

#[test]
fn spellings_that_mean_the_same() {
    let shown = |sql: &str| match one(sql) {
        StatementKind::Sql(statement) => statement.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown("select 1 from t for no key update"), "SELECT 1 FROM t FOR UPDATE");
    assert_eq!(shown("select 1 from t for key share nowait"), "SELECT 1 FROM t FOR SHARE NOWAIT");
    assert_eq!(shown("create user ann with password 'x'"), "CREATE ROLE ann LOGIN PASSWORD 'x'");
}

/// Words and signs in any order: much of it is nearly a statement.
fn nearly_sql() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "SELECT",
        "FROM",
        "WHERE",
        "INSERT INTO",
        "VALUES",
        "UPDATE",
        "SET",
        "COPY",
        "STDIN",
        "BEGIN",
        "CREATE TABLE",
        "t",
        "\"q",
        "'s",
        "'s'",
        "$1",
        "$$",
        "$a$",
        "E'\\",
        "1",
        "1e",
        "0x",
        "(",
        ")",
        "[",
        ",",
        ";",
        "::",
        "--",
        "/*",
        "*/",
        "*",
        "é",
        "\u{0}",
        "=",
        "<",
        "AND",
        "NOT",
        "NULL",
        "ORDER BY",
        "EXPLAIN",
        "SHOW",
        "JOIN",
        "ON",
        "CASE",
        "END",
    ];
    prop::collection::vec((prop::sample::select(WORDS), any::<bool>()), 0..16).prop_map(|words| {
        words.into_iter().map(|(word, space)| if space { format!("{word} ") } else { word.to_owned() }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_text_is_parsed_or_refused(text in prop_oneof![nearly_sql(), any::<String>()]) {
        match parse(&text) {
            Ok(statements) => {
                for statement in statements {
                    prop_assert!(text.get(statement.start..statement.end).is_some());
                }
            }
            Err(error) => {
                if let Some((start, end)) = error.span() {
                    prop_assert!(text.get(start..end).is_some(), "{start}..{end}");
                }
            }
        }
    }
}
