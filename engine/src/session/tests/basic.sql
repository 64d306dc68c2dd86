-- Rows come and go.
CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, amount numeric(10,2) DEFAULT 1.5)
----
CREATE TABLE

INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20.5), (3, 'three', NULL)
----
INSERT 0 3

INSERT INTO t (id, name) VALUES (4, 'four') RETURNING *
----
id | name | amount
4 | four | 1.50
INSERT 0 1

SELECT * FROM t ORDER BY id
----
id | name | amount
1 | one | 10.00
2 | two | 20.50
3 | three | NULL
4 | four | 1.50
SELECT 4

SELECT id, name FROM t WHERE id = 2
----
id | name
2 | two
SELECT 1

SELECT count(*), sum(amount), avg(amount), min(name), max(id) FROM t
----
count | sum | avg | min | max
4 | 32.00 | 10.6666666666666667 | four | 4
SELECT 1

UPDATE t SET amount = amount * 2, name = upper(name) WHERE id >= 2 RETURNING id, name, amount
----
id | name | amount
2 | TWO | 41.00
3 | THREE | NULL
4 | FOUR | 3.00
UPDATE 3

DELETE FROM t WHERE id IN (1, 3)
----
DELETE 2

SELECT * FROM t ORDER BY id DESC
----
id | name | amount
4 | FOUR | 3.00
2 | TWO | 41.00
SELECT 2

-- Constraints.
INSERT INTO t VALUES (2, 'again')
----
ERROR 23505: duplicate key value violates unique constraint "t_pkey"
DETAIL: Key (id)=(2) already exists.

INSERT INTO t VALUES (5, NULL)
----
ERROR 23502: null value in column "name" of relation "t" violates not-null constraint
DETAIL: Failing row contains (5, null, 1.50).

INSERT INTO t VALUES ('x', 'y')
----
ERROR 22P02: invalid input syntax for type integer: "x"
POSITION: 23

SELECT 1/0
----
ERROR 22012: division by zero

SELECT * FROM tt
----
ERROR 42P01: relation "tt" does not exist
POSITION: 15

SELECT nme FROM t
----
ERROR 42703: column "nme" does not exist
POSITION: 8
HINT: Perhaps you meant to reference the column "t.name".

SELCT 1
----
ERROR 42601: syntax error at or near "SELCT"
POSITION: 1
HINT: Did you mean "SELECT"?

-- Several statements share a transaction.
INSERT INTO t VALUES (6, 'six'); INSERT INTO t VALUES (6, 'six again')
----
INSERT 0 1
ERROR 23505: duplicate key value violates unique constraint "t_pkey"
DETAIL: Key (id)=(6) already exists.

SELECT count(*) FROM t WHERE id = 6
----
count
0
SELECT 1

SELECT 1 AS a; SELECT 'x' AS b
----
a
1
SELECT 1
b
x
SELECT 1

DROP TABLE t
----
DROP TABLE

DROP TABLE t
----
ERROR 42P01: table "t" does not exist
POSITION: 12

DROP TABLE IF EXISTS t
----
NOTICE: table "t" does not exist, skipping
DROP TABLE
