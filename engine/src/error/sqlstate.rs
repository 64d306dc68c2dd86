//! SQLSTATE codes, named as in PostgreSQL's `errcodes.txt` and in tokio-postgres.
//!
//! Only codes that this crate emits or that a client of it may have to tell apart are listed; the two of class 58C are
//! CockroachDB's, because its clients know what they mean.

use std::fmt;

/// A five-character SQLSTATE code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState(pub(crate) [u8; 5]);

impl SqlState {
    /// The code as text, such as `23505`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// Reads a code of five ASCII letters and digits.
    pub fn from_code(code: &str) -> Option<SqlState> {
        let bytes: [u8; 5] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(SqlState(bytes))
    }

    /// The name of the condition, such as `unique_violation`, if the code is one of this crate's.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(code, _)| code == self).map(|(_, name)| *name)
    }

    /// Every code of this crate with its name, in code order of the list below.
    pub fn all() -> &'static [(SqlState, &'static str)] {
        NAMES
    }

    /// Whether the whole transaction may be run again at once: nothing was committed.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            SqlState::SERIALIZATION_FAILURE
                | SqlState::DEADLOCK_DETECTED
                | SqlState::ADMIN_SHUTDOWN
                | SqlState::RANGE_UNAVAILABLE
        )
    }

    /// Whether the outcome of the commit is unknown.
    pub fn is_ambiguous(self) -> bool {
        matches!(self, SqlState::STATEMENT_COMPLETION_UNKNOWN | SqlState::TRANSACTION_RESOLUTION_UNKNOWN)
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({})", self.as_str())
    }
}

macro_rules! codes {
    ($($code:literal $constant:ident $name:literal;)*) => {
        impl SqlState {
            $(
                #[doc = concat!("`", $code, "` ", $name)]
                pub const $constant: SqlState = SqlState(code($code));
            )*
        }
        const NAMES: &[(SqlState, &str)] = &[$((SqlState::$constant, $name)),*];
    };
}

const fn code(text: &str) -> [u8; 5] {
    let bytes = text.as_bytes();
    assert!(bytes.len() == 5, "a SQLSTATE has five characters");
    [bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]]
}

codes! {
    "00000" SUCCESSFUL_COMPLETION "successful_completion";
    "01000" WARNING "warning";
    "02000" NO_DATA "no_data";
    "08000" CONNECTION_EXCEPTION "connection_exception";
    "08001" SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION "sqlclient_unable_to_establish_sqlconnection";
    "08003" CONNECTION_DOES_NOT_EXIST "connection_does_not_exist";
    "08004" SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION "sqlserver_rejected_establishment_of_sqlconnection";
    "08006" CONNECTION_FAILURE "connection_failure";
    "08007" TRANSACTION_RESOLUTION_UNKNOWN "transaction_resolution_unknown";
    "08P01" PROTOCOL_VIOLATION "protocol_violation";
    "0A000" FEATURE_NOT_SUPPORTED "feature_not_supported";
    "0B000" INVALID_TRANSACTION_INITIATION "invalid_transaction_initiation";
    "21000" CARDINALITY_VIOLATION "cardinality_violation";
    "22000" DATA_EXCEPTION "data_exception";
    "22001" STRING_DATA_RIGHT_TRUNCATION "string_data_right_truncation";
    "22003" NUMERIC_VALUE_OUT_OF_RANGE "numeric_value_out_of_range";
    "22004" NULL_VALUE_NOT_ALLOWED "null_value_not_allowed";
    "22007" INVALID_DATETIME_FORMAT "invalid_datetime_format";
    "22008" DATETIME_FIELD_OVERFLOW "datetime_field_overflow";
    "22009" INVALID_TIME_ZONE_DISPLACEMENT_VALUE "invalid_time_zone_displacement_value";
    "2200D" INVALID_ESCAPE_OCTET "invalid_escape_octet";
    "22010" INVALID_INDICATOR_PARAMETER_VALUE "invalid_indicator_parameter_value";
    "22011" SUBSTRING_ERROR "substring_error";
    "22012" DIVISION_BY_ZERO "division_by_zero";
    "22013" INVALID_PRECEDING_OR_FOLLOWING_SIZE "invalid_preceding_or_following_size";
    "22015" INTERVAL_FIELD_OVERFLOW "interval_field_overflow";
    "2200H" SEQUENCE_GENERATOR_LIMIT_EXCEEDED "sequence_generator_limit_exceeded";
    "2201B" INVALID_REGULAR_EXPRESSION "invalid_regular_expression";
    "2201E" INVALID_ARGUMENT_FOR_LOG "invalid_argument_for_logarithm";
    "2201F" INVALID_ARGUMENT_FOR_POWER_FUNCTION "invalid_argument_for_power_function";
    "2201W" INVALID_ROW_COUNT_IN_LIMIT_CLAUSE "invalid_row_count_in_limit_clause";
    "2201X" INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE "invalid_row_count_in_result_offset_clause";
    "22019" INVALID_ESCAPE_CHARACTER "invalid_escape_character";
    "22021" CHARACTER_NOT_IN_REPERTOIRE "character_not_in_repertoire";
    "22023" INVALID_PARAMETER_VALUE "invalid_parameter_value";
    "22025" INVALID_ESCAPE_SEQUENCE "invalid_escape_sequence";
    "2202E" ARRAY_SUBSCRIPT_ERROR "array_subscript_error";
    "22P01" FLOATING_POINT_EXCEPTION "floating_point_exception";
    "22P02" INVALID_TEXT_REPRESENTATION "invalid_text_representation";
    "22P03" INVALID_BINARY_REPRESENTATION "invalid_binary_representation";
    "22P04" BAD_COPY_FILE_FORMAT "bad_copy_file_format";
    "22P05" UNTRANSLATABLE_CHARACTER "untranslatable_character";
    "23000" INTEGRITY_CONSTRAINT_VIOLATION "integrity_constraint_violation";
    "23001" RESTRICT_VIOLATION "restrict_violation";
    "23502" NOT_NULL_VIOLATION "not_null_violation";
    "23503" FOREIGN_KEY_VIOLATION "foreign_key_violation";
    "23505" UNIQUE_VIOLATION "unique_violation";
    "23514" CHECK_VIOLATION "check_violation";
    "25000" INVALID_TRANSACTION_STATE "invalid_transaction_state";
    "25001" ACTIVE_SQL_TRANSACTION "active_sql_transaction";
    "25006" READ_ONLY_SQL_TRANSACTION "read_only_sql_transaction";
    "25P01" NO_ACTIVE_SQL_TRANSACTION "no_active_sql_transaction";
    "25P02" IN_FAILED_SQL_TRANSACTION "in_failed_sql_transaction";
    "25P03" IDLE_IN_TRANSACTION_SESSION_TIMEOUT "idle_in_transaction_session_timeout";
    "26000" INVALID_SQL_STATEMENT_NAME "invalid_sql_statement_name";
    "28000" INVALID_AUTHORIZATION_SPECIFICATION "invalid_authorization_specification";
    "28P01" INVALID_PASSWORD "invalid_password";
    "2BP01" DEPENDENT_OBJECTS_STILL_EXIST "dependent_objects_still_exist";
    "2D000" INVALID_TRANSACTION_TERMINATION "invalid_transaction_termination";
    "34000" INVALID_CURSOR_NAME "invalid_cursor_name";
    "3B001" S_E_INVALID_SPECIFICATION "invalid_savepoint_specification";
    "3D000" INVALID_CATALOG_NAME "invalid_catalog_name";
    "3F000" INVALID_SCHEMA_NAME "invalid_schema_name";
    "40000" TRANSACTION_ROLLBACK "transaction_rollback";
    "40001" SERIALIZATION_FAILURE "serialization_failure";
    "40003" STATEMENT_COMPLETION_UNKNOWN "statement_completion_unknown";
    "40P01" DEADLOCK_DETECTED "deadlock_detected";
    "42000" SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION "syntax_error_or_access_rule_violation";
    "42501" INSUFFICIENT_PRIVILEGE "insufficient_privilege";
    "42601" SYNTAX_ERROR "syntax_error";
    "42602" INVALID_NAME "invalid_name";
    "42611" INVALID_COLUMN_DEFINITION "invalid_column_definition";
    "42622" NAME_TOO_LONG "name_too_long";
    "42701" DUPLICATE_COLUMN "duplicate_column";
    "42702" AMBIGUOUS_COLUMN "ambiguous_column";
    "42703" UNDEFINED_COLUMN "undefined_column";
    "42704" UNDEFINED_OBJECT "undefined_object";
    "42710" DUPLICATE_OBJECT "duplicate_object";
    "42712" DUPLICATE_ALIAS "duplicate_alias";
    "42723" DUPLICATE_FUNCTION "duplicate_function";
    "42725" AMBIGUOUS_FUNCTION "ambiguous_function";
    "42803" GROUPING_ERROR "grouping_error";
    "42804" DATATYPE_MISMATCH "datatype_mismatch";
    "42809" WRONG_OBJECT_TYPE "wrong_object_type";
    "428C9" GENERATED_ALWAYS "generated_always";
    "42830" INVALID_FOREIGN_KEY "invalid_foreign_key";
    "42846" CANNOT_COERCE "cannot_coerce";
    "42883" UNDEFINED_FUNCTION "undefined_function";
    "42939" RESERVED_NAME "reserved_name";
    "42P01" UNDEFINED_TABLE "undefined_table";
    "42P02" UNDEFINED_PARAMETER "undefined_parameter";
    "42P03" DUPLICATE_CURSOR "duplicate_cursor";
    "42P04" DUPLICATE_DATABASE "duplicate_database";
    "42P05" DUPLICATE_PREPARED_STATEMENT "duplicate_prepared_statement";
    "42P06" DUPLICATE_SCHEMA "duplicate_schema";
    "42P07" DUPLICATE_TABLE "duplicate_table";
    "42P08" AMBIGUOUS_PARAMETER "ambiguous_parameter";
    "42P10" INVALID_COLUMN_REFERENCE "invalid_column_reference";
    "42P11" INVALID_CURSOR_DEFINITION "invalid_cursor_definition";
    "42P16" INVALID_TABLE_DEFINITION "invalid_table_definition";
    "42P17" INVALID_OBJECT_DEFINITION "invalid_object_definition";
    "42P18" INDETERMINATE_DATATYPE "indeterminate_datatype";
    "42P19" INVALID_RECURSION "invalid_recursion";
    "42P20" WINDOWING_ERROR "windowing_error";
    "42P22" INDETERMINATE_COLLATION "indeterminate_collation";
    "44000" WITH_CHECK_OPTION_VIOLATION "with_check_option_violation";
    "53000" INSUFFICIENT_RESOURCES "insufficient_resources";
    "53100" DISK_FULL "disk_full";
    "53200" OUT_OF_MEMORY "out_of_memory";
    "53300" TOO_MANY_CONNECTIONS "too_many_connections";
    "53400" CONFIGURATION_LIMIT_EXCEEDED "configuration_limit_exceeded";
    "54000" PROGRAM_LIMIT_EXCEEDED "program_limit_exceeded";
    "54001" STATEMENT_TOO_COMPLEX "statement_too_complex";
    "54011" TOO_MANY_COLUMNS "too_many_columns";
    "54023" TOO_MANY_ARGUMENTS "too_many_arguments";
    "55000" OBJECT_NOT_IN_PREREQUISITE_STATE "object_not_in_prerequisite_state";
    "55006" OBJECT_IN_USE "object_in_use";
    "55P02" CANT_CHANGE_RUNTIME_PARAM "cant_change_runtime_param";
    "55P03" LOCK_NOT_AVAILABLE "lock_not_available";
    "57000" OPERATOR_INTERVENTION "operator_intervention";
    "57014" QUERY_CANCELED "query_canceled";
    "57P01" ADMIN_SHUTDOWN "admin_shutdown";
    "57P02" CRASH_SHUTDOWN "crash_shutdown";
    "57P03" CANNOT_CONNECT_NOW "cannot_connect_now";
    "57P05" IDLE_SESSION_TIMEOUT "idle_session_timeout";
    "58000" SYSTEM_ERROR "system_error";
    "58030" IO_ERROR "io_error";
    "58C00" RANGE_UNAVAILABLE "range_unavailable";
    "58C01" INTERNAL_CONNECTION_FAILURE "internal_connection_failure";
    "72000" SNAPSHOT_TOO_OLD "snapshot_too_old";
    "F0000" CONFIG_FILE_ERROR "config_file_error";
    "XX000" INTERNAL_ERROR "internal_error";
    "XX001" DATA_CORRUPTED "data_corrupted";
    "XX002" INDEX_CORRUPTED "index_corrupted";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_named() {
        let mut codes: Vec<_> = SqlState::all().iter().map(|(code, _)| *code).collect();
        let listed = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), listed);
        assert_eq!(SqlState::UNIQUE_VIOLATION.name(), Some("unique_violation"));
        assert_eq!(SqlState::from_code("23505"), Some(SqlState::UNIQUE_VIOLATION));
        assert_eq!(SqlState::from_code("2350"), None);
    }
}
