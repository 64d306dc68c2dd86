CREATE TABLE o (id int PRIMARY KEY, customer int, total numeric(10,2), day date); CREATE TABLE c (id int PRIMARY KEY, name text)
----
CREATE TABLE
CREATE TABLE

INSERT INTO c VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy'); INSERT INTO o VALUES (1, 1, 10, '2024-01-01'), (2, 1, 20.50, '2024-01-02'), (3, 2, 5, '2024-01-02'), (4, NULL, 7, NULL)
----
INSERT 0 3
INSERT 0 4

SELECT c.name, o.total FROM c JOIN o ON o.customer = c.id ORDER BY o.id
----
name | total
Ann | 10.00
Ann | 20.50
Bob | 5.00
SELECT 3

SELECT c.name, count(o.id), sum(o.total) FROM c LEFT JOIN o ON o.customer = c.id GROUP BY c.name ORDER BY 1
----
name | count | sum
Ann | 2 | 30.50
Bob | 1 | 5.00
Cy | 0 | NULL
SELECT 3

SELECT c.name, sum(total) FROM c, o WHERE customer = c.id GROUP BY c.name HAVING sum(total) > 6
----
name | sum
Ann | 30.50
SELECT 1

SELECT name FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.customer = c.id AND o.total > 15)
----
name
Ann
SELECT 1

SELECT name FROM c WHERE id NOT IN (SELECT customer FROM o WHERE customer IS NOT NULL)
----
name
Cy
SELECT 1

SELECT name, (SELECT max(total) FROM o WHERE o.customer = c.id) AS best FROM c ORDER BY name
----
name | best
Ann | 20.50
Bob | 5.00
Cy | NULL
SELECT 3

SELECT id FROM o WHERE total > (SELECT avg(total) FROM o)
----
id
2
SELECT 1

SELECT DISTINCT day FROM o ORDER BY day DESC
----
day
NULL
2024-01-02
2024-01-01
SELECT 3

SELECT id FROM o UNION SELECT id FROM c ORDER BY id LIMIT 2 OFFSET 1
----
id
2
3
SELECT 2

SELECT id FROM o EXCEPT SELECT id FROM c
----
id
4
SELECT 1

WITH big AS (SELECT * FROM o WHERE total > 6) SELECT count(*) FROM big b1, big b2
----
count
9
SELECT 1

SELECT count(DISTINCT day), string_agg(id::text, ',' ORDER BY id DESC), array_agg(total) FILTER (WHERE total > 6) FROM o
----
count | string_agg | array_agg
2 | 4,3,2,1 | {10.00,20.50,7.00}
SELECT 1

SELECT o.id, c.* FROM o RIGHT JOIN c ON c.id = o.customer AND o.total > 15 ORDER BY c.id
----
id | id | name
2 | 1 | Ann
NULL | 2 | Bob
NULL | 3 | Cy
SELECT 3

SELECT CASE WHEN total > 15 THEN 'much' WHEN total IS NULL THEN 'none' ELSE 'little' END, coalesce(customer, -1) FROM o ORDER BY id
----
case | coalesce
little | 1
much | 1
little | 2
little | -1
SELECT 4

SELECT i, j FROM generate_series(1, 2) AS i, LATERAL generate_series(1, i) AS j
----
i | j
1 | 1
2 | 1
2 | 2
SELECT 3

SELECT 'abc' LIKE 'a%', 'abc' ~ '^b', substring('hello' from 2 for 3), position('l' in 'hello'), date_trunc('month', timestamp '2024-05-17 10:00:00'), extract(year from date '2024-05-17')
----
?column? | ?column? | substring | position | date_trunc | extract
t | f | ell | 3 | 2024-05-01 00:00:00 | 2024
SELECT 1

SELECT 5 / 2, 5 % 2, 5.0 / 2, 2 ^ 10, -7 / 2, 1::float8 / 3, round(2.567, 1), 10::bigint * 3
----
?column? | ?column? | ?column? | ?column? | ?column? | ?column? | round | ?column?
2 | 1 | 2.5000000000000000 | 1024 | -3 | 0.3333333333333333 | 2.6 | 30
SELECT 1

SELECT array[1,2,3], (array[1,2,3])[2], 2 = ANY (array[1,2]), unnest(array['a','b'])
----
array | array | ?column? | unnest
{1,2,3} | 2 | t | a
{1,2,3} | 2 | t | b
SELECT 2

UPDATE o SET total = total + 1 FROM c WHERE c.id = o.customer AND c.name = 'Ann' RETURNING o.id, o.total, c.name
----
id | total | name
1 | 11.00 | Ann
2 | 21.50 | Ann
UPDATE 2

DELETE FROM o USING c WHERE c.id = o.customer AND c.name = 'Bob'
----
DELETE 1

SELECT id FROM o ORDER BY total DESC NULLS LAST LIMIT 2
----
id
2
1
SELECT 2

SELECT max(id), min(id) FROM o
----
max | min
4 | 1
SELECT 1

VALUES (1, 'a'), (2, 'b')
----
column1 | column2
1 | a
2 | b
SELECT 2
