//! Golden results and errors.

use super::*;
use crate::client::{Notice, SqlError};
use quorate::sql::types::Type;

fn sample() -> (Vec<Column>, Vec<Row>) {
    let columns = vec![
        Column::new("id", &Type::Int8),
        Column::new("owner", &Type::Text),
        Column::new("balance", &Type::Numeric(Some((12, 2)))),
        Column::new("ok", &Type::Bool),
    ];
    let text = |texts: [Option<&str>; 4]| texts.map(|text| text.map(str::to_owned)).to_vec();
    let rows = vec![
        text([Some("1"), Some("Ann"), Some("100.00"), Some("t")]),
        text([Some("2"), Some("Bo\"b, the|\nbuilder"), Some("20.50"), Some("f")]),
        text([Some("3"), Some(""), None, None]),
    ];
    (columns, rows)
}

fn style(format: Format) -> Style {
    Style { format, palette: Palette::plain(), max_rows: None, width: None }
}

fn rendered(style: &Style) -> String {
    let (columns, rows) = sample();
    let mut out = Vec::new();
    write_result(style, columns, rows, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn boxes_have_types_and_align_numbers() {
    let expected = "\
┌────┬────────────┬─────────────┬──────┐
│ id │ owner      │     balance │ ok   │
│int8│    text    │numeric(12,2)│ bool │
├────┼────────────┼─────────────┼──────┤
│  1 │ Ann        │      100.00 │ t    │
│  2 │ Bo\"b, the| │       20.50 │ f    │
│    │ builder    │             │      │
│  3 │            │        NULL │ NULL │
└────┴────────────┴─────────────┴──────┘
";
    assert_eq!(rendered(&style(Format::Box)), expected);
}

#[test]
fn tables_are_those_of_psql() {
    let expected = " id |   owner    | balance | ok 
----+------------+---------+----
  1 | Ann        |  100.00 | t
  2 | Bo\"b, the| |   20.50 | f
    | builder    |         |
  3 |            |         |
";
    assert_eq!(rendered(&style(Format::Table)), expected);
}

#[test]
fn data_formats_can_be_read_back() {
    assert_eq!(
        rendered(&style(Format::Csv)),
        "id,owner,balance,ok\n1,Ann,100.00,t\n2,\"Bo\"\"b, the|\nbuilder\",20.50,f\n3,\"\",,\n"
    );
    assert_eq!(
        rendered(&style(Format::Tsv)),
        "id\towner\tbalance\tok\n1\tAnn\t100.00\tt\n2\tBo\"b, the|\\nbuilder\t20.50\tf\n3\t\t\\N\t\\N\n"
    );
    assert_eq!(
        rendered(&style(Format::Json)),
        "[{\"id\":1,\"owner\":\"Ann\",\"balance\":100.00,\"ok\":true},\n \
         {\"id\":2,\"owner\":\"Bo\\\"b, the|\\nbuilder\",\"balance\":20.50,\"ok\":false},\n \
         {\"id\":3,\"owner\":\"\",\"balance\":null,\"ok\":null}]\n"
    );
    assert_eq!(
        rendered(&style(Format::Insert)),
        "INSERT INTO result (id, owner, balance, ok) VALUES (1, 'Ann', 100.00, true);\n\
         INSERT INTO result (id, owner, balance, ok) VALUES (2, 'Bo\"b, the|\nbuilder', 20.50, false);\n\
         INSERT INTO result (id, owner, balance, ok) VALUES (3, '', NULL, NULL);\n"
    );
}

#[test]
fn documents_escape_their_marks() {
    assert_eq!(
        rendered(&style(Format::Markdown)),
        "| id | owner                  | balance | ok |\n|---:|------------------------|--------:|----|\n\
         |  1 | Ann                    |  100.00 | t  |\n|  2 | Bo\"b, the\\|<br>builder |   20.50 | f  |\n\
         |  3 |                        |         |    |\n"
    );
    assert!(rendered(&style(Format::Html)).contains("<td>Bo&quot;b, the|\nbuilder</td><td align=\"right\">20.50</td>"));
}

#[test]
fn wide_boxes_turn_vertical_and_long_ones_are_cut() {
    let narrow = Style { width: Some(30), max_rows: Some(2), ..style(Format::Box) };
    let expected = "\
-[ RECORD 1 ]------------
id      | 1
owner   | Ann
balance | 100.00
ok      | t
-[ RECORD 2 ]------------
id      | 2
owner   | Bo\"b, the|
        | builder
balance | 20.50
ok      | f
";
    assert_eq!(rendered(&narrow), expected);
    let (columns, rows) = sample();
    let shown = write_result(&narrow, columns, rows, &mut Vec::new()).unwrap();
    assert_eq!(shown, Shown { rows: 3, shown: 2 });
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let mut out = Vec::new();
    let rows = vec![vec![Some("a\u{1b}[31mb\tc\u{7}".to_owned())]];
    write_result(&style(Format::Table), vec![Column::text("x")], rows, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains(" a\\x1B[31mb    c\\x07\n"));
}

fn missing_table() -> SqlError {
    let mut error = SqlError::connection("relation \"acounts\" does not exist");
    error.sqlstate = Some("42P01".to_owned());
    error.span = Some((16, 23));
    error.with_hint("Did you mean \"accounts\"?")
}

#[test]
fn errors_underline_what_is_to_blame() {
    let sql = "select 1\n  from acounts a;";
    assert_eq!(
        error_text(&missing_table(), sql, Layout::Shell, Palette::plain(), 80),
        "ERROR 42P01: relation \"acounts\" does not exist\nLINE 2:   from acounts a;\n               ^^^^^^^\n\
         HINT:  Did you mean \"accounts\"?\n"
    );
    assert_eq!(
        error_text(&missing_table(), sql, Layout::Psql(Some(("a.sql", 7))), Palette::plain(), 80),
        "a.sql:8: ERROR:  42P01: relation \"acounts\" does not exist\nLINE 2:   from acounts a;\n               ^^^^^^^\n\
         HINT:  Did you mean \"accounts\"?\n"
    );
}

#[test]
fn long_lines_are_cut_around_the_error() {
    let sql = format!("select {} + acounts + {}", "1 + ".repeat(40), "1 + ".repeat(40));
    let at = sql.find("acounts").unwrap();
    let mut error = missing_table();
    error.span = Some((at, at + 7));
    let text = error_text(&error, &sql, Layout::Shell, Palette::plain(), 60);
    let lines: Vec<&str> = text.lines().collect();
    assert!(width(lines[1]) <= 60, "{text}");
    let column = lines[2].find('^').unwrap();
    assert_eq!(&lines[1][column..column + 7], "acounts");
}

#[test]
fn positions_beyond_the_text_are_left_out() {
    let mut error = missing_table();
    error.span = Some((900, 901));
    assert!(!error_text(&error, "select", Layout::Shell, Palette::plain(), 80).contains("LINE"));
}

#[test]
fn notices_have_their_severity() {
    let notice = Notice {
        severity: "NOTICE".to_owned(),
        message: "table \"t\" does not exist, skipping".to_owned(),
        detail: None,
        hint: None,
    };
    assert_eq!(notice_text(&notice, Palette::plain()), "NOTICE:  table \"t\" does not exist, skipping\n");
}
