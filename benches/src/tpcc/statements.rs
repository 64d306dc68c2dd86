//! The statements of the five transactions, one table; ids are positions.

use crate::target::Statement;

macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names count the statements")]
        enum Id { $($name),* }
        $(
            #[doc = concat!("`", $sql, "`")]
            pub static $name: Statement = Statement { id: Id::$name as usize, sql: $sql };
        )*
    };
}

statements! {
    WAREHOUSE_TAX = "SELECT w_tax FROM warehouse WHERE w_id = $1";
    DISTRICT_NEXT = "SELECT d_tax, d_next_o_id FROM district WHERE d_w_id = $1 AND d_id = $2 FOR UPDATE";
    DISTRICT_ADVANCE = "UPDATE district SET d_next_o_id = $3 WHERE d_w_id = $1 AND d_id = $2";
    CUSTOMER_DISCOUNT = "SELECT c_discount, c_last, c_credit FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    INSERT_ORDER = "INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7)";
    INSERT_NEW_ORDER = "INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES ($1, $2, $3)";
    ITEM = "SELECT i_price, i_name, i_data FROM item WHERE i_id = $1";
    STOCK_01 = "SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_02 = "SELECT s_quantity, s_data, s_dist_02 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_03 = "SELECT s_quantity, s_data, s_dist_03 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_04 = "SELECT s_quantity, s_data, s_dist_04 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_05 = "SELECT s_quantity, s_data, s_dist_05 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_06 = "SELECT s_quantity, s_data, s_dist_06 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_07 = "SELECT s_quantity, s_data, s_dist_07 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_08 = "SELECT s_quantity, s_data, s_dist_08 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_09 = "SELECT s_quantity, s_data, s_dist_09 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_10 = "SELECT s_quantity, s_data, s_dist_10 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE";
    STOCK_UPDATE = "UPDATE stock SET s_quantity = $3, s_ytd = s_ytd + $4, s_order_cnt = s_order_cnt + 1, \
                    s_remote_cnt = s_remote_cnt + $5 WHERE s_i_id = $1 AND s_w_id = $2";
    INSERT_ORDER_LINE = "INSERT INTO order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, \
                         ol_quantity, ol_amount, ol_dist_info) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    WAREHOUSE_PAY = "UPDATE warehouse SET w_ytd = w_ytd + $2 WHERE w_id = $1";
    WAREHOUSE_ADDRESS = "SELECT w_street_1, w_street_2, w_city, w_state, w_zip, w_name FROM warehouse WHERE w_id = $1";
    DISTRICT_PAY = "UPDATE district SET d_ytd = d_ytd + $3 WHERE d_w_id = $1 AND d_id = $2";
    DISTRICT_ADDRESS = "SELECT d_street_1, d_street_2, d_city, d_state, d_zip, d_name FROM district \
                        WHERE d_w_id = $1 AND d_id = $2";
    CUSTOMERS_BY_NAME = "SELECT c_id FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = $3 ORDER BY c_first";
    CUSTOMER_PAY_READ = "SELECT c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, \
                         c_credit, c_credit_lim, c_discount, c_balance, c_ytd_payment, c_since FROM customer \
                         WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3 FOR UPDATE";
    CUSTOMER_DATA = "SELECT c_data FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    CUSTOMER_PAY = "UPDATE customer SET c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, \
                    c_payment_cnt = c_payment_cnt + 1 WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    CUSTOMER_PAY_DATA = "UPDATE customer SET c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, \
                         c_payment_cnt = c_payment_cnt + 1, c_data = $5 \
                         WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    INSERT_HISTORY = "INSERT INTO history (h_c_d_id, h_c_w_id, h_c_id, h_d_id, h_w_id, h_date, h_amount, h_data) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    CUSTOMER_STATUS = "SELECT c_balance, c_first, c_middle, c_last FROM customer \
                       WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    LAST_ORDER = "SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $3 \
                  ORDER BY o_id DESC LIMIT 1";
    ORDER_LINES = "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line \
                   WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    OLDEST_NEW_ORDER = "SELECT no_o_id FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 \
                        ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE";
    DELETE_NEW_ORDER = "DELETE FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 AND no_o_id = $3";
    ORDER_CUSTOMER = "SELECT o_c_id FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3";
    ORDER_DELIVERED = "UPDATE orders SET o_carrier_id = $4 WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3";
    LINES_DELIVERED = "UPDATE order_line SET ol_delivery_d = $4 WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    ORDER_AMOUNT = "SELECT SUM(ol_amount) FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    CUSTOMER_DELIVERED = "UPDATE customer SET c_balance = c_balance + $4, c_delivery_cnt = c_delivery_cnt + 1 \
                          WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    NEXT_ORDER = "SELECT d_next_o_id FROM district WHERE d_w_id = $1 AND d_id = $2";
    LOW_STOCK = "SELECT COUNT(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 \
                 AND ol_o_id < $3 AND ol_o_id >= $4 AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $5";
}

/// The stock query that reads the district's own `s_dist_xx`.
pub fn stock_of(district: i64) -> &'static Statement {
    const OF: [&Statement; 10] =
        [&STOCK_01, &STOCK_02, &STOCK_03, &STOCK_04, &STOCK_05, &STOCK_06, &STOCK_07, &STOCK_08, &STOCK_09, &STOCK_10];
    OF[(district - 1) as usize]
}
