//! The tables of the schema `quorate`: what this database knows of itself, in the form of the other system tables.

pub(super) const TABLES: &[&str] = &[
    "nodes 12800 v node_id:int8 address:text sql_address:text status:text ranges:int8 leases:int8 version:text",
    "ranges 12801 v range_id:int8 start_key:text end_key:text table_name:text lease_holder:int8 replicas:int8[] \
     learners:int8[]",
    "join_tokens 12802 v id:text state:text expires_at:timestamptz",
    "locks 12803 v range_id:int8 table_name:text key:text mode:text transaction:text granted:bool waits_for:text[] \
     session:int4 statement:text",
    "in_doubt 12804 v range_id:int8 transaction:text coordinator:int8 state:text commit_id:int8 keys:int8 key:text \
     silent:interval recovering:bool gid:text",
    "commits 12805 v node_id:int8 path:text reason:text transactions:int8",
];
