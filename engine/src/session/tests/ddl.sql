CREATE TABLE t (a int, b text)
----

INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 5000) AS i
----

ALTER TABLE t ADD PRIMARY KEY (a)
----

SELECT b FROM t WHERE a = 4711
----

CREATE INDEX t_b ON t (b)
----

SELECT a FROM t WHERE b = 'row 42'
----

ALTER TABLE t ADD COLUMN c int DEFAULT 7
----

SELECT * FROM t WHERE a < 3 ORDER BY a
----

ALTER TABLE t DROP COLUMN b
----

SELECT * FROM t WHERE a = 1
----

ALTER TABLE t ADD COLUMN d int NOT NULL
----

ALTER TABLE t ADD CONSTRAINT t_c_key UNIQUE (c)
----

ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 5)
----

-- DDL is transactional.
BEGIN; CREATE TABLE u (x int); INSERT INTO u VALUES (1); CREATE INDEX u_x ON u (x); SELECT * FROM u WHERE x = 1
----

b:
SELECT * FROM u
----

a:
ROLLBACK
----

SELECT * FROM u
----

CREATE TABLE v AS SELECT a, a * 2 AS twice FROM t WHERE a <= 3
----

SELECT * FROM v ORDER BY a
----

TRUNCATE v
----

SELECT count(*) FROM v
----

CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); INSERT INTO s.t VALUES (1); SELECT * FROM s.t
----

DROP SCHEMA s
----

DROP SCHEMA s CASCADE
----

CREATE DATABASE other
----

CREATE DATABASE other
----

DROP DATABASE other
----

CREATE SEQUENCE q START 10 INCREMENT 5
----

SELECT nextval('q'), nextval('q'), currval('q')
----

SELECT setval('q', 100); SELECT nextval('q')
----

DROP SEQUENCE q
----

-- COPY.
CREATE TABLE w (id int PRIMARY KEY, name text, n numeric(5,1))
----

COPY w FROM STDIN
<<
1	one	1.25
2	\N	2
----

COPY w FROM STDIN WITH (FORMAT csv)
<<
3,"a,b",3
4,,
----

COPY w FROM STDIN
<<
5	x
----

COPY w TO STDOUT
----

COPY (SELECT id, name FROM w WHERE id > 2) TO STDOUT WITH (FORMAT csv, HEADER)
----
