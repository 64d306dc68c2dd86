-- A prepared transaction belongs to nobody.
CREATE TABLE t (id int PRIMARY KEY, v int)
----
CREATE TABLE

ALTER TABLE t SPLIT AT VALUES (100)
----
ALTER TABLE

INSERT INTO t VALUES (1, 1), (101, 1), (102, 1)
----
INSERT 0 3

BEGIN
----
BEGIN

UPDATE t SET v = 2 WHERE id IN (1, 101)
----
UPDATE 2

PREPARE TRANSACTION 'one'
----
PREPARE TRANSACTION

SELECT gid, owner, database, transaction IS NOT NULL AS xid, prepared <= now() AS past FROM pg_prepared_xacts
----
gid | owner | database | xid | past
one | postgres | postgres | t | t
SELECT 1

SELECT state, keys, gid FROM quorate.in_doubt ORDER BY range_id
----
state | keys | gid
prepared | 1 | one
prepared | 1 | one
SELECT 2

-- Others read and write what it has not written; its own rows make them wait.
b:
SELECT * FROM t WHERE id = 102
----
id | v
102 | 1
SELECT 1

SET statement_timeout = 300
----
SET

SELECT * FROM t WHERE id = 1
----
ERROR 57014: canceling statement due to statement timeout

UPDATE t SET v = 3 WHERE id = 101
----
ERROR 57014: canceling statement due to statement timeout

-- Its name is in use until it is finished, and a failed PREPARE ends the block.
BEGIN; INSERT INTO t VALUES (2, 2); PREPARE TRANSACTION 'one'
----
BEGIN
INSERT 0 1
ERROR 42710: transaction identifier "one" is already in use

SHOW transaction_isolation
----
transaction_isolation
serializable
SHOW

INSERT INTO t VALUES (2, 3)
----
INSERT 0 1

COMMIT PREPARED 'one'
----
COMMIT PREPARED

SELECT * FROM t ORDER BY id
----
id | v
1 | 2
2 | 3
101 | 2
102 | 1
SELECT 4

SELECT count(*) FROM pg_prepared_xacts
----
count
0
SELECT 1

-- What is finished does not exist.
COMMIT PREPARED 'one'
----
ERROR 42704: prepared transaction with identifier "one" does not exist

ROLLBACK PREPARED 'one'
----
ERROR 42704: prepared transaction with identifier "one" does not exist

ROLLBACK PREPARED 'never was'
----
ERROR 42704: prepared transaction with identifier "never was" does not exist

-- Rolled back; the name is free again.
a:
BEGIN; DELETE FROM t; PREPARE TRANSACTION 'one'
----
BEGIN
DELETE 4
PREPARE TRANSACTION

b:
ROLLBACK PREPARED 'one'
----
ROLLBACK PREPARED

SELECT count(*) FROM t
----
count
4
SELECT 1

-- One that wrote nothing is kept all the same.
BEGIN; SELECT count(*) FROM t; PREPARE TRANSACTION 'reader'
----
BEGIN
count
4
SELECT 1
PREPARE TRANSACTION

BEGIN; PREPARE TRANSACTION ''
----
BEGIN
PREPARE TRANSACTION

SELECT gid FROM pg_prepared_xacts ORDER BY gid
----
gid
(blank)
reader
SELECT 2

COMMIT PREPARED 'reader'
----
COMMIT PREPARED

ROLLBACK PREPARED ''
----
ROLLBACK PREPARED

-- Outside of a block, and in one that failed.
PREPARE TRANSACTION 'none'
----
WARNING: there is no transaction in progress
ROLLBACK

BEGIN
----
BEGIN

SELECT 1 / 0
----
ERROR 22012: division by zero

COMMIT PREPARED 'one'
----
ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block

PREPARE TRANSACTION 'failed'
----
ROLLBACK

SELECT gid FROM pg_prepared_xacts
----
gid
SELECT 0

-- Not inside of a block.
BEGIN
----
BEGIN

COMMIT PREPARED 'one'
----
ERROR 25001: COMMIT PREPARED cannot run inside a transaction block

ROLLBACK
----
ROLLBACK

BEGIN
----
BEGIN

ROLLBACK PREPARED 'one'
----
ERROR 25001: ROLLBACK PREPARED cannot run inside a transaction block

ROLLBACK
----
ROLLBACK

-- Names have 199 bytes at most.
BEGIN; PREPARE TRANSACTION 'ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg'
----
BEGIN
PREPARE TRANSACTION

ROLLBACK PREPARED 'ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg'
----
ROLLBACK PREPARED

BEGIN; PREPARE TRANSACTION 'gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg'
----
BEGIN
ERROR 22023: transaction identifier "gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg" is too long
HINT: Use 199 bytes at most.

COMMIT PREPARED 'gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg'
----
ERROR 42704: prepared transaction with identifier "gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg" does not exist

-- The catalog changes at once or not at all.
BEGIN; CREATE TABLE u (id int); PREPARE TRANSACTION 'ddl'
----
BEGIN
CREATE TABLE
ERROR 0A000: cannot PREPARE a transaction that has changed the catalog
HINT: COMMIT it instead, and prepare a transaction that changes rows only.

SELECT * FROM u
----
ERROR 42P01: relation "u" does not exist
POSITION: 15

CREATE DATABASE other
----
CREATE DATABASE

-- Settings are those of a commit.
BEGIN; INSERT INTO t VALUES (103, 1); SET LOCAL application_name = 'x'; PREPARE TRANSACTION 'set'
----
BEGIN
INSERT 0 1
SET
PREPARE TRANSACTION

SHOW application_name
----
application_name
(blank)
SHOW

-- A range is not split through it.
BEGIN; INSERT INTO t VALUES (3, 1), (9, 1); PREPARE TRANSACTION 'astride'
----
BEGIN
INSERT 0 2
PREPARE TRANSACTION

ALTER TABLE t SPLIT AT VALUES (5)
----
ERROR 55006: a prepared transaction has written on both sides of the split
HINT: Finish it first: see pg_prepared_xacts and quorate.in_doubt.

ROLLBACK PREPARED 'astride'
----
ROLLBACK PREPARED

ALTER TABLE t SPLIT AT VALUES (5)
----
ALTER TABLE

ROLLBACK PREPARED 'set'
----
ROLLBACK PREPARED

SELECT count(*) FROM t, quorate.in_doubt
----
count
0
SELECT 1
