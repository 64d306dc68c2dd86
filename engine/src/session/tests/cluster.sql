-- Nodes and ranges are tables as well as statements.
a:
CREATE TABLE t (id int PRIMARY KEY)
----
CREATE TABLE

SELECT node_id, status, leases = ranges AS leads_all FROM quorate.nodes
----
node_id | status | leads_all
1 | live | t
SELECT 1

SELECT start_key, end_key, table_name, lease_holder, replicas, learners FROM quorate.ranges WHERE table_name = 't'
----
start_key | end_key | table_name | lease_holder | replicas | learners
10 | ff | t | 1 | {1} | {}
SELECT 1

SHOW RANGES FROM TABLE t
----
range_id | start_key | end_key | table_name | lease_holder | replicas | learners
4 | 10 | ff | t | 1 | {1} | {}
SHOW 1

-- A database alone has no join tokens.
SELECT quorate.create_join_token() LIKE 'qj1-%' AS is_token
----
ERROR 55000: this database is not a cluster node
HINT: Start it with: quorate start DIR

SELECT state, expires_at > now() AS fresh FROM quorate.join_tokens
----
state | fresh
SELECT 0

SELECT quorate.revoke_join_token('nope'), quorate.revoke_join_token(NULL)
----
revoke_join_token | revoke_join_token
f | NULL
SELECT 1

-- What changes the cluster has its place in the select list.
SELECT sum(length(quorate.create_join_token())) FROM generate_series(1, 2)
----
ERROR 0A000: quorate.create_join_token() is not supported here
HINT: Use it alone: SELECT quorate.create_join_token().

SELECT create_join_token()
----
ERROR 42883: function create_join_token() does not exist
POSITION: 8
HINT: No function matches the given name and argument types. You might need to add explicit type casts.

SELECT quorate.txn_status('x')
----
ERROR 22023: the argument of quorate.txn_status is not a token of a commit
DETAIL: a token of a commit begins with "qt1-".
HINT: The token is in the HINT of error 40003, or the parameter txn_token after SET txn_token = on.

-- Locks and undecided transactions, by table and key.
a:
BEGIN; SELECT * FROM t WHERE id = 7 FOR UPDATE
----
BEGIN
id
SELECT 0

b:
SELECT table_name, key, mode, granted, waits_for, statement FROM quorate.locks
----
table_name | key | mode | granted | waits_for | statement
t | /t/t_pkey/7 | update | t | NULL | BEGIN; SELECT * FROM t WHERE id = 7 FOR UPDATE
SELECT 1

SELECT count(*) FROM quorate.in_doubt
----
count
0
SELECT 1

a:
INSERT INTO t VALUES (7); COMMIT
----
INSERT 0 1
COMMIT

SELECT path, reason, transactions > 0 AS some FROM quorate.commits WHERE path <> 'read only' ORDER BY path
----
path | reason | some
one range | NULL | t
SELECT 1
