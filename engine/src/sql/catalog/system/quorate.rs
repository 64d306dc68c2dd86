//! The tables of the schema `quorate`: what this database knows of itself, in the form of the other system tables.

pub(super) const TABLES: &[&str] = &[
    "nodes 12800 v node_id:int8 address:text sql_address:text is_live:bool ranges:int8 leases:int8",
    "ranges 12801 v range_id:int8 start_key:bytea end_key:bytea start_pretty:text end_pretty:text table_name:name \
     replicas:int8[] leaseholder:int8 generation:int8",
    "in_doubt 12802 v txn_id:text range_id:int8 state:text participants:int8",
];
