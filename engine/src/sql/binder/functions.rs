//! Names and signatures of functions.
//!
//! ```text
//!  name | parameters | result | function
//!  parameters   types with commas; `?` after a type: may be left out; `...`: any number more of the last
//!  any          any value as it is          elem, array   polymorphic: array is of elem
//!  same         like elem, but all arguments are first brought to their common type
//! ```
//! Of several signatures the one with the fewest casts is taken; untyped literals prefer text.

use crate::sql::plan::{AggregateFunction as A, Function as F, TableFunction as T};
use crate::sql::types::{CastKind, Category, Type, can_cast, common_type};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A parameter or result of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Param {
    Fixed(Type),
    Any,
    Element,
    Array,
    Same,
}

/// How a function of some name may be called.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    params: Vec<Param>,
    required: usize,
    variadic: bool,
    result: Param,
    pub(super) function: F,
}

/// A choice: types to cast the arguments to (`None`: as they are) and the type of the result.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) function: F,
    pub(super) args: Vec<Option<Type>>,
    pub(super) result: Type,
}

const SIGNATURES: &[(&str, &str, &str, F)] = &[
    ("length", "text", "int4", F::Length),
    ("length", "bytea", "int4", F::Length),
    ("length", "bpchar", "int4", F::Length),
    ("char_length", "text", "int4", F::Length),
    ("char_length", "bpchar", "int4", F::Length),
    ("character_length", "text", "int4", F::Length),
    ("character_length", "bpchar", "int4", F::Length),
    ("octet_length", "text", "int4", F::OctetLength),
    ("octet_length", "bytea", "int4", F::OctetLength),
    ("octet_length", "bpchar", "int4", F::OctetLength),
    ("bit_length", "text", "int4", F::BitLength),
    ("bit_length", "bytea", "int4", F::BitLength),
    ("lower", "text", "text", F::Lower),
    ("upper", "text", "text", F::Upper),
    ("initcap", "text", "text", F::Initcap),
    ("btrim", "text,text?", "text", F::Trim),
    ("ltrim", "text,text?", "text", F::Ltrim),
    ("rtrim", "text,text?", "text", F::Rtrim),
    ("substring", "text,int4,int4?", "text", F::Substring),
    ("substring", "bytea,int4,int4?", "bytea", F::Substring),
    ("substring", "text,text", "text", F::SubstringRegex),
    ("substr", "text,int4,int4?", "text", F::Substring),
    ("substr", "bytea,int4,int4?", "bytea", F::Substring),
    ("strpos", "text,text", "int4", F::Position),
    ("position", "text,text", "int4", F::Position),
    ("replace", "text,text,text", "text", F::Replace),
    ("translate", "text,text,text", "text", F::Translate),
    ("overlay", "text,text,int4,int4?", "text", F::Overlay),
    ("concat", "any?...", "text", F::Concat),
    ("concat_ws", "text,any?...", "text", F::ConcatWs),
    ("left", "text,int4", "text", F::Left),
    ("right", "text,int4", "text", F::Right),
    ("lpad", "text,int4,text?", "text", F::Lpad),
    ("rpad", "text,int4,text?", "text", F::Rpad),
    ("repeat", "text,int4", "text", F::Repeat),
    ("reverse", "text", "text", F::Reverse),
    ("split_part", "text,text,int4", "text", F::SplitPart),
    ("starts_with", "text,text", "bool", F::StartsWith),
    ("ascii", "text", "int4", F::Ascii),
    ("chr", "int4", "text", F::Chr),
    ("md5", "text", "text", F::Md5),
    ("md5", "bytea", "text", F::Md5),
    ("quote_ident", "text", "text", F::QuoteIdent),
    ("quote_literal", "text", "text", F::QuoteLiteral),
    ("quote_nullable", "text", "text", F::QuoteNullable),
    ("format", "text,any?...", "text", F::Format),
    ("to_hex", "int4", "text", F::ToHex),
    ("to_hex", "int8", "text", F::ToHex),
    ("encode", "bytea,text", "text", F::Encode),
    ("decode", "text,text", "bytea", F::Decode),
    ("regexp_replace", "text,text,text,text?", "text", F::RegexpReplace),
    ("regexp_match", "text,text,text?", "text[]", F::RegexpMatch),
    ("regexp_split_to_array", "text,text,text?", "text[]", F::RegexpSplitToArray),
    ("string_to_array", "text,text,text?", "text[]", F::StringToArray),
    ("to_char", "timestamp,text", "text", F::ToChar),
    ("to_char", "timestamptz,text", "text", F::ToChar),
    ("to_char", "interval,text", "text", F::ToChar),
    ("to_char", "int4,text", "text", F::ToChar),
    ("to_char", "int8,text", "text", F::ToChar),
    ("to_char", "numeric,text", "text", F::ToChar),
    ("to_char", "float8,text", "text", F::ToChar),
    ("to_number", "text,text", "numeric", F::ToNumber),
    ("to_date", "text,text", "date", F::ToDate),
    ("to_timestamp", "text,text", "timestamptz", F::ToTimestamp),
    ("to_timestamp", "float8", "timestamptz", F::ToTimestamp),
    ("abs", "int2", "int2", F::Abs),
    ("abs", "int4", "int4", F::Abs),
    ("abs", "int8", "int8", F::Abs),
    ("abs", "numeric", "numeric", F::Abs),
    ("abs", "float4", "float4", F::Abs),
    ("abs", "float8", "float8", F::Abs),
    ("ceil", "numeric", "numeric", F::Ceil),
    ("ceil", "float8", "float8", F::Ceil),
    ("ceiling", "numeric", "numeric", F::Ceil),
    ("ceiling", "float8", "float8", F::Ceil),
    ("floor", "numeric", "numeric", F::Floor),
    ("floor", "float8", "float8", F::Floor),
    ("round", "float8", "float8", F::Round),
    ("round", "numeric,int4?", "numeric", F::Round),
    ("trunc", "float8", "float8", F::Trunc),
    ("trunc", "numeric,int4?", "numeric", F::Trunc),
    ("sqrt", "float8", "float8", F::Sqrt),
    ("sqrt", "numeric", "numeric", F::Sqrt),
    ("cbrt", "float8", "float8", F::Cbrt),
    ("exp", "float8", "float8", F::Exp),
    ("exp", "numeric", "numeric", F::Exp),
    ("ln", "float8", "float8", F::Ln),
    ("ln", "numeric", "numeric", F::Ln),
    ("log", "float8", "float8", F::Log),
    ("log", "numeric,numeric?", "numeric", F::Log),
    ("log10", "float8", "float8", F::Log),
    ("log10", "numeric", "numeric", F::Log),
    ("power", "float8,float8", "float8", F::Power),
    ("power", "numeric,numeric", "numeric", F::Power),
    ("pow", "float8,float8", "float8", F::Power),
    ("pow", "numeric,numeric", "numeric", F::Power),
    ("mod", "int2,int2", "int2", F::Mod),
    ("mod", "int4,int4", "int4", F::Mod),
    ("mod", "int8,int8", "int8", F::Mod),
    ("mod", "numeric,numeric", "numeric", F::Mod),
    ("div", "numeric,numeric", "numeric", F::DivInteger),
    ("sign", "float8", "float8", F::Sign),
    ("sign", "numeric", "numeric", F::Sign),
    ("pi", "", "float8", F::Pi),
    ("random", "", "float8", F::Random),
    ("degrees", "float8", "float8", F::Degrees),
    ("radians", "float8", "float8", F::Radians),
    ("sin", "float8", "float8", F::Sin),
    ("cos", "float8", "float8", F::Cos),
    ("tan", "float8", "float8", F::Tan),
    ("asin", "float8", "float8", F::Asin),
    ("acos", "float8", "float8", F::Acos),
    ("atan", "float8", "float8", F::Atan),
    ("atan2", "float8,float8", "float8", F::Atan2),
    ("gcd", "int4,int4", "int4", F::Gcd),
    ("gcd", "int8,int8", "int8", F::Gcd),
    ("lcm", "int4,int4", "int4", F::Lcm),
    ("lcm", "int8,int8", "int8", F::Lcm),
    ("scale", "numeric", "int4", F::Scale),
    ("factorial", "int8", "numeric", F::Factorial),
    ("greatest", "same,same?...", "same", F::Greatest),
    ("least", "same,same?...", "same", F::Least),
    ("nullif", "same,same", "same", F::NullIf),
    ("num_nulls", "any?...", "int4", F::NumNulls),
    ("num_nonnulls", "any?...", "int4", F::NumNonnulls),
    ("now", "", "timestamptz", F::Now),
    ("transaction_timestamp", "", "timestamptz", F::Now),
    ("statement_timestamp", "", "timestamptz", F::StatementTimestamp),
    ("clock_timestamp", "", "timestamptz", F::ClockTimestamp),
    ("timeofday", "", "text", F::TimeOfDay),
    ("date_part", "text,timestamp", "float8", F::DatePart),
    ("date_part", "text,timestamptz", "float8", F::DatePart),
    ("date_part", "text,date", "float8", F::DatePart),
    ("date_part", "text,time", "float8", F::DatePart),
    ("date_part", "text,interval", "float8", F::DatePart),
    ("extract", "text,timestamp", "numeric", F::Extract),
    ("extract", "text,timestamptz", "numeric", F::Extract),
    ("extract", "text,date", "numeric", F::Extract),
    ("extract", "text,time", "numeric", F::Extract),
    ("extract", "text,interval", "numeric", F::Extract),
    ("date_trunc", "text,timestamp", "timestamp", F::DateTrunc),
    ("date_trunc", "text,timestamptz", "timestamptz", F::DateTrunc),
    ("date_trunc", "text,interval", "interval", F::DateTrunc),
    ("age", "timestamp,timestamp?", "interval", F::Age),
    ("age", "timestamptz,timestamptz?", "interval", F::Age),
    ("make_date", "int4,int4,int4", "date", F::MakeDate),
    ("make_time", "int4,int4,float8", "time", F::MakeTime),
    ("make_timestamp", "int4,int4,int4,int4,int4,float8", "timestamp", F::MakeTimestamp),
    ("make_interval", "int4?,int4?,int4?,int4?,int4?,int4?,float8?", "interval", F::MakeInterval),
    ("timezone", "text,timestamp", "timestamptz", F::AtTimeZone),
    ("timezone", "text,timestamptz", "timestamp", F::AtTimeZone),
    ("isfinite", "date", "bool", F::IsFinite),
    ("isfinite", "timestamp", "bool", F::IsFinite),
    ("isfinite", "timestamptz", "bool", F::IsFinite),
    ("isfinite", "interval", "bool", F::IsFinite),
    ("justify_days", "interval", "interval", F::JustifyDays),
    ("justify_hours", "interval", "interval", F::JustifyHours),
    ("justify_interval", "interval", "interval", F::JustifyInterval),
    ("array_length", "array,int4", "int4", F::ArrayLength),
    ("array_upper", "array,int4", "int4", F::ArrayUpper),
    ("array_lower", "array,int4", "int4", F::ArrayLower),
    ("array_ndims", "array", "int4", F::ArrayNdims),
    ("cardinality", "array", "int4", F::Cardinality),
    ("array_position", "array,elem,int4?", "int4", F::ArrayPosition),
    ("array_positions", "array,elem", "int4[]", F::ArrayPositions),
    ("array_remove", "array,elem", "array", F::ArrayRemove),
    ("array_replace", "array,elem,elem", "array", F::ArrayReplace),
    ("array_to_string", "array,text,text?", "text", F::ArrayToString),
    ("array_append", "array,elem", "array", F::ArrayAppend),
    ("array_prepend", "elem,array", "array", F::ArrayPrepend),
    ("array_cat", "array,array", "array", F::ArrayCat),
    ("to_json", "any", "json", F::ToJson),
    ("to_jsonb", "any", "jsonb", F::ToJsonb),
    ("row_to_json", "record,bool?", "json", F::RowToJson),
    ("json_build_object", "any?...", "json", F::JsonBuildObject),
    ("jsonb_build_object", "any?...", "jsonb", F::JsonbBuildObject),
    ("json_build_array", "any?...", "json", F::JsonBuildArray),
    ("jsonb_build_array", "any?...", "jsonb", F::JsonbBuildArray),
    ("json_typeof", "json", "text", F::JsonTypeof),
    ("jsonb_typeof", "jsonb", "text", F::JsonTypeof),
    ("json_array_length", "json", "int4", F::JsonArrayLength),
    ("jsonb_array_length", "jsonb", "int4", F::JsonArrayLength),
    ("gen_random_uuid", "", "uuid", F::GenRandomUuid),
    ("nextval", "regclass", "int8", F::NextVal),
    ("currval", "regclass", "int8", F::CurrVal),
    ("setval", "regclass,int8,bool?", "int8", F::SetVal),
    ("lastval", "", "int8", F::LastVal),
    ("version", "", "text", F::Version),
    ("current_database", "", "name", F::CurrentDatabase),
    ("current_schema", "", "name", F::CurrentSchema),
    ("current_schemas", "bool", "name[]", F::CurrentSchemas),
    ("current_setting", "text,bool?", "text", F::CurrentSetting),
    ("set_config", "text,text,bool", "text", F::SetConfig),
    ("pg_backend_pid", "", "int4", F::BackendPid),
    ("pg_sleep", "float8", "void", F::Sleep),
    ("pg_typeof", "any", "regtype", F::TypeOf),
    ("txid_current", "", "int8", F::TxidCurrent),
    ("pg_current_xact_id", "", "int8", F::TxidCurrent),
    ("pg_is_in_recovery", "", "bool", F::IsInRecovery),
    ("pg_postmaster_start_time", "", "timestamptz", F::PostmasterStartTime),
    ("pg_conf_load_time", "", "timestamptz", F::ConfLoadTime),
    ("pg_client_encoding", "", "name", F::ClientEncoding),
    ("inet_client_addr", "", "text", F::InetClientAddr),
    ("inet_server_port", "", "int4", F::InetServerPort),
    ("pg_advisory_unlock_all", "", "void", F::AdvisoryUnlockAll),
    ("pg_cancel_backend", "int4", "bool", F::CancelBackend),
    ("pg_terminate_backend", "int4,int8?", "bool", F::TerminateBackend),
    ("pg_blocking_pids", "int4", "int4[]", F::BlockingPids),
    ("quorate.create_join_token", "", "text", F::CreateJoinToken),
    ("quorate.revoke_join_token", "text", "bool", F::RevokeJoinToken),
    ("quorate.txn_status", "text", "text", F::TxnStatus),
    ("format_type", "oid,int4", "text", F::FormatType),
    ("pg_get_expr", "text,oid,bool?", "text", F::GetExpr),
    ("pg_get_indexdef", "oid", "text", F::GetIndexdef),
    ("pg_get_indexdef", "oid,int4,bool", "text", F::GetIndexdef),
    ("pg_get_constraintdef", "oid,bool?", "text", F::GetConstraintdef),
    ("pg_get_viewdef", "oid,bool?", "text", F::GetViewdef),
    ("pg_get_triggerdef", "oid,bool?", "text", F::GetTriggerdef),
    ("pg_get_ruledef", "oid,bool?", "text", F::GetRuledef),
    ("pg_get_functiondef", "oid", "text", F::GetFunctiondef),
    ("pg_get_function_arguments", "oid", "text", F::GetFunctionArguments),
    ("pg_get_function_identity_arguments", "oid", "text", F::GetFunctionArguments),
    ("pg_get_function_result", "oid", "text", F::GetFunctionResult),
    ("pg_get_partkeydef", "oid", "text", F::GetPartkeydef),
    ("pg_get_statisticsobjdef_columns", "oid", "text", F::GetStatisticsobjdefColumns),
    ("pg_get_userbyid", "oid", "name", F::GetUserbyid),
    ("pg_get_serial_sequence", "text,text", "text", F::GetSerialSequence),
    ("obj_description", "oid,name?", "text", F::ObjDescription),
    ("col_description", "oid,int4", "text", F::ColDescription),
    ("shobj_description", "oid,name", "text", F::ShobjDescription),
    ("pg_table_is_visible", "oid", "bool", F::TableIsVisible),
    ("pg_type_is_visible", "oid", "bool", F::TypeIsVisible),
    ("pg_function_is_visible", "oid", "bool", F::FunctionIsVisible),
    ("pg_operator_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_opclass_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_opfamily_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_collation_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_conversion_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_statistics_obj_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_ts_config_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_ts_dict_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_ts_parser_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_ts_template_is_visible", "oid", "bool", F::ObjectIsVisible),
    ("pg_encoding_to_char", "int4", "name", F::EncodingToChar),
    ("pg_char_to_encoding", "name", "int4", F::CharToEncoding),
    ("pg_is_other_temp_schema", "oid", "bool", F::IsOtherTempSchema),
    ("pg_my_temp_schema", "", "oid", F::MyTempSchema),
    ("pg_relation_is_publishable", "regclass", "bool", F::RelationIsPublishable),
    ("pg_relation_size", "regclass,text?", "int8", F::RelationSize),
    ("pg_table_size", "regclass", "int8", F::TableSize),
    ("pg_indexes_size", "regclass", "int8", F::IndexesSize),
    ("pg_total_relation_size", "regclass", "int8", F::TotalRelationSize),
    ("pg_database_size", "name", "int8", F::DatabaseSize),
    ("pg_database_size", "oid", "int8", F::DatabaseSize),
    ("pg_tablespace_size", "name", "int8", F::TablespaceSize),
    ("pg_tablespace_size", "oid", "int8", F::TablespaceSize),
    ("pg_tablespace_location", "oid", "text", F::TablespaceLocation),
    ("pg_size_pretty", "int8", "text", F::SizePretty),
    ("pg_size_pretty", "numeric", "text", F::SizePretty),
    ("pg_column_size", "any", "int4", F::ColumnSize),
    ("has_table_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_any_column_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_column_privilege", "any,any,any,text?", "bool", F::HasPrivilege),
    ("has_schema_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_database_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_function_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_sequence_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_tablespace_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_type_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("has_language_privilege", "any,any,text?", "bool", F::HasPrivilege),
    ("pg_has_role", "any,any,text?", "bool", F::HasRole),
    ("to_regclass", "text", "regclass", F::ToRegclass),
    ("to_regtype", "text", "regtype", F::ToRegtype),
    ("to_regnamespace", "text", "regnamespace", F::ToRegnamespace),
    ("to_regproc", "text", "regproc", F::ToRegproc),
    ("to_regrole", "text", "regrole", F::ToRegrole),
    ("pg_stat_get_numscans", "oid", "int8", F::StatGet),
    ("pg_stat_get_live_tuples", "oid", "int8", F::StatGet),
    ("pg_stat_get_dead_tuples", "oid", "int8", F::StatGet),
    ("pg_stat_get_tuples_inserted", "oid", "int8", F::StatGet),
    ("pg_stat_get_tuples_updated", "oid", "int8", F::StatGet),
    ("pg_stat_get_tuples_deleted", "oid", "int8", F::StatGet),
    ("pg_stat_get_blocks_fetched", "oid", "int8", F::StatGet),
    ("pg_stat_get_blocks_hit", "oid", "int8", F::StatGet),
    ("pg_index_column_has_property", "regclass,int4,text", "bool", F::IndexColumnHasProperty),
    ("pg_index_has_property", "regclass,text", "bool", F::IndexHasProperty),
    ("pg_indexam_has_property", "oid,text", "bool", F::IndexamHasProperty),
    ("pg_sequence_last_value", "regclass", "int8", F::SequenceLastValue),
    ("pg_relation_is_updatable", "regclass,bool", "int4", F::IsUpdatable),
    ("_pg_char_max_length", "oid,int4", "int4", F::CharMaxLength),
    ("acldefault", "\"char\",oid", "text[]", F::AclDefault),
];

const AGGREGATES: &[(&str, A)] = &[
    ("count", A::Count),
    ("sum", A::Sum),
    ("avg", A::Avg),
    ("min", A::Min),
    ("max", A::Max),
    ("bool_and", A::BoolAnd),
    ("every", A::BoolAnd),
    ("bool_or", A::BoolOr),
    ("string_agg", A::StringAgg),
    ("array_agg", A::ArrayAgg),
    ("json_agg", A::JsonAgg),
    ("jsonb_agg", A::JsonbAgg),
    ("stddev", A::StddevSamp),
    ("stddev_samp", A::StddevSamp),
    ("stddev_pop", A::StddevPop),
    ("variance", A::VarSamp),
    ("var_samp", A::VarSamp),
    ("var_pop", A::VarPop),
    ("bit_and", A::BitAnd),
    ("bit_or", A::BitOr),
];

const TABLE_FUNCTIONS: &[(&str, T)] = &[
    ("generate_series", T::GenerateSeries),
    ("unnest", T::Unnest),
    ("generate_subscripts", T::GenerateSubscripts),
    ("regexp_split_to_table", T::RegexpSplitToTable),
    ("regexp_matches", T::RegexpMatches),
    ("string_to_table", T::StringToTable),
    ("json_array_elements", T::JsonArrayElements),
    ("jsonb_array_elements", T::JsonArrayElements),
    ("pg_partition_ancestors", T::PartitionAncestors),
    ("pg_options_to_table", T::OptionsToTable),
    ("pg_get_keywords", T::Keywords),
    ("aclexplode", T::AclExplode),
];

static BY_NAME: LazyLock<BTreeMap<&'static str, Vec<Signature>>> = LazyLock::new(|| {
    let mut by_name: BTreeMap<&'static str, Vec<Signature>> = BTreeMap::new();
    for (name, params, result, function) in SIGNATURES {
        by_name.entry(name).or_default().push(read(params, result, *function));
    }
    by_name
});

fn read(params: &str, result: &str, function: F) -> Signature {
    let variadic = params.ends_with("...");
    let words: Vec<&str> = params.trim_end_matches("...").split(',').filter(|word| !word.is_empty()).collect();
    Signature {
        params: words.iter().map(|word| read_param(word.trim_end_matches('?'))).collect(),
        required: words.iter().filter(|word| !word.ends_with('?')).count(),
        variadic,
        result: read_param(result),
        function,
    }
}

fn read_param(word: &str) -> Param {
    match word {
        "any" => Param::Any,
        "elem" => Param::Element,
        "array" => Param::Array,
        "same" => Param::Same,
        other => Param::Fixed(Type::by_name(other).unwrap_or(Type::Unknown)),
    }
}

/// The signatures of a name.
pub(super) fn scalar(name: &str) -> Option<&'static [Signature]> {
    BY_NAME.get(name).map(Vec::as_slice)
}

/// Names of all scalar and aggregate functions, for hints.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied().chain(AGGREGATES.iter().map(|(name, _)| *name))
}

pub(super) fn aggregate(name: &str) -> Option<A> {
    AGGREGATES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

pub(super) fn table_function(name: &str) -> Option<T> {
    TABLE_FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

/// The signature that fits the arguments best, with the casts it needs.
pub(super) fn choose(signatures: &[Signature], args: &[Type]) -> Option<Choice> {
    let mut best: Option<(u32, Choice)> = None;
    for signature in signatures {
        if let Some((cost, choice)) = fit(signature, args)
            && best.as_ref().is_none_or(|(least, _)| cost < *least)
        {
            best = Some((cost, choice));
        }
    }
    best.map(|(_, choice)| choice)
}

fn fit(signature: &Signature, args: &[Type]) -> Option<(u32, Choice)> {
    let most = if signature.variadic { usize::MAX } else { signature.params.len() };
    if args.len() < signature.required || args.len() > most {
        return None;
    }
    let param = |place: usize| signature.params.get(place).or(signature.params.last());
    let element = polymorphic(signature, args)?;
    let mut cost = 0;
    let mut casts = Vec::with_capacity(args.len());
    for (place, arg) in args.iter().enumerate() {
        let target = match param(place)? {
            Param::Any => None,
            Param::Fixed(ty) => Some(ty.clone()),
            Param::Element | Param::Same => Some(element.clone()),
            Param::Array => Some(Type::array_of(element.clone())),
        };
        if let Some(target) = &target {
            cost += cast_cost(arg, target)?;
        }
        casts.push(target);
    }
    let result = match &signature.result {
        Param::Fixed(ty) => ty.clone(),
        Param::Array => Type::array_of(element),
        Param::Element | Param::Same | Param::Any => element,
    };
    Some((cost, Choice { function: signature.function, args: casts, result }))
}

/// The type that `elem`, `array` and `same` stand for; `Unknown` if the signature has none of them.
fn polymorphic(signature: &Signature, args: &[Type]) -> Option<Type> {
    let mut types = Vec::new();
    for (place, arg) in args.iter().enumerate() {
        match signature.params.get(place).or(signature.params.last())? {
            Param::Element | Param::Same => types.push(arg.clone()),
            Param::Array => match (arg, arg.element()) {
                (_, Some(element)) => types.push(element.clone()),
                (Type::Unknown, _) => types.push(Type::Unknown),
                _ => return None,
            },
            Param::Any | Param::Fixed(_) => {}
        }
    }
    if types.is_empty() { Some(Type::Unknown) } else { common_type(&types, "").ok() }
}

/// 0 for the same type; literals of unknown type prefer text; preferred types before others.
fn cast_cost(from: &Type, to: &Type) -> Option<u32> {
    if from.same_base(to) {
        return Some(0);
    }
    if *from == Type::Unknown {
        return Some(if to.category() == Category::String { 1 } else { 2 + u32::from(!to.is_preferred()) });
    }
    // int2vector and oidvector are read as arrays.
    if let (Some(from), Type::Array(to)) = (from.element(), to) {
        return from.same_base(to).then_some(1).or_else(|| can_cast(from, to, CastKind::Implicit).then_some(2));
    }
    if !can_cast(from, to, CastKind::Implicit) {
        return None;
    }
    Some(10 + u32::from(!to.is_preferred()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(name: &str, args: &[Type]) -> Option<(Vec<Option<Type>>, Type)> {
        choose(scalar(name)?, args).map(|choice| (choice.args, choice.result))
    }

    #[test]
    fn every_signature_is_read() {
        for (name, params, result, _) in SIGNATURES {
            for word in params.trim_end_matches("...").split(',').chain([*result]).filter(|word| !word.is_empty()) {
                let param = read_param(word.trim_end_matches('?'));
                assert_ne!(param, Param::Fixed(Type::Unknown), "{name}: {word}");
            }
        }
    }

    #[test]
    fn the_nearest_signature_wins() {
        assert_eq!(chosen("abs", &[Type::Int2]), Some((vec![Some(Type::Int2)], Type::Int2)));
        assert_eq!(chosen("sqrt", &[Type::Int4]), Some((vec![Some(Type::Float8)], Type::Float8)));
        assert_eq!(chosen("length", &[Type::Unknown]), Some((vec![Some(Type::Text)], Type::Int4)));
        assert_eq!(chosen("lower", &[Type::Int4]), None);
        let name_array = Type::array_of(Type::Name);
        assert_eq!(
            chosen("array_position", &[name_array.clone(), Type::Name]),
            Some((vec![Some(name_array), Some(Type::Name)], Type::Int4))
        );
    }
}
