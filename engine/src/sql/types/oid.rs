//! Object identifiers of PostgreSQL's built-in types, as `pg_type.dat` fixes them.

/// A number that names a catalog object.
pub type Oid = u32;

macro_rules! oids {
    ($($name:ident $oid:literal;)*) => { $(
        #[doc = concat!("OID ", stringify!($oid))]
        pub const $name: Oid = $oid;
    )* };
}

oids! {
    BOOL 16;
    BYTEA 17;
    CHAR 18;
    NAME 19;
    INT8 20;
    INT2 21;
    INT2VECTOR 22;
    INT4 23;
    REGPROC 24;
    TEXT 25;
    OID 26;
    XID 28;
    OIDVECTOR 30;
    JSON 114;
    JSON_ARRAY 199;
    FLOAT4 700;
    FLOAT8 701;
    UNKNOWN 705;
    BOOL_ARRAY 1000;
    BYTEA_ARRAY 1001;
    CHAR_ARRAY 1002;
    NAME_ARRAY 1003;
    INT2_ARRAY 1005;
    INT2VECTOR_ARRAY 1006;
    INT4_ARRAY 1007;
    REGPROC_ARRAY 1008;
    TEXT_ARRAY 1009;
    XID_ARRAY 1011;
    OIDVECTOR_ARRAY 1013;
    BPCHAR_ARRAY 1014;
    VARCHAR_ARRAY 1015;
    INT8_ARRAY 1016;
    FLOAT4_ARRAY 1021;
    FLOAT8_ARRAY 1022;
    OID_ARRAY 1028;
    BPCHAR 1042;
    VARCHAR 1043;
    DATE 1082;
    TIME 1083;
    TIMESTAMP 1114;
    TIMESTAMP_ARRAY 1115;
    DATE_ARRAY 1182;
    TIME_ARRAY 1183;
    TIMESTAMPTZ 1184;
    TIMESTAMPTZ_ARRAY 1185;
    INTERVAL 1186;
    INTERVAL_ARRAY 1187;
    NUMERIC_ARRAY 1231;
    NUMERIC 1700;
    REGCLASS 2205;
    REGTYPE 2206;
    REGCLASS_ARRAY 2210;
    REGTYPE_ARRAY 2211;
    RECORD 2249;
    VOID 2278;
    RECORD_ARRAY 2287;
    UUID 2950;
    UUID_ARRAY 2951;
    JSONB 3802;
    JSONB_ARRAY 3807;
    REGNAMESPACE 4089;
    REGNAMESPACE_ARRAY 4090;
    REGROLE 4096;
    REGROLE_ARRAY 4097;
}
