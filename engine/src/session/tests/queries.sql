CREATE TABLE o (id int PRIMARY KEY, customer int, total numeric(10,2), day date); CREATE TABLE c (id int PRIMARY KEY, name text)
----

INSERT INTO c VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy'); INSERT INTO o VALUES (1, 1, 10, '2024-01-01'), (2, 1, 20.50, '2024-01-02'), (3, 2, 5, '2024-01-02'), (4, NULL, 7, NULL)
----

SELECT c.name, o.total FROM c JOIN o ON o.customer = c.id ORDER BY o.id
----

SELECT c.name, count(o.id), sum(o.total) FROM c LEFT JOIN o ON o.customer = c.id GROUP BY c.name ORDER BY 1
----

SELECT c.name, sum(total) FROM c, o WHERE customer = c.id GROUP BY c.name HAVING sum(total) > 6
----

SELECT name FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.customer = c.id AND o.total > 15)
----

SELECT name FROM c WHERE id NOT IN (SELECT customer FROM o WHERE customer IS NOT NULL)
----

SELECT name, (SELECT max(total) FROM o WHERE o.customer = c.id) AS best FROM c ORDER BY name
----

SELECT id FROM o WHERE total > (SELECT avg(total) FROM o)
----

SELECT DISTINCT day FROM o ORDER BY day DESC
----

SELECT id FROM o UNION SELECT id FROM c ORDER BY id LIMIT 2 OFFSET 1
----

SELECT id FROM o EXCEPT SELECT id FROM c
----

WITH big AS (SELECT * FROM o WHERE total > 6) SELECT count(*) FROM big b1, big b2
----

SELECT count(DISTINCT day), string_agg(id::text, ',' ORDER BY id DESC), array_agg(total) FILTER (WHERE total > 6) FROM o
----

SELECT o.id, c.* FROM o RIGHT JOIN c ON c.id = o.customer AND o.total > 15 ORDER BY c.id
----

SELECT CASE WHEN total > 15 THEN 'much' WHEN total IS NULL THEN 'none' ELSE 'little' END, coalesce(customer, -1) FROM o ORDER BY id
----

SELECT i, j FROM generate_series(1, 2) AS i, LATERAL generate_series(1, i) AS j
----

SELECT 'abc' LIKE 'a%', 'abc' ~ '^b', substring('hello' from 2 for 3), position('l' in 'hello'), date_trunc('month', timestamp '2024-05-17 10:00:00'), extract(year from date '2024-05-17')
----

SELECT 5 / 2, 5 % 2, 5.0 / 2, 2 ^ 10, -7 / 2, 1::float8 / 3, round(2.567, 1), 10::bigint * 3
----

SELECT array[1,2,3], (array[1,2,3])[2], 2 = ANY (array[1,2]), unnest(array['a','b'])
----

UPDATE o SET total = total + 1 FROM c WHERE c.id = o.customer AND c.name = 'Ann' RETURNING o.id, o.total, c.name
----

DELETE FROM o USING c WHERE c.id = o.customer AND c.name = 'Bob'
----

SELECT id FROM o ORDER BY total DESC NULLS LAST LIMIT 2
----

SELECT max(id), min(id) FROM o
----

VALUES (1, 'a'), (2, 'b')
----
