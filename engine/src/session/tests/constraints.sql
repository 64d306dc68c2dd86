CREATE TABLE p (a int, b int, name text UNIQUE, PRIMARY KEY (a, b))
----
CREATE TABLE

CREATE TABLE c (id serial PRIMARY KEY, a int, b int, n int CHECK (n > 0), FOREIGN KEY (a, b) REFERENCES p (a, b))
----
CREATE TABLE

INSERT INTO p VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, NULL), (2, 2, NULL)
----
INSERT 0 4

INSERT INTO c (a, b, n) VALUES (1, 1, 5), (1, NULL, 6) RETURNING id
----
id
1
2
INSERT 0 2

INSERT INTO c (a, b, n) VALUES (9, 9, 1)
----
ERROR 23503: insert or update on table "c" violates foreign key constraint "c_a_b_fkey"
DETAIL: Key (a, b)=(9, 9) is not present in table "p".

INSERT INTO c (a, b, n) VALUES (1, 1, -1)
----
ERROR 23514: new row for relation "c" violates check constraint "c_n_check"
DETAIL: Failing row contains (4, 1, 1, -1).

INSERT INTO p VALUES (3, 3, 'x')
----
ERROR 23505: duplicate key value violates unique constraint "p_name_key"
DETAIL: Key (name)=(x) already exists.

DELETE FROM p WHERE a = 1 AND b = 1
----
ERROR 23503: update or delete on table "p" violates foreign key constraint "c_a_b_fkey" on table "c"
DETAIL: Key (a, b)=(1, 1) is still referenced from table "c".

UPDATE p SET b = 7 WHERE a = 1 AND b = 1
----
ERROR 23503: update or delete on table "p" violates foreign key constraint "c_a_b_fkey" on table "c"
DETAIL: Key (a, b)=(1, 1) is still referenced from table "c".

DELETE FROM p WHERE a = 1 AND b = 2
----
DELETE 1

UPDATE c SET a = 2, b = 2 WHERE id = 1
----
UPDATE 1

DELETE FROM p WHERE a = 1
----
DELETE 1

-- Upsert.
INSERT INTO p VALUES (2, 1, 'new') ON CONFLICT DO NOTHING
----
INSERT 0 0

INSERT INTO p VALUES (2, 1, 'new'), (5, 5, 'five') ON CONFLICT (a, b) DO UPDATE SET name = excluded.name RETURNING *
----
a | b | name
2 | 1 | new
5 | 5 | five
INSERT 0 2

INSERT INTO p VALUES (8, 8, 'five') ON CONFLICT (name) DO UPDATE SET a = p.a + 10
----
INSERT 0 1

SELECT * FROM p ORDER BY a, b
----
a | b | name
2 | 1 | new
2 | 2 | NULL
15 | 5 | five
SELECT 3

-- Cascades.
CREATE TABLE g (id int PRIMARY KEY); CREATE TABLE h (id int PRIMARY KEY, g int REFERENCES g ON DELETE CASCADE ON UPDATE CASCADE); CREATE TABLE i (id int PRIMARY KEY, h int REFERENCES h ON DELETE SET NULL)
----
CREATE TABLE
CREATE TABLE
CREATE TABLE

INSERT INTO g VALUES (1), (2); INSERT INTO h VALUES (10, 1), (20, 2); INSERT INTO i VALUES (100, 10), (200, 20)
----
INSERT 0 2
INSERT 0 2
INSERT 0 2

UPDATE g SET id = 3 WHERE id = 2
----
UPDATE 1

DELETE FROM g WHERE id = 1
----
DELETE 1

SELECT h.id, h.g, i.id, i.h FROM h FULL JOIN i ON i.h = h.id ORDER BY i.id
----
id | g | id | h
NULL | NULL | 100 | NULL
20 | 3 | 200 | 20
SELECT 2

DROP TABLE g
----
ERROR 2BP01: cannot drop table g because other objects depend on it
DETAIL: constraint h_g_fkey on table h depends on table g
HINT: Use DROP ... CASCADE to drop the dependent objects too.

TRUNCATE g
----
ERROR 0A000: cannot truncate a table referenced in a foreign key constraint
DETAIL: Table "h" references "g".
HINT: Truncate table "h" at the same time, or use TRUNCATE ... CASCADE.

TRUNCATE g CASCADE
----
NOTICE: truncate cascades to table "h"
NOTICE: truncate cascades to table "i"
TRUNCATE TABLE

SELECT count(*) FROM i
----
count
0
SELECT 1

DROP TABLE g CASCADE
----
DROP TABLE
