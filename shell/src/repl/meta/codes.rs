//! `\err CODE`: what an SQLSTATE means, what to do, and whether a retry helps.

use crate::client::SqlError;
use quorate::error::SqlState;

/// What happened and what to do, by code or by the two characters of its class.
const PAGES: &[(&str, &str, &str)] = &[
    ("0B", "A transaction cannot begin so.", "Leave out the mode that the message names."),
    ("2D", "A transaction cannot end here.", "COMMIT or ROLLBACK outside of the function."),
    ("34", "There is no cursor of that name.", "DECLARE it first, in the same transaction."),
    ("44", "A row would not be visible through the view.", "Change the values, or write to the table."),
    ("00", "The statement succeeded.", "Nothing."),
    ("01", "The statement succeeded, with a warning.", "Read the warning."),
    ("02", "The statement found no row.", "Nothing, unless a row was expected."),
    ("08", "The connection failed.", "Connect again. What was not committed is gone."),
    (
        "08007",
        "The connection was lost after COMMIT was sent.",
        "Find out how it ended: SELECT quorate.txn_status('TOKEN'), with the token of the hint.",
    ),
    ("0A", "PostgreSQL has this, this release has not.", "Read the hint: it says what to use instead."),
    (
        "21",
        "A subquery or a row has another number of rows or columns than needed.",
        "Add LIMIT 1, or compare with IN.",
    ),
    (
        "22",
        "A value does not fit: it is too long, out of range, or cannot be read.",
        "Change the value or the column's type.",
    ),
    ("22012", "Something was divided by zero.", "Use NULLIF(divisor, 0)."),
    ("22P02", "A text cannot be read as the type that is needed.", "Check the literal that the message shows."),
    ("23", "A constraint was violated.", "Read DETAIL for the row and fix the data."),
    ("23502", "A column that must have a value got NULL.", "Give a value, or a DEFAULT."),
    (
        "23503",
        "A foreign key points to no row, or a row that is pointed to would go.",
        "Insert the other row first, or delete the rows that point to it.",
    ),
    ("23505", "A row with this key exists.", "Use another key, UPDATE, or INSERT ... ON CONFLICT."),
    ("23514", "A row does not satisfy a CHECK constraint.", "Change the values, or the constraint."),
    ("25", "The transaction is not in a state for this.", "ROLLBACK and begin again."),
    ("25006", "The transaction only reads.", "Begin one that writes: BEGIN READ WRITE."),
    (
        "25P02",
        "An earlier statement failed; the transaction can only end.",
        "ROLLBACK, then run the transaction again.",
    ),
    ("26", "There is no prepared statement of that name.", "PREPARE it first."),
    ("28", "The role does not exist or may not connect.", "Check user and password."),
    ("2B", "Other objects depend on it.", "Drop those first, or use CASCADE."),
    ("3B", "There is no savepoint of that name.", "SAVEPOINT name first."),
    ("3D", "There is no database of that name.", "\\l lists databases."),
    ("3F", "There is no schema of that name.", "\\dn lists schemas."),
    ("40", "The transaction was rolled back.", "Run the whole transaction again."),
    (
        "40001",
        "Another transaction changed what this one had read or wanted to write.",
        "Run the whole transaction again; Database::transaction does it for you.",
    ),
    (
        "40003",
        "COMMIT was sent, and nobody could say whether it took effect.",
        "Find out how it ended: SELECT quorate.txn_status('TOKEN'), with the token of the hint.",
    ),
    ("40P01", "Transactions waited for each other.", "Run the whole transaction again."),
    ("42", "The statement has a mistake: syntax, a name, or types.", "Read the position and the hint."),
    ("42601", "The text is not SQL that can be understood.", "Look where the mark stands; \\h NAME shows the syntax."),
    ("42703", "No table of the statement has this column.", "\\d TABLE lists its columns."),
    ("42883", "There is no function or operator for these types.", "Cast the arguments: value::type."),
    ("42P01", "There is no table or view of that name.", "\\dt lists tables."),
    ("42P07", "There is a table or index of that name already.", "Use another name, or IF NOT EXISTS."),
    ("53", "Something is used up.", "Free some of it, or ask for less."),
    (
        "53100",
        "The disk is full. The node writes no more; nothing acknowledged is lost.",
        "Free some space and start the node again.",
    ),
    ("53300", "The node has as many sessions as it may have.", "Close some, or try again later."),
    ("54", "The statement exceeds a limit.", "Make it smaller."),
    ("55", "The object is not in a state for this.", "Read the message."),
    ("55P03", "A row is locked, and the statement was not to wait longer.", "Try again later, or raise lock_timeout."),
    ("57014", "The statement was cancelled, by a user or by statement_timeout.", "Run it again if it is still wanted."),
    ("57", "An operator stopped the session or the node.", "Connect to another node and run the transaction again."),
    ("58", "The node failed or could not reach others.", "Look at SHOW NODES and at the log of the node."),
    (
        "58C00",
        "Too few replicas of a range answer.",
        "Look at SHOW NODES; run the transaction again when they are back.",
    ),
    ("72", "The version that was asked for has been collected.", "Ask for a newer one."),
    (
        "F0",
        "A configuration file, or the format of a data directory, is not understood.",
        "Use the release that wrote it.",
    ),
    ("XX", "A defect of the database.", "Please report it, with the statement."),
    (
        "XX001",
        "Bytes on disk are not what was written.",
        "Keep the directory; let the node join again with an empty one.",
    ),
];

/// The page of a code.
pub(super) fn page(code: &str) -> Result<String, SqlError> {
    let code = code.to_uppercase();
    let unknown = || {
        SqlError::usage(format!("\"{code}\" is no SQLSTATE"))
            .with_hint("An SQLSTATE has five letters and digits, such as 40001.")
    };
    let state = SqlState::from_code(&code).ok_or_else(unknown)?;
    let exact = PAGES.iter().find(|(known, ..)| *known == code);
    let class = || PAGES.iter().find(|(known, ..)| code.starts_with(known) && known.len() == 2);
    let (_, happened, remedy) = exact.or_else(class).ok_or_else(unknown)?;
    let retry = match state {
        state if state.is_ambiguous() => "Only if it may happen twice: the outcome is unknown.",
        state if state.is_retryable() => "Yes: nothing was committed.",
        _ => "No: it would fail again.",
    };
    let name = state.name().unwrap_or("(not used by this database)");
    Ok(format!("{code} {name}\n  What happened   {happened}\n  What to do      {remedy}\n  Retry           {retry}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        for (state, name) in SqlState::all() {
            let page = page(state.as_str()).unwrap_or_else(|_| panic!("{state} {name} has no page"));
            assert!(page.starts_with(&format!("{state} {name}\n")));
        }
    }

    #[test]
    fn a_page_says_what_to_do() {
        let text = page("40001").unwrap();
        assert!(text.contains("Run the whole transaction again") && text.contains("Retry           Yes"), "{text}");
        assert!(page("40003").unwrap().contains("unknown"));
        assert!(page("nope").is_err());
    }
}
