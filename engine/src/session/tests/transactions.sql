-- Blocks.
CREATE TABLE t (id int PRIMARY KEY, v int)
----

BEGIN
----

INSERT INTO t VALUES (1, 1)
----

b:
SELECT * FROM t
----

a:
SELECT * FROM t
----

COMMIT
----

b:
SELECT * FROM t
----

-- A failed block only ends.
BEGIN
----

INSERT INTO t VALUES (1, 2)
----

SELECT 1
----

COMMIT
----

ROLLBACK
----

COMMIT
----

-- Savepoints.
BEGIN; INSERT INTO t VALUES (2, 2); SAVEPOINT s; INSERT INTO t VALUES (3, 3)
----

INSERT INTO t VALUES (1, 1)
----

ROLLBACK TO s
----

INSERT INTO t VALUES (4, 4)
----

COMMIT
----

SELECT * FROM t ORDER BY id
----

ROLLBACK TO nope
----

-- Settings follow the transaction.
BEGIN; SET LOCAL statement_timeout = 100; SHOW statement_timeout
----

ROLLBACK
----

SHOW statement_timeout
----

SET nope = 1
----

SHOW transaction_isolation
----

BEGIN ISOLATION LEVEL READ COMMITTED; SHOW transaction_isolation
----

COMMIT
----

BEGIN READ ONLY; INSERT INTO t VALUES (9, 9)
----

ROLLBACK
----

-- Read committed sees what others commit; repeatable read does not.
BEGIN ISOLATION LEVEL READ COMMITTED
----

SELECT v FROM t WHERE id = 1
----

a:
UPDATE t SET v = 100 WHERE id = 1
----

b:
SELECT v FROM t WHERE id = 1
----

COMMIT
----

BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v FROM t WHERE id = 1
----

a:
UPDATE t SET v = 200 WHERE id = 1
----

b:
SELECT v FROM t WHERE id = 1
----

UPDATE t SET v = 300 WHERE id = 1
----

ROLLBACK
----

-- Prepared statements of SQL.
PREPARE q (int) AS SELECT v + $1 FROM t WHERE id = $1
----

EXECUTE q(1)
----

EXECUTE nope(1)
----

DEALLOCATE q
----

-- NOWAIT and SKIP LOCKED.
a:
BEGIN; SELECT v FROM t WHERE id = 1 FOR UPDATE
----

b:
SELECT v FROM t WHERE id = 1 FOR UPDATE NOWAIT
----

SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
----

a:
ROLLBACK
----
