//! The functions that plans call. The binder knows their names and signatures (`binder::functions`), the executor what
//! they do.
//!
//! A function is strict (NULL if an argument is NULL) unless its line says otherwise.

/// Scalar functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    // Text.
    /// characters of a text, bytes of a bytea.
    Length,
    /// octet_length.
    OctetLength,
    /// bit_length.
    BitLength,
    /// lower.
    Lower,
    /// upper.
    Upper,
    /// initcap.
    Initcap,
    /// btrim(text [, characters]).
    Trim,
    /// ltrim.
    Ltrim,
    /// rtrim.
    Rtrim,
    /// substring(text, from [, for]) by numbers.
    Substring,
    /// substring(text from pattern).
    SubstringRegex,
    /// strpos(text, part).
    Position,
    /// replace.
    Replace,
    /// translate.
    Translate,
    /// overlay(text, part, from [, for]).
    Overlay,
    /// concat of any values, NULLs left out (not strict).
    Concat,
    /// concat_ws (not strict in all but the first).
    ConcatWs,
    /// left.
    Left,
    /// right.
    Right,
    /// lpad.
    Lpad,
    /// rpad.
    Rpad,
    /// repeat.
    Repeat,
    /// reverse.
    Reverse,
    /// split_part.
    SplitPart,
    /// starts_with.
    StartsWith,
    /// ascii.
    Ascii,
    /// chr.
    Chr,
    /// md5 of text or bytea.
    Md5,
    /// quote_ident.
    QuoteIdent,
    /// quote_literal.
    QuoteLiteral,
    /// quote_nullable (not strict).
    QuoteNullable,
    /// format (not strict).
    Format,
    /// to_hex.
    ToHex,
    /// encode(bytea, format).
    Encode,
    /// decode(text, format).
    Decode,
    /// regexp_replace(text, pattern, replacement [, flags]).
    RegexpReplace,
    /// regexp_match(text, pattern [, flags]).
    RegexpMatch,
    /// regexp_split_to_array.
    RegexpSplitToArray,
    /// string_to_array(text, separator [, null text]) (not strict).
    StringToArray,
    /// to_char(value, format).
    ToChar,
    /// to_number(text, format).
    ToNumber,
    /// to_date(text, format).
    ToDate,
    /// to_timestamp(text, format), or (double precision) of seconds since 1970.
    ToTimestamp,
    // Numbers.
    /// abs.
    Abs,
    /// ceil.
    Ceil,
    /// floor.
    Floor,
    /// round(x [, digits]).
    Round,
    /// trunc(x [, digits]).
    Trunc,
    /// sqrt.
    Sqrt,
    /// cbrt.
    Cbrt,
    /// exp.
    Exp,
    /// ln.
    Ln,
    /// log (base 10), or log(base, x) of numerics.
    Log,
    /// power.
    Power,
    /// mod.
    Mod,
    /// div of numerics.
    DivInteger,
    /// sign.
    Sign,
    /// pi.
    Pi,
    /// random.
    Random,
    /// degrees.
    Degrees,
    /// radians.
    Radians,
    /// sin.
    Sin,
    /// cos.
    Cos,
    /// tan.
    Tan,
    /// asin.
    Asin,
    /// acos.
    Acos,
    /// atan.
    Atan,
    /// atan2.
    Atan2,
    /// gcd.
    Gcd,
    /// lcm.
    Lcm,
    /// scale of a numeric.
    Scale,
    /// factorial.
    Factorial,
    // Choice.
    /// greatest; NULLs left out (not strict).
    Greatest,
    /// least; NULLs left out (not strict).
    Least,
    /// nullif(a, b) (not strict).
    NullIf,
    /// num_nulls (not strict).
    NumNulls,
    /// num_nonnulls (not strict).
    NumNonnulls,
    // Time.
    /// now, transaction_timestamp, CURRENT_TIMESTAMP.
    Now,
    /// statement_timestamp.
    StatementTimestamp,
    /// clock_timestamp.
    ClockTimestamp,
    /// CURRENT_DATE in the session's zone.
    CurrentDate,
    /// LOCALTIME.
    CurrentTime,
    /// LOCALTIMESTAMP.
    LocalTimestamp,
    /// date_part(field, value), a double.
    DatePart,
    /// EXTRACT(field FROM value), a numeric; the field is the first argument.
    Extract,
    /// date_trunc(field, value).
    DateTrunc,
    /// age(a [, b]).
    Age,
    /// make_date.
    MakeDate,
    /// make_time.
    MakeTime,
    /// make_timestamp.
    MakeTimestamp,
    /// make_interval(years, months, weeks, days, hours, mins, secs).
    MakeInterval,
    /// timezone(zone, value): AT TIME ZONE.
    AtTimeZone,
    /// isfinite.
    IsFinite,
    /// justify_days.
    JustifyDays,
    /// justify_hours.
    JustifyHours,
    /// justify_interval.
    JustifyInterval,
    /// timeofday.
    TimeOfDay,
    // Arrays.
    /// array_length(array, dimension).
    ArrayLength,
    /// array_upper.
    ArrayUpper,
    /// array_lower.
    ArrayLower,
    /// array_ndims.
    ArrayNdims,
    /// cardinality.
    Cardinality,
    /// array_position(array, element) (not strict).
    ArrayPosition,
    /// array_positions (not strict).
    ArrayPositions,
    /// array_remove (not strict).
    ArrayRemove,
    /// array_replace (not strict).
    ArrayReplace,
    /// array_to_string(array, separator [, null text]) (not strict).
    ArrayToString,
    /// array_append (not strict).
    ArrayAppend,
    /// array_prepend (not strict).
    ArrayPrepend,
    /// array_cat (not strict).
    ArrayCat,
    // Json.
    /// to_json (any value).
    ToJson,
    /// to_jsonb.
    ToJsonb,
    /// json_build_object (not strict).
    JsonBuildObject,
    /// jsonb_build_object (not strict).
    JsonbBuildObject,
    /// json_build_array (not strict).
    JsonBuildArray,
    /// jsonb_build_array (not strict).
    JsonbBuildArray,
    /// json_typeof, jsonb_typeof.
    JsonTypeof,
    /// json_array_length, jsonb_array_length.
    JsonArrayLength,
    /// row_to_json.
    RowToJson,
    // Identity.
    /// gen_random_uuid.
    GenRandomUuid,
    /// nextval(regclass).
    NextVal,
    /// currval(regclass).
    CurrVal,
    /// setval(regclass, value [, called]).
    SetVal,
    /// lastval.
    LastVal,
    // Session.
    /// version.
    Version,
    /// current_database, current_catalog.
    CurrentDatabase,
    /// current_schema.
    CurrentSchema,
    /// current_schemas(implicit).
    CurrentSchemas,
    /// current_user, user.
    CurrentUser,
    /// session_user.
    SessionUser,
    /// current_setting(name [, missing_ok]).
    CurrentSetting,
    /// set_config(name, value, is_local) (not strict).
    SetConfig,
    /// pg_backend_pid.
    BackendPid,
    /// pg_sleep.
    Sleep,
    /// pg_typeof (not strict).
    TypeOf,
    /// txid_current, pg_current_xact_id.
    TxidCurrent,
    /// pg_is_in_recovery.
    IsInRecovery,
    /// pg_postmaster_start_time.
    PostmasterStartTime,
    /// pg_conf_load_time.
    ConfLoadTime,
    /// pg_client_encoding.
    ClientEncoding,
    /// inet_client_addr.
    InetClientAddr,
    /// inet_server_port.
    InetServerPort,
    /// pg_advisory_unlock_all.
    AdvisoryUnlockAll,
    /// pg_cancel_backend.
    CancelBackend,
    /// pg_terminate_backend.
    TerminateBackend,
    /// pg_blocking_pids.
    BlockingPids,
    /// quorate.create_join_token().
    CreateJoinToken,
    /// quorate.revoke_join_token(id).
    RevokeJoinToken,
    /// quorate.txn_status(token).
    TxnStatus,
    // Catalog.
    /// format_type(oid, typmod) (not strict).
    FormatType,
    /// pg_get_expr(tree, relation [, pretty]).
    GetExpr,
    /// pg_get_indexdef(index [, column, pretty]).
    GetIndexdef,
    /// pg_get_constraintdef(constraint [, pretty]).
    GetConstraintdef,
    /// pg_get_viewdef(view [, pretty]).
    GetViewdef,
    /// pg_get_triggerdef(trigger [, pretty]).
    GetTriggerdef,
    /// pg_get_ruledef(rule [, pretty]).
    GetRuledef,
    /// pg_get_functiondef(function).
    GetFunctiondef,
    /// pg_get_function_arguments, pg_get_function_identity_arguments.
    GetFunctionArguments,
    /// pg_get_function_result.
    GetFunctionResult,
    /// pg_get_partkeydef.
    GetPartkeydef,
    /// pg_get_statisticsobjdef_columns.
    GetStatisticsobjdefColumns,
    /// pg_get_userbyid.
    GetUserbyid,
    /// pg_get_serial_sequence(table, column).
    GetSerialSequence,
    /// obj_description(oid [, catalog]).
    ObjDescription,
    /// col_description(table, column).
    ColDescription,
    /// shobj_description(oid, catalog).
    ShobjDescription,
    /// pg_table_is_visible.
    TableIsVisible,
    /// pg_type_is_visible.
    TypeIsVisible,
    /// pg_function_is_visible.
    FunctionIsVisible,
    /// pg_operator_is_visible, pg_opclass_is_visible, pg_collation_is_visible, pg_conversion_is_visible and the like.
    ObjectIsVisible,
    /// pg_encoding_to_char.
    EncodingToChar,
    /// pg_char_to_encoding.
    CharToEncoding,
    /// pg_is_other_temp_schema.
    IsOtherTempSchema,
    /// pg_my_temp_schema.
    MyTempSchema,
    /// pg_relation_is_publishable.
    RelationIsPublishable,
    /// pg_relation_size(relation [, fork]).
    RelationSize,
    /// pg_table_size.
    TableSize,
    /// pg_indexes_size.
    IndexesSize,
    /// pg_total_relation_size.
    TotalRelationSize,
    /// pg_database_size (by name or oid).
    DatabaseSize,
    /// pg_tablespace_size.
    TablespaceSize,
    /// pg_tablespace_location.
    TablespaceLocation,
    /// pg_size_pretty.
    SizePretty,
    /// pg_column_size.
    ColumnSize,
    /// has_table_privilege, has_schema_privilege, has_database_privilege and the like.
    HasPrivilege,
    /// pg_has_role.
    HasRole,
    /// to_regclass.
    ToRegclass,
    /// to_regtype.
    ToRegtype,
    /// to_regnamespace.
    ToRegnamespace,
    /// to_regproc.
    ToRegproc,
    /// to_regrole.
    ToRegrole,
    /// pg_stat_get_... (counters that are not kept: 0).
    StatGet,
    /// pg_index_column_has_property.
    IndexColumnHasProperty,
    /// pg_index_has_property.
    IndexHasProperty,
    /// pg_indexam_has_property.
    IndexamHasProperty,
    /// pg_sequence_last_value.
    SequenceLastValue,
    /// pg_relation_is_updatable(relation, include_triggers).
    IsUpdatable,
    /// information_schema._pg_char_max_length and its relatives.
    CharMaxLength,
    /// acldefault.
    AclDefault,
}

impl Function {
    /// Whether the function answers NULL as soon as one argument is NULL.
    pub fn is_strict(self) -> bool {
        use Function::*;
        !matches!(
            self,
            Concat
                | ConcatWs
                | QuoteNullable
                | Format
                | StringToArray
                | Greatest
                | Least
                | NullIf
                | NumNulls
                | NumNonnulls
                | ArrayPosition
                | ArrayPositions
                | ArrayRemove
                | ArrayReplace
                | ArrayToString
                | ArrayAppend
                | ArrayPrepend
                | ArrayCat
                | JsonBuildObject
                | JsonbBuildObject
                | JsonBuildArray
                | JsonbBuildArray
                | SetConfig
                | TypeOf
                | FormatType
                | SetVal
        )
    }

    /// Whether two calls within one statement may give different answers, or a call changes something.
    pub fn is_volatile(self) -> bool {
        use Function::*;
        matches!(
            self,
            Random
                | ClockTimestamp
                | TimeOfDay
                | GenRandomUuid
                | NextVal
                | CurrVal
                | SetVal
                | LastVal
                | SetConfig
                | Sleep
                | AdvisoryUnlockAll
                | CancelBackend
                | TerminateBackend
                | CreateJoinToken
                | RevokeJoinToken
                | TxnStatus
        )
    }
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `count(*)`
    CountRows,
    /// `count(x)`
    Count,
    /// `sum`: of int2 and int4 a bigint, of int8 a numeric.
    Sum,
    /// `avg`: of integers and numerics a numeric, of floats a double.
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `bool_and`, `every`
    BoolAnd,
    /// `bool_or`
    BoolOr,
    /// `string_agg(text, separator)`
    StringAgg,
    /// `array_agg`
    ArrayAgg,
    /// `json_agg`
    JsonAgg,
    /// `jsonb_agg`
    JsonbAgg,
    /// `stddev`, `stddev_samp`
    StddevSamp,
    /// `stddev_pop`
    StddevPop,
    /// `variance`, `var_samp`
    VarSamp,
    /// `var_pop`
    VarPop,
    /// `bit_and`
    BitAnd,
    /// `bit_or`
    BitOr,
}

impl AggregateFunction {
    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            AggregateFunction::CountRows | AggregateFunction::Count => "count",
            AggregateFunction::Sum => "sum",
            AggregateFunction::Avg => "avg",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
            AggregateFunction::BoolAnd => "bool_and",
            AggregateFunction::BoolOr => "bool_or",
            AggregateFunction::StringAgg => "string_agg",
            AggregateFunction::ArrayAgg => "array_agg",
            AggregateFunction::JsonAgg => "json_agg",
            AggregateFunction::JsonbAgg => "jsonb_agg",
            AggregateFunction::StddevSamp => "stddev",
            AggregateFunction::StddevPop => "stddev_pop",
            AggregateFunction::VarSamp => "variance",
            AggregateFunction::VarPop => "var_pop",
            AggregateFunction::BitAnd => "bit_and",
            AggregateFunction::BitOr => "bit_or",
        }
    }
}

/// Functions that return sets of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableFunction {
    /// `generate_series(start, stop [, step])` over integers, numerics and timestamps.
    GenerateSeries,
    /// `unnest(array, ...)`: one column per array, the shorter padded with NULL.
    Unnest,
    /// `generate_subscripts(array, dimension [, reverse])`
    GenerateSubscripts,
    /// `regexp_split_to_table(text, pattern)`
    RegexpSplitToTable,
    /// `regexp_matches(text, pattern [, flags])`
    RegexpMatches,
    /// `string_to_table(text, separator)`
    StringToTable,
    /// `json_array_elements`, `jsonb_array_elements`
    JsonArrayElements,
    /// `pg_partition_ancestors(relation)`: the relation itself.
    PartitionAncestors,
    /// `pg_options_to_table(options)`: name and value of each `name=value`.
    OptionsToTable,
    /// `pg_get_keywords()`: word, catcode, barelabel, catdesc, baredesc.
    Keywords,
    /// `aclexplode(acl)`: grantor, grantee, privilege_type, is_grantable.
    AclExplode,
    /// A scalar function in FROM: one row of its value.
    Scalar(Function),
}

impl TableFunction {
    /// The name in SQL, for EXPLAIN.
    pub fn name(self) -> &'static str {
        match self {
            TableFunction::GenerateSeries => "generate_series",
            TableFunction::Unnest => "unnest",
            TableFunction::GenerateSubscripts => "generate_subscripts",
            TableFunction::RegexpSplitToTable => "regexp_split_to_table",
            TableFunction::RegexpMatches => "regexp_matches",
            TableFunction::StringToTable => "string_to_table",
            TableFunction::JsonArrayElements => "json_array_elements",
            TableFunction::PartitionAncestors => "pg_partition_ancestors",
            TableFunction::OptionsToTable => "pg_options_to_table",
            TableFunction::Keywords => "pg_get_keywords",
            TableFunction::AclExplode => "aclexplode",
            TableFunction::Scalar(_) => "function",
        }
    }
}
