//! Plans of the statements that benchmark drivers send, as golden texts.

use super::catalog::World;
use crate::sql::parser::ExplainOptions;
use crate::sql::plan::explain::explain;

const TPCC: &str = "
create table if not exists warehouse (w_id smallint not null, w_name varchar(10), w_tax decimal(4,2), w_ytd decimal(12,2), primary key (w_id));
create table district (d_id smallint not null, d_w_id smallint not null, d_name varchar(10), d_tax decimal(4,2), d_ytd decimal(12,2), d_next_o_id int, primary key (d_w_id, d_id));
create table customer (c_id int not null, c_d_id smallint not null, c_w_id smallint not null, c_first varchar(16), c_middle char(2), c_last varchar(16), c_credit char(2), c_discount decimal(4,2), c_balance decimal(12,2), c_data text, primary key (c_w_id, c_d_id, c_id));
create table history (h_c_id int, h_c_d_id smallint, h_c_w_id smallint, h_date timestamp, h_amount decimal(6,2), h_data varchar(24));
create table new_orders (no_o_id int not null, no_d_id smallint not null, no_w_id smallint not null, primary key (no_w_id, no_d_id, no_o_id));
create table orders (o_id int not null, o_d_id smallint not null, o_w_id smallint not null, o_c_id int, o_entry_d timestamp, o_carrier_id smallint, o_ol_cnt smallint, o_all_local smallint, primary key (o_w_id, o_d_id, o_id));
create table order_line (ol_o_id int not null, ol_d_id smallint not null, ol_w_id smallint not null, ol_number smallint not null, ol_i_id int, ol_supply_w_id smallint, ol_delivery_d timestamp, ol_quantity smallint, ol_amount decimal(6,2), ol_dist_info char(24), primary key (ol_w_id, ol_d_id, ol_o_id, ol_number));
create table stock (s_i_id int not null, s_w_id smallint not null, s_quantity smallint, s_dist_01 char(24), s_ytd decimal(8,0), s_data varchar(50), primary key (s_w_id, s_i_id));
create table item (i_id int not null, i_im_id int, i_name varchar(24), i_price decimal(5,2), i_data varchar(50), primary key (i_id));
create index idx_customer on customer (c_w_id, c_d_id, c_last, c_first);
create index idx_orders on orders (o_w_id, o_d_id, o_c_id, o_id);
alter table district add constraint fkey_district_1 foreign key (d_w_id) references warehouse (w_id);
create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84), primary key (aid)) with (fillfactor=100);
create table sbtest1 (id serial, k integer default '0' not null, c char(120) default '' not null, pad char(60) default '' not null, primary key (id));
create index k_1 on sbtest1 (k);
";

/// Every statement of `plans.txt` has the plan that stands below it.
#[test]
fn plans_are_as_written() {
    let world = World::new(TPCC);
    let options = ExplainOptions { no_costs: true, ..ExplainOptions::default() };
    for block in include_str!("plans.txt").split("\n\n").skip(1) {
        let (sql, expected) = block.split_once(";\n").unwrap();
        let planned = world.plan(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let shown = explain(&planned, options).join("\n");
        assert_eq!(shown, expected.trim_end(), "\n{sql};\n{shown}\n");
    }
}

/// A fingerprint plans to the same operators as the text that it came from.
#[test]
fn fingerprints_use_the_same_indexes() {
    let world = World::new(TPCC);
    let options = ExplainOptions { no_costs: true, ..ExplainOptions::default() };
    let planned = world.plan_fingerprint(
        "SELECT no_o_id FROM new_orders WHERE no_d_id = 1 AND no_w_id = 2 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE",
    );
    assert_eq!(
        explain(&planned.unwrap(), options),
        [
            "Limit",
            "  ->  Index Scan using new_orders_pkey on new_orders",
            "        Index Cond: ((no_w_id = $2) AND (no_d_id = $1))",
            "        Limit: 1",
            "        Lock: FOR UPDATE",
        ]
    );
}
