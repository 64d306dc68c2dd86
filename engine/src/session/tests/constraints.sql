CREATE TABLE p (a int, b int, name text UNIQUE, PRIMARY KEY (a, b))
----

CREATE TABLE c (id serial PRIMARY KEY, a int, b int, n int CHECK (n > 0), FOREIGN KEY (a, b) REFERENCES p (a, b))
----

INSERT INTO p VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, NULL), (2, 2, NULL)
----

INSERT INTO c (a, b, n) VALUES (1, 1, 5), (1, NULL, 6) RETURNING id
----

INSERT INTO c (a, b, n) VALUES (9, 9, 1)
----

INSERT INTO c (a, b, n) VALUES (1, 1, -1)
----

INSERT INTO p VALUES (3, 3, 'x')
----

DELETE FROM p WHERE a = 1 AND b = 1
----

UPDATE p SET b = 7 WHERE a = 1 AND b = 1
----

DELETE FROM p WHERE a = 1 AND b = 2
----

UPDATE c SET a = 2, b = 2 WHERE id = 1
----

DELETE FROM p WHERE a = 1
----

-- Upsert.
INSERT INTO p VALUES (2, 1, 'new') ON CONFLICT DO NOTHING
----

INSERT INTO p VALUES (2, 1, 'new'), (5, 5, 'five') ON CONFLICT (a, b) DO UPDATE SET name = excluded.name RETURNING *
----

INSERT INTO p VALUES (8, 8, 'five') ON CONFLICT (name) DO UPDATE SET a = p.a + 10
----

SELECT * FROM p ORDER BY a, b
----

-- Cascades.
CREATE TABLE g (id int PRIMARY KEY); CREATE TABLE h (id int PRIMARY KEY, g int REFERENCES g ON DELETE CASCADE ON UPDATE CASCADE); CREATE TABLE i (id int PRIMARY KEY, h int REFERENCES h ON DELETE SET NULL)
----

INSERT INTO g VALUES (1), (2); INSERT INTO h VALUES (10, 1), (20, 2); INSERT INTO i VALUES (100, 10), (200, 20)
----

UPDATE g SET id = 3 WHERE id = 2
----

DELETE FROM g WHERE id = 1
----

SELECT h.id, h.g, i.id, i.h FROM h FULL JOIN i ON i.h = h.id ORDER BY i.id
----

DROP TABLE g
----

TRUNCATE g
----

TRUNCATE g CASCADE
----

SELECT count(*) FROM i
----

DROP TABLE g CASCADE
----
