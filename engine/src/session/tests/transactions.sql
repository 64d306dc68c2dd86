-- Blocks.
CREATE TABLE t (id int PRIMARY KEY, v int)
----
CREATE TABLE

BEGIN
----
BEGIN

INSERT INTO t VALUES (1, 1)
----
INSERT 0 1

b:
SELECT * FROM t
----
id | v
SELECT 0

a:
SELECT * FROM t
----
id | v
1 | 1
SELECT 1

COMMIT
----
COMMIT

b:
SELECT * FROM t
----
id | v
1 | 1
SELECT 1

-- A failed block only ends.
BEGIN
----
BEGIN

INSERT INTO t VALUES (1, 2)
----
ERROR 23505: duplicate key value violates unique constraint "t_pkey"
DETAIL: Key (id)=(1) already exists.

SELECT 1
----
ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block

COMMIT
----
ROLLBACK

ROLLBACK
----
WARNING: there is no transaction in progress
ROLLBACK

COMMIT
----
WARNING: there is no transaction in progress
COMMIT

-- Savepoints.
BEGIN; INSERT INTO t VALUES (2, 2); SAVEPOINT s; INSERT INTO t VALUES (3, 3)
----
BEGIN
INSERT 0 1
SAVEPOINT
INSERT 0 1

INSERT INTO t VALUES (1, 1)
----
ERROR 23505: duplicate key value violates unique constraint "t_pkey"
DETAIL: Key (id)=(1) already exists.

ROLLBACK TO s
----
ROLLBACK

INSERT INTO t VALUES (4, 4)
----
INSERT 0 1

COMMIT
----
COMMIT

SELECT * FROM t ORDER BY id
----
id | v
1 | 1
2 | 2
4 | 4
SELECT 3

ROLLBACK TO nope
----
ERROR 25P01: ROLLBACK TO SAVEPOINT can only be used in transaction blocks

-- Settings follow the transaction.
BEGIN; SET LOCAL statement_timeout = 100; SHOW statement_timeout
----
BEGIN
SET
statement_timeout
100ms
SHOW

ROLLBACK
----
ROLLBACK

SHOW statement_timeout
----
statement_timeout
0
SHOW

SET nope = 1
----
ERROR 42704: unrecognized configuration parameter "nope"

SHOW transaction_isolation
----
transaction_isolation
serializable
SHOW

BEGIN ISOLATION LEVEL READ COMMITTED; SHOW transaction_isolation
----
BEGIN
transaction_isolation
read committed
SHOW

COMMIT
----
COMMIT

BEGIN READ ONLY; INSERT INTO t VALUES (9, 9)
----
BEGIN
ERROR 25006: cannot execute INSERT in a read-only transaction

ROLLBACK
----
ROLLBACK

CREATE SEQUENCE numbers
----
CREATE SEQUENCE

BEGIN READ ONLY; SELECT nextval('numbers')
----
BEGIN
ERROR 25006: cannot execute nextval() in a read-only transaction

ROLLBACK; BEGIN READ ONLY; SELECT quorate.create_join_token()
----
ROLLBACK
BEGIN
ERROR 25006: cannot execute create_join_token() in a read-only transaction

ROLLBACK; BEGIN READ ONLY; SELECT setval('numbers', 7)
----
ROLLBACK
BEGIN
ERROR 25006: cannot execute setval() in a read-only transaction

ROLLBACK
----
ROLLBACK

-- Read committed sees what others commit; repeatable read does not.
BEGIN ISOLATION LEVEL READ COMMITTED
----
BEGIN

SELECT v FROM t WHERE id = 1
----
v
1
SELECT 1

a:
UPDATE t SET v = 100 WHERE id = 1
----
UPDATE 1

b:
SELECT v FROM t WHERE id = 1
----
v
100
SELECT 1

COMMIT
----
COMMIT

BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v FROM t WHERE id = 1
----
BEGIN
v
100
SELECT 1

a:
UPDATE t SET v = 200 WHERE id = 1
----
UPDATE 1

b:
SELECT v FROM t WHERE id = 1
----
v
100
SELECT 1

UPDATE t SET v = 300 WHERE id = 1
----
ERROR 40001: could not serialize access due to concurrent update
HINT: The transaction might succeed if retried.

ROLLBACK
----
ROLLBACK

-- Prepared statements of SQL.
PREPARE q (int) AS SELECT v + $1 FROM t WHERE id = $1
----
PREPARE

EXECUTE q(1)
----
?column?
201
SELECT 1

EXECUTE nope(1)
----
ERROR 26000: prepared statement "nope" does not exist

DEALLOCATE q
----
DEALLOCATE

-- NOWAIT and SKIP LOCKED.
a:
BEGIN; SELECT v FROM t WHERE id = 1 FOR UPDATE
----
BEGIN
v
200
SELECT 1

b:
SELECT v FROM t WHERE id = 1 FOR UPDATE NOWAIT
----
ERROR 55P03: could not obtain lock on row

SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
----
id
2
4
SELECT 2

a:
ROLLBACK
----
ROLLBACK

-- States of the past.
a:
CREATE TABLE past (id int PRIMARY KEY, v int); INSERT INTO past VALUES (1, 10)
----
CREATE TABLE
INSERT 0 1

BEGIN AS OF SYSTEM TIME 1
----
BEGIN

SELECT 1
----
?column?
1
SELECT 1

INSERT INTO past VALUES (2, 20)
----
ERROR 42P01: relation "past" does not exist
POSITION: 13

ROLLBACK
----
ROLLBACK

SELECT * FROM past AS OF SYSTEM TIME 99999999999
----
ERROR 22023: transaction ID 99999999999 has not been handed out yet; the newest is 11

SELECT * FROM past AS OF SYSTEM TIME '2999-01-01'
----
ERROR 22023: AS OF SYSTEM TIME lies in the future

SELECT * FROM past AS OF SYSTEM TIME '1999-01-01'
----
ERROR 72000: no state of that time is kept
HINT: Read a newer state, or start the nodes with a longer --retention.

SELECT * FROM past AS OF SYSTEM TIME 'yesterday noon'
----
ERROR 22007: invalid input syntax for type timestamp with time zone: "yesterday noon"
POSITION: 38

SELECT * FROM past AS OF SYSTEM TIME 1
----
ERROR 42P01: relation "past" does not exist
POSITION: 15

BEGIN; SELECT v FROM past; SELECT v FROM past AS OF SYSTEM TIME 1
----
BEGIN
v
10
SELECT 1
ERROR 25001: AS OF SYSTEM TIME must be that of the whole transaction
HINT: Use BEGIN AS OF SYSTEM TIME, or run the query outside of the transaction.

ROLLBACK; SET SESSION CHARACTERISTICS AS TRANSACTION AS OF SYSTEM TIME 1
----
ROLLBACK
ERROR 0A000: AS OF SYSTEM TIME for all transactions of a session is not supported
HINT: Use BEGIN AS OF SYSTEM TIME.
