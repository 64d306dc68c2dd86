//! What is refused, and with which words.

use super::catalog::World;
use crate::sql::types::Type;

const SCHEMA: &str = "
create table accounts (id int primary key, owner text not null, balance numeric(12,2) check (balance >= 0));
create table t (a int, b varchar(3), d date);
";

#[track_caller]
fn check(sql: &str, code: &str, message: &str, blamed: &str, hint: Option<&str>) {
    let error = World::new(SCHEMA).plan(sql, &[]).expect_err("is refused");
    assert_eq!(error.message(), message);
    assert_eq!(error.sqlstate().map(|state| state.to_string()).as_deref(), Some(code));
    let span = error.span().map(|(start, end)| &sql[start..end]);
    assert_eq!(span.unwrap_or(""), blamed);
    assert_eq!(error.hint(), hint);
}

const NO_FUNCTION: &str =
    "No function matches the given name and argument types. You might need to add explicit type casts.";
const NO_OPERATOR: &str =
    "No operator matches the given name and argument types. You might need to add explicit type casts.";

#[test]
fn names() {
    check(
        "select * from acounts",
        "42P01",
        "relation \"acounts\" does not exist",
        "acounts",
        Some("Did you mean \"accounts\"?"),
    );
    check(
        "select ballance from accounts",
        "42703",
        "column \"ballance\" does not exist",
        "ballance",
        Some("Perhaps you meant to reference the column \"accounts.balance\"."),
    );
    check("select x.id from accounts", "42P01", "missing FROM-clause entry for table \"x\"", "x.id", None);
    check("select id from accounts a, accounts b", "42702", "column reference \"id\" is ambiguous", "id", None);
    check("select 1 from t, t", "42712", "table name \"t\" specified more than once", "t", None);
    check("select nofunc(1)", "42883", "function nofunc(integer) does not exist", "nofunc", Some(NO_FUNCTION));
    check("insert into t (a, x) values (1, 2)", "42703", "column \"x\" of relation \"t\" does not exist", "x", None);
}

#[test]
fn types() {
    check("select 1 where 1", "42804", "argument of WHERE must be type boolean, not type integer", "1", None);
    check(
        "select a from t where d = 5",
        "42883",
        "operator does not exist: date = integer",
        "d = 5",
        Some(NO_OPERATOR),
    );
    check("select 'x'::int", "22P02", "invalid input syntax for type integer: \"x\"", "'x'", None);
    check("insert into t (b) values ('long')", "22001", "value too long for type character varying(3)", "'long'", None);
    check(
        "insert into t (a) values (true)",
        "42804",
        "column \"a\" is of type integer but expression is of type boolean",
        "true",
        Some("You will need to rewrite or cast the expression."),
    );
    check(
        "select 'a' + 'b'",
        "42725",
        "operator is not unique: unknown + unknown",
        "'a' + 'b'",
        Some("Could not choose a best candidate operator. You might need to add explicit type casts."),
    );
}

#[test]
fn grouping() {
    check(
        "select t.a, count(*) from t group by b",
        "42803",
        "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
        "t.a",
        None,
    );
    check("select a from t where sum(a) > 1", "42803", "aggregate functions are not allowed in WHERE", "sum", None);
    check("select sum(sum(a)) from t", "42803", "aggregate function calls cannot be nested", "sum", None);
    check("select a from t order by 2", "42P10", "ORDER BY position 2 is not in select list", "2", None);
    assert!(World::new(SCHEMA).plan("select owner, count(*) from accounts group by id", &[]).is_ok());
}

#[test]
fn what_is_missing_is_refused() {
    let world = World::new(SCHEMA);
    for sql in [
        "select row_number() over () from t",
        "create view v as select 1",
        "select * from t tablesample system (10)",
        "create table x (a int) partition by range (a)",
        "create index on t using gin (a)",
        "create temporary table x (a int)",
        "select a into x from t",
        "with recursive r as (select 1 union all select * from r) select * from r",
        "alter table t enable row level security",
        "create table x (a int generated always as (1) stored)",
    ] {
        let error = world.plan(sql, &[]).expect_err(sql);
        assert_eq!(error.sqlstate().map(|state| state.to_string()).as_deref(), Some("0A000"), "{sql}: {error:?}");
        assert!(error.hint().is_some(), "{sql}");
    }
}

#[test]
fn parameters_take_their_types_from_their_places() {
    let world = World::new(SCHEMA);
    let types = |sql: &str, given: &[Option<Type>]| world.plan(sql, given).unwrap().parameters;
    assert_eq!(types("select owner from accounts where id = $1", &[]), [Type::Int4]);
    assert_eq!(types("select $2, $1 + 1", &[]), [Type::Int4, Type::Text]);
    assert_eq!(types("insert into t values ($1, $2, $3)", &[]), [Type::Int4, Type::VARCHAR, Type::Date]);
    assert_eq!(types("select owner from accounts where id = $1", &[Some(Type::Int8)]), [Type::Int8]);
    assert_eq!(types("select 1 from t where d < $1 limit $2", &[]), [Type::Date, Type::Int8]);
    assert_eq!(types("select $1::text[]", &[]), [Type::array_of(Type::Text)]);
}

#[test]
fn lifted_literals_take_wider_types() {
    let world = World::new(SCHEMA);
    let types = |sql: &str| world.plan_fingerprint(sql).unwrap().parameters;
    assert_eq!(types("update accounts set balance = balance - 10 where id = 3"), [Type::NUMERIC, Type::Int4]);
    assert_eq!(
        types("select 1 from t where d = '2020-01-01' and a between 1 and 2"),
        [Type::Int4, Type::Date, Type::Int4, Type::Int4]
    );
}

#[test]
fn columns_have_names_types_and_origins() {
    let world = World::new(SCHEMA);
    let columns = world.plan("select id, balance b, count(*), 1 + 1, owner::varchar from accounts group by id", &[]);
    let shown: Vec<(String, Type, bool)> = columns
        .unwrap()
        .columns
        .unwrap()
        .into_iter()
        .map(|column| (column.name, column.ty, column.origin.is_some()))
        .collect();
    let expected = [
        ("id", Type::Int4, true),
        ("b", Type::Numeric(Some((12, 2))), true),
        ("count", Type::Int8, false),
        ("?column?", Type::Int4, false),
        ("owner", Type::VARCHAR, false),
    ];
    assert_eq!(shown, expected.map(|(name, ty, origin)| (name.to_string(), ty, origin)));
}

#[test]
fn ddl_leaves_out_what_exists() {
    let world = World::new(SCHEMA);
    let notices = |sql: &str| world.plan(sql, &[]).unwrap().notices;
    assert_eq!(notices("create table if not exists t (x int)"), ["relation \"t\" already exists, skipping"]);
    assert_eq!(
        notices("drop table if exists a, t, b"),
        ["table \"a\" does not exist, skipping", "table \"b\" does not exist, skipping"]
    );
}
