//! The settings that exist. Those that only say what this server is like are fixed; those that tools set and whose only
//! honest value is PostgreSQL's default accept exactly that.

/// How a setting's values are checked and printed.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Cannot be changed.
    Fixed,
    /// Any text.
    Text,
    /// on or off
    Bool,
    /// A number between two bounds.
    Integer(i64, i64),
    /// Time, in milliseconds.
    Duration,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A character encoding; ours is UTF8.
    Encoding,
    /// `ISO, MDY`
    DateStyle,
    /// A time zone.
    TimeZone,
    /// An isolation level.
    Isolation,
}

/// A setting.
#[derive(Debug)]
pub struct Definition {
    /// Its name, in the case in which PostgreSQL prints it.
    pub name: &'static str,
    /// Its value unless set.
    pub default: &'static str,
    /// How values are checked.
    pub kind: Kind,
    /// Whether clients are told of changes.
    pub reported: bool,
    /// What it does, in one line.
    pub about: &'static str,
}

const fn define(name: &'static str, default: &'static str, kind: Kind, about: &'static str) -> Definition {
    Definition { name, default, kind, reported: false, about }
}

const fn report(name: &'static str, default: &'static str, kind: Kind, about: &'static str) -> Definition {
    Definition { name, default, kind, reported: true, about }
}

/// The release of PostgreSQL whose behaviour is followed; clients decide by it what to ask.
pub const SERVER_VERSION: &str = "15.13";

const ONLY_ON: Kind = Kind::Choice(&["on"]);
const ONLY_OFF: Kind = Kind::Choice(&["off"]);

/// All settings, by name.
pub const DEFINITIONS: &[Definition] = &[
    report("application_name", "", Kind::Text, "Sets the application name to be reported in statistics and logs."),
    define("backslash_quote", "safe_encoding", Kind::Choice(&["safe_encoding"]), "Whether \\' is allowed in literals."),
    define("bytea_output", "hex", Kind::Choice(&["hex"]), "Sets the output format for bytea."),
    define("check_function_bodies", "on", Kind::Bool, "Checks routine bodies during creation."),
    report("client_encoding", "UTF8", Kind::Encoding, "Sets the client's character set encoding."),
    define(
        "client_min_messages",
        "notice",
        Kind::Choice(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]),
        "Sets the message levels that are sent to the client.",
    ),
    define(
        "commit_protocol",
        "auto",
        Kind::Choice(&["auto", "one_round", "three_phase"]),
        "How transactions that write in several ranges are committed.",
    ),
    report("DateStyle", "ISO, MDY", Kind::DateStyle, "Sets the display format for date and time values."),
    define("default_table_access_method", "heap", Kind::Choice(&["heap"]), "Sets the default table access method."),
    define("default_tablespace", "", Kind::Choice(&[""]), "Sets the default tablespace."),
    define("default_text_search_config", "pg_catalog.simple", Kind::Fixed, "Sets default text search configuration."),
    define("default_transaction_deferrable", "off", ONLY_OFF, "Sets the default deferrable status of transactions."),
    define(
        "default_transaction_isolation",
        "serializable",
        Kind::Isolation,
        "Sets the transaction isolation level of each new transaction.",
    ),
    report(
        "default_transaction_read_only",
        "off",
        Kind::Bool,
        "Sets the default read-only status of new transactions.",
    ),
    define("extra_float_digits", "1", Kind::Integer(-15, 3), "Sets the number of digits displayed for floats."),
    define(
        "idle_in_transaction_session_timeout",
        "0",
        Kind::Duration,
        "Sets the maximum allowed idle time between queries, when in a transaction.",
    ),
    report("in_hot_standby", "off", Kind::Fixed, "Shows whether hot standby is currently active."),
    report("integer_datetimes", "on", Kind::Fixed, "Shows whether datetimes are integer based."),
    report("IntervalStyle", "postgres", Kind::Choice(&["postgres"]), "Sets the display format for interval values."),
    report("is_superuser", "on", Kind::Fixed, "Shows whether the current user is a superuser."),
    define("jit", "off", Kind::Bool, "Allow JIT compilation (there is none)."),
    define("lc_collate", "C.UTF-8", Kind::Fixed, "Shows the collation order locale."),
    define("lc_ctype", "C.UTF-8", Kind::Fixed, "Shows the character classification and case conversion locale."),
    define("lc_messages", "C.UTF-8", Kind::Choice(&["C.UTF-8", "C", "en_US.UTF-8"]), "Language of messages."),
    define("lc_monetary", "C.UTF-8", Kind::Choice(&["C.UTF-8", "C"]), "Locale of monetary amounts."),
    define("lc_numeric", "C.UTF-8", Kind::Choice(&["C.UTF-8", "C"]), "Locale of numbers."),
    define("lc_time", "C.UTF-8", Kind::Choice(&["C.UTF-8", "C"]), "Locale of dates."),
    define("lock_timeout", "0", Kind::Duration, "Sets the maximum allowed duration of any wait for a lock."),
    define("max_connections", "1000", Kind::Fixed, "Sets the maximum number of concurrent connections."),
    define("max_identifier_length", "63", Kind::Fixed, "Shows the maximum identifier length."),
    define("max_index_keys", "32", Kind::Fixed, "Shows the maximum number of index keys."),
    define("row_security", "on", Kind::Choice(&["on", "off"]), "Enable row security (there are no policies)."),
    define("search_path", "\"$user\", public", Kind::Text, "Sets the schema search order for unqualified names."),
    report("server_encoding", "UTF8", Kind::Fixed, "Shows the server (database) character set encoding."),
    report("server_version", SERVER_VERSION, Kind::Fixed, "Shows the server version."),
    define("server_version_num", "150013", Kind::Fixed, "Shows the server version as an integer."),
    report("session_authorization", "root", Kind::Fixed, "Shows the session user name."),
    report("standard_conforming_strings", "on", ONLY_ON, "Causes '...' strings to treat backslashes literally."),
    define("statement_timeout", "0", Kind::Duration, "Sets the maximum allowed duration of any statement."),
    define("synchronize_seqscans", "on", Kind::Bool, "Enable synchronized sequential scans."),
    define("synchronous_commit", "on", ONLY_ON, "A commit is answered when it is durable at a quorum."),
    report("TimeZone", "UTC", Kind::TimeZone, "Sets the time zone for displaying and interpreting time stamps."),
    define("transaction_deferrable", "off", ONLY_OFF, "Whether to defer a read-only serializable transaction."),
    define("transform_null_equals", "off", ONLY_OFF, "Treats \"expr=NULL\" as \"expr IS NULL\"."),
    define("txn_token", "off", Kind::Bool, "Sends the parameter txn_token, a commit's token, before each COMMIT."),
    define("xmloption", "content", Kind::Choice(&["content", "document"]), "How XML data is to be considered."),
];
