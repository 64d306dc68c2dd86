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

#[track_caller]
fn check(sql: &str, expected: &str) {
    let world = World::new(TPCC);
    let planned = world.plan(sql, &[]).unwrap_or_else(|error| panic!("{error:?}"));
    let lines = explain(&planned, ExplainOptions { no_costs: true, ..ExplainOptions::default() });
    assert_eq!(lines.join("\n"), expected.trim_matches('\n'), "\n{}\n", lines.join("\n"));
}

#[test]
fn print_all() {
    let world = World::new(TPCC);
    for sql in [
        "SELECT abalance FROM pgbench_accounts WHERE aid = 65606",
        "UPDATE pgbench_accounts SET abalance = abalance + 4773 WHERE aid = 65606",
        "SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 1 AND c_w_id = w_id AND c_d_id = 2 AND c_id = 3",
        "SELECT d_next_o_id, d_tax FROM district WHERE d_w_id = 1 AND d_id = 2 FOR UPDATE",
        "INSERT INTO new_orders (no_o_id, no_d_id, no_w_id) VALUES (1, 2, 3)",
        "SELECT count(c_id) namecnt FROM customer WHERE c_w_id = 1 AND c_d_id = 2 AND c_last = 'BAR'",
        "SELECT c_id, c_first FROM customer WHERE c_w_id = 1 AND c_d_id = 2 AND c_last = 'BAR' ORDER BY c_first",
        "SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 1 AND o_d_id = 2 AND o_c_id = 3 ORDER BY o_id DESC",
        "SELECT no_o_id FROM new_orders WHERE no_d_id = 1 AND no_w_id = 2 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE",
        "SELECT SUM(ol_amount) sm FROM order_line WHERE ol_o_id = 1 AND ol_d_id = 2 AND ol_w_id = 3",
        "SELECT COUNT(DISTINCT (s_i_id)) FROM order_line, stock WHERE ol_w_id = 1 AND ol_d_id = 2 AND ol_o_id < 3001 AND ol_o_id >= 2981 AND s_w_id = 1 AND s_i_id = ol_i_id AND s_quantity < 15",
        "DELETE FROM new_orders WHERE no_o_id = 1 AND no_d_id = 2 AND no_w_id = 3",
        "select max(no_o_id), min(no_o_id) from new_orders",
        "select max(no_o_id) from new_orders where no_w_id = 1 and no_d_id = 1",
        "SELECT d_w_id, d_id, d_next_o_id - 1, (SELECT max(o_id) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id) FROM district",
        "select o_id from orders left join new_orders on no_w_id = o_w_id and no_d_id = o_d_id and no_o_id = o_id where no_o_id is null and o_carrier_id is null",
        "SELECT w_id, w_ytd, sum(d_ytd) FROM warehouse JOIN district ON d_w_id = w_id GROUP BY w_id, w_ytd HAVING w_ytd <> sum(d_ytd)",
        "insert into new_orders select o_id, o_d_id, o_w_id from orders where o_id > 2100 and o_w_id = 1",
        "SELECT c FROM sbtest1 WHERE id BETWEEN 1 AND 100 ORDER BY c",
        "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 1 AND 100 ORDER BY c",
        "UPDATE sbtest1 SET k=k+1 WHERE id=5",
        "select k, id from sbtest1 where k = 5",
        "select * from item where i_id in (1,2,3)",
        "select o_id from orders where exists (select 1 from order_line where ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id)",
        "select w_id from warehouse where w_id not in (select d_w_id from district)",
        "with t as (select w_id x from warehouse) select x from t where x = 3",
        "select 1 + 2, 'abc'",
        "select s, row_number from generate_series(1, 10) with ordinality as g(s, row_number)",
        "select c.relname, n.nspname from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r','p','') and n.nspname !~ '^pg_toast' and pg_catalog.pg_table_is_visible(c.oid) order by 1,2",
        "update warehouse set w_ytd = (select sum(d_ytd) from district where d_w_id = w_id) where w_id = 1 returning w_ytd",
        "insert into warehouse values (1, 'a', 0.1, 3) on conflict (w_id) do update set w_ytd = warehouse.w_ytd + excluded.w_ytd",
        "select o_c_id, count(*) from orders group by 1 order by count(*) desc limit 3",
    ] {
        println!("=== {sql}");
        match world.plan(sql, &[]) {
            Ok(planned) => println!("{}", explain(&planned, ExplainOptions::default()).join("\n")),
            Err(error) => println!("{error:?}"),
        }
    }
}
