CREATE TABLE t (a int, b text)
----
CREATE TABLE

INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 5000) AS i
----
INSERT 0 5000

ALTER TABLE t ADD PRIMARY KEY (a)
----
ALTER TABLE

SELECT b FROM t WHERE a = 4711
----
b
row 4711
SELECT 1

CREATE INDEX t_b ON t (b)
----
CREATE INDEX

SELECT a FROM t WHERE b = 'row 42'
----
a
42
SELECT 1

ALTER TABLE t ADD COLUMN c int DEFAULT 7
----
ALTER TABLE

SELECT * FROM t WHERE a < 3 ORDER BY a
----
a | b | c
1 | row 1 | 7
2 | row 2 | 7
SELECT 2

ALTER TABLE t DROP COLUMN b
----
ALTER TABLE

SELECT * FROM t WHERE a = 1
----
a | c
1 | 7
SELECT 1

ALTER TABLE t ADD COLUMN d int NOT NULL
----
ERROR 23502: column "d" of relation "t" contains null values

ALTER TABLE t ADD CONSTRAINT t_c_key UNIQUE (c)
----
ERROR 23505: could not create unique index "t_c_key"
DETAIL: Key (c)=(7) is duplicated.

ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 5)
----
ERROR 23514: check constraint "positive" of relation "t" is violated by some row

-- DDL is transactional.
BEGIN; CREATE TABLE u (x int); INSERT INTO u VALUES (1); CREATE INDEX u_x ON u (x); SELECT * FROM u WHERE x = 1
----
BEGIN
CREATE TABLE
INSERT 0 1
CREATE INDEX
x
1
SELECT 1

b:
SELECT * FROM u
----
ERROR 42P01: relation "u" does not exist
POSITION: 15

a:
ROLLBACK
----
ROLLBACK

SELECT * FROM u
----
ERROR 42P01: relation "u" does not exist
POSITION: 15

CREATE TABLE v AS SELECT a, a * 2 AS twice FROM t WHERE a <= 3
----
SELECT 3

SELECT * FROM v ORDER BY a
----
a | twice
1 | 2
2 | 4
3 | 6
SELECT 3

TRUNCATE v
----
TRUNCATE TABLE

SELECT count(*) FROM v
----
count
0
SELECT 1

CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); INSERT INTO s.t VALUES (1); SELECT * FROM s.t
----
CREATE SCHEMA
CREATE TABLE
INSERT 0 1
id
1
SELECT 1

DROP SCHEMA s
----
ERROR 2BP01: cannot drop schema s because other objects depend on it
DETAIL: table s.t depends on schema s
HINT: Use DROP ... CASCADE to drop the dependent objects too.

DROP SCHEMA s CASCADE
----
DROP SCHEMA

CREATE DATABASE other
----
CREATE DATABASE

CREATE DATABASE other
----
ERROR 42P04: database "other" already exists
POSITION: 17

DROP DATABASE other
----
DROP DATABASE

CREATE SEQUENCE q START 10 INCREMENT 5
----
CREATE SEQUENCE

SELECT nextval('q'), nextval('q'), currval('q')
----
nextval | nextval | currval
10 | 15 | 15
SELECT 1

SELECT setval('q', 100); SELECT nextval('q')
----
setval
100
SELECT 1
nextval
105
SELECT 1

DROP SEQUENCE q
----
DROP SEQUENCE

-- COPY.
CREATE TABLE w (id int PRIMARY KEY, name text, n numeric(5,1))
----
CREATE TABLE

COPY w FROM STDIN
<<
1	one	1.25
2	\N	2
----
COPY 2

COPY w FROM STDIN WITH (FORMAT csv)
<<
3,"a,b",3
4,,
----
COPY 2

COPY w FROM STDIN
<<
5	x
----
ERROR 22P04: missing data for column "n"

COPY w TO STDOUT
----
COPY OUT of 3 columns
1	one	1.3
2	\N	2.0
3	a,b	3.0
4	\N	\N
COPY 4

COPY (SELECT id, name FROM w WHERE id > 2) TO STDOUT WITH (FORMAT csv, HEADER)
----
COPY OUT of 2 columns
id,name
3,"a,b"
4,
COPY 2
