-- Rows come and go.
CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, amount numeric(10,2) DEFAULT 1.5)
----

INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20.5), (3, 'three', NULL)
----

INSERT INTO t (id, name) VALUES (4, 'four') RETURNING *
----

SELECT * FROM t ORDER BY id
----

SELECT id, name FROM t WHERE id = 2
----

SELECT count(*), sum(amount), avg(amount), min(name), max(id) FROM t
----

UPDATE t SET amount = amount * 2, name = upper(name) WHERE id >= 2 RETURNING id, name, amount
----

DELETE FROM t WHERE id IN (1, 3)
----

SELECT * FROM t ORDER BY id DESC
----

-- Constraints.
INSERT INTO t VALUES (2, 'again')
----

INSERT INTO t VALUES (5, NULL)
----

INSERT INTO t VALUES ('x', 'y')
----

SELECT 1/0
----

SELECT * FROM tt
----

SELECT nme FROM t
----

SELCT 1
----

-- Several statements share a transaction.
INSERT INTO t VALUES (6, 'six'); INSERT INTO t VALUES (6, 'six again')
----

SELECT count(*) FROM t WHERE id = 6
----

SELECT 1 AS a; SELECT 'x' AS b
----

DROP TABLE t
----

DROP TABLE t
----

DROP TABLE IF EXISTS t
----
