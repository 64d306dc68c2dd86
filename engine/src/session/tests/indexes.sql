-- Composite keys: prefixes, ranges, both directions.
CREATE TABLE t (a int, b int, c text, d numeric(8,2), PRIMARY KEY (a, b DESC)); CREATE INDEX t_c ON t (c, d DESC); CREATE INDEX t_d ON t (d)
----
CREATE TABLE
CREATE INDEX
CREATE INDEX

INSERT INTO t SELECT i / 10, i % 10, CASE WHEN i % 4 = 0 THEN NULL ELSE 'c' || i % 3 END, CASE WHEN i % 5 = 0 THEN NULL ELSE i * 1.5 END FROM generate_series(0, 99) AS i
----
INSERT 0 100

SELECT b FROM t WHERE a = 3 ORDER BY b DESC LIMIT 3
----
b
9
8
7
SELECT 3

SELECT b FROM t WHERE a = 3 ORDER BY b LIMIT 3
----
b
0
1
2
SELECT 3

SELECT a, b FROM t WHERE a = 3 AND b > 2 AND b <= 5
----
a | b
3 | 5
3 | 4
3 | 3
SELECT 3

SELECT a, b FROM t WHERE a > 8 AND b < 2 ORDER BY a, b
----
a | b
9 | 0
9 | 1
SELECT 2

SELECT count(*) FROM t WHERE a IN (1, 3, 5, 3)
----
count
30
SELECT 1

SELECT a, b FROM t WHERE (a, b) IN ((1, 1), (2, 2), (99, 1)) ORDER BY a
----
a | b
1 | 1
2 | 2
SELECT 2

-- NULLs are outside of ranges and equalities.
SELECT count(*) FROM t WHERE d > 100
----
count
27
SELECT 1

SELECT count(*) FROM t WHERE d <= 100
----
count
53
SELECT 1

SELECT count(*) FROM t WHERE d IS NULL
----
count
20
SELECT 1

SELECT d FROM t WHERE d < 7 ORDER BY d DESC
----
d
6.00
4.50
3.00
1.50
SELECT 4

SELECT d FROM t ORDER BY d DESC LIMIT 2
----
d
NULL
NULL
SELECT 2

SELECT d FROM t ORDER BY d NULLS FIRST LIMIT 1
----
d
NULL
SELECT 1

SELECT c, d FROM t WHERE c = 'c1' AND d > 130 ORDER BY d DESC
----
c | d
c1 | 145.50
c1 | 141.00
c1 | 136.50
SELECT 3

SELECT c, d FROM t WHERE c = 'c1' AND d < 20 ORDER BY d
----
c | d
c1 | 1.50
c1 | 10.50
c1 | 19.50
SELECT 3

SELECT max(d), min(d) FROM t WHERE c = 'c2'
----
max | min
147.00 | 3.00
SELECT 1

-- Changes keep the indexes true.
UPDATE t SET c = 'new', d = d + 1000 WHERE a = 3 AND d IS NOT NULL
----
UPDATE 8

SELECT count(*) FROM t WHERE c = 'new' AND d > 1000
----
count
8
SELECT 1

UPDATE t SET a = a + 100 WHERE a = 3
----
UPDATE 10

SELECT count(*) FROM t WHERE c = 'new' AND a = 103
----
count
8
SELECT 1

DELETE FROM t WHERE c = 'new'
----
DELETE 8

SELECT count(*) FROM t WHERE d > 1000
----
count
0
SELECT 1

DROP INDEX t_c
----
DROP INDEX

SELECT count(*) FROM t WHERE c = 'c1'
----
count
22
SELECT 1

EXPLAIN (COSTS OFF) SELECT b FROM t WHERE a = 3 ORDER BY b LIMIT 1 FOR UPDATE
----
QUERY PLAN
Limit
  ->  Index Scan Backward using t_pkey on t
        Index Cond: (a = 3)
        Limit: 1
        Lock: FOR UPDATE
EXPLAIN

-- Lookups.
CREATE TABLE s (id int PRIMARY KEY, a int, b int); INSERT INTO s VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3), (4, 77, 7)
----
CREATE TABLE
INSERT 0 4

SELECT s.id, t.d FROM s JOIN t ON t.a = s.a AND t.b = s.b ORDER BY s.id
----
id | d
1 | 16.50
2 | 33.00
SELECT 2

SELECT s.id, t.d FROM s LEFT JOIN t ON t.a = s.a AND t.b = s.b ORDER BY s.id
----
id | d
1 | 16.50
2 | 33.00
3 | NULL
4 | NULL
SELECT 4

SELECT s.id, count(*) FROM s, t WHERE t.a = s.a GROUP BY s.id ORDER BY s.id
----
id | count
1 | 10
2 | 10
SELECT 2

SELECT id FROM s WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.a = s.a) ORDER BY id
----
id
3
4
SELECT 2

-- Lists of values read by points: IN, OR, ANY, with repetitions and NULLs among them.
CREATE TABLE points (id int PRIMARY KEY, k int, name text)
----
CREATE TABLE

CREATE INDEX points_k ON points (k)
----
CREATE INDEX

INSERT INTO points SELECT i, i % 5, 'n' || i FROM generate_series(1, 20) AS i
----
INSERT 0 20

SELECT id, name FROM points WHERE id IN (7, 3, 7, NULL, 99)
----
id | name
3 | n3
7 | n7
SELECT 2

SELECT id FROM points WHERE id = 4 OR 2 = id OR id IN (9, 11) ORDER BY id DESC
----
id
11
9
4
2
SELECT 4

SELECT id, name FROM points WHERE k IN (4, 0) ORDER BY id LIMIT 3
----
id | name
4 | n4
5 | n5
9 | n9
SELECT 3

PREPARE by_id (int[]) AS SELECT id, name FROM points WHERE id = ANY ($1)
----
PREPARE

EXECUTE by_id ('{5,1,NULL,5,77}')
----
id | name
1 | n1
5 | n5
SELECT 2

EXECUTE by_id ('{}')
----
id | name
SELECT 0

EXECUTE by_id (NULL)
----
id | name
SELECT 0

PREPARE by_k (bigint[]) AS SELECT count(*), min(id) FROM points WHERE k = ANY ($1)
----
PREPARE

EXECUTE by_k ('{1,2}')
----
count | min
8 | 1
SELECT 1

EXPLAIN (COSTS OFF) SELECT name FROM points WHERE k IN (1, 2, 3)
----
QUERY PLAN
Index Scan using points_k on points
  Index Cond: ((k = 1) OR (k = 2) OR (k = 3))
EXPLAIN

UPDATE points SET name = 'hit' WHERE id = ANY ('{1,2}'::int[])
----
UPDATE 2

DELETE FROM points WHERE k = 1 OR k = 2
----
DELETE 8

SELECT count(*) FROM points
----
count
12
SELECT 1

-- Most of a long key finds few rows: a join looks the lines up rather than reading all of them.
CREATE TABLE orders (w int, d int, o int, customer int, PRIMARY KEY (w, d, o)); CREATE INDEX orders_customer ON orders (w, d, customer, o); CREATE TABLE line (w int, d int, o int, n int, amount int, PRIMARY KEY (w, d, o, n))
----
CREATE TABLE
CREATE INDEX
CREATE TABLE

EXPLAIN (COSTS OFF) SELECT sum(amount) FROM orders, line WHERE line.w = orders.w AND line.d = orders.d AND line.o = orders.o AND orders.w = 1 AND orders.d = 2 AND customer = 3
----
QUERY PLAN
Aggregate
  ->  Lookup Join using line_pkey on line
        Index Cond: ((w = w) AND (d = d) AND (o = o))
        ->  Index Only Scan using orders_customer on orders
              Index Cond: ((w = 1) AND (d = 2) AND (customer = 3))
EXPLAIN
