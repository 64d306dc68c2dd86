SELECT upper('aß'), initcap('hello wORLD'), lpad('7', 3, '0'), trim(both 'x' from 'xxaxx'), replace('abcabc', 'b', ''), split_part('a.b.c', '.', 2), reverse('abc'), left('hello', 2), right('hello', -2), md5('a')
----
upper | initcap | lpad | btrim | replace | split_part | reverse | left | right | md5
Aß | Hello World | 007 | a | acac | b | cba | he | llo | 0cc175b9c0f1b6a831c399e269772661
SELECT 1

SELECT concat('a', NULL, 1, true), concat_ws('-', 'a', NULL, 'b'), format('%s is %I', 'x', 'Y z'), repeat('ab', 3), length('häß'), octet_length('häß'), chr(65), ascii('A'), to_hex(255)
----
concat | concat_ws | format | repeat | length | octet_length | chr | ascii | to_hex
a1t | a-b | x is "Y z" | ababab | 3 | 5 | A | 65 | ff
SELECT 1

SELECT abs(-5), ceil(1.2), floor(-1.2), trunc(1.29, 1), sqrt(16), power(2, 10), mod(7, 3), sign(-2.5), greatest(1, NULL, 3), least(2, 1), nullif(1, 1)
----
abs | ceil | floor | trunc | sqrt | power | mod | sign | greatest | least | nullif
5 | 2 | -2 | 1.2 | 4 | 1024 | 1 | -1 | 3 | 1 | NULL
SELECT 1

SELECT sqrt(-1)
----
ERROR 2201F: cannot take square root of a negative number

SELECT date '2024-02-28' + 2, date '2024-03-01' - date '2024-02-01', timestamp '2024-01-31 10:00' + interval '1 month', age(timestamp '2024-05-17', timestamp '2020-01-20'), to_char(timestamp '2024-05-07 15:04:05', 'YYYY-MM-DD HH12:MI:SS AM Mon'), to_date('17/05/2024', 'DD/MM/YYYY'), make_date(2024, 2, 29)
----
?column? | ?column? | ?column? | age | to_char | to_date | make_date
2024-03-01 | 29 | 2024-02-29 10:00:00 | 4 years 3 mons 28 days | 2024-05-07 03:04:05 PM May | 2024-05-17 | 2024-02-29
SELECT 1

SELECT to_char(1234.5, '9,999.99'), to_char(-7, 'FM000'), to_number('$1,234.50', '9999')
----
to_char | to_char | to_number
 1,234.50 | -007 | 1234.50
SELECT 1

SELECT extract(dow from date '2024-05-17'), extract(epoch from interval '1 day'), date_part('hour', time '10:30'), timestamptz '2024-05-17 12:00+02' AT TIME ZONE 'UTC'
----
extract | extract | date_part | timezone
5 | 86400.000000 | 10 | 2024-05-17 10:00:00
SELECT 1

SELECT array_length(array[1,2,3], 1), array_to_string(array['a', NULL, 'b'], ',', '?'), string_to_array('1,2,3', ',')::int[], array_append(array[1], 2), 3 = ANY('{1,2,3}'::int[]), array_position(array['x','y'], 'y')
----
array_length | array_to_string | string_to_array | array_append | ?column? | array_position
3 | a,?,b | {1,2,3} | {1,2} | t | 2
SELECT 1

SELECT '{"a": [1, {"b": null}]}'::jsonb -> 'a' -> 0, '{"a": "x"}'::json ->> 'a', jsonb_build_object('k', 1, 'l', array[1,2]), '{"a":1,"b":2}'::jsonb @> '{"b":2}'
----
?column? | ?column? | jsonb_build_object | ?column?
1 | x | {"k": 1, "l": [1, 2]} | t
SELECT 1

SELECT regexp_replace('hello world', '(\w+) (\w+)', '\2 \1'), regexp_match('abc123', '[0-9]+'), 'Hello' ~* '^h', regexp_split_to_array('a1b2c', '[0-9]')
----
regexp_replace | regexp_match | ?column? | regexp_split_to_array
world hello | {123} | t | {a,b,c}
SELECT 1

SELECT 'abc' ~ '('
----
ERROR 2201B: invalid regular expression: unclosed group

-- Three-valued logic.
SELECT NULL AND false, NULL OR true, NULL = NULL, NULL IS NOT DISTINCT FROM NULL, 1 IN (2, NULL), 1 NOT IN (2, NULL), NOT NULL::bool, (1, NULL) = (1, 2), (1, NULL) = (2, 2)
----
?column? | ?column? | ?column? | ?column? | ?column? | ?column? | ?column? | ?column? | ?column?
f | t | NULL | t | NULL | NULL | NULL | NULL | f
SELECT 1

SELECT coalesce(NULL, 2), CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'c' END, CASE WHEN 1 = 2 THEN 1 END
----
coalesce | case | case
2 | c | NULL
SELECT 1

SELECT 2147483647 + 1
----
ERROR 22003: integer out of range

SELECT 2147483647::bigint + 1, 9223372036854775807::numeric + 1
----
?column? | ?column?
2147483648 | 9223372036854775808
SELECT 1

SELECT 'abc'::int
----
ERROR 22P02: invalid input syntax for type integer: "abc"
POSITION: 8

SELECT 'toolong'::varchar(3), 'ab'::char(4) || '|', 12.345::numeric(4,1)
----
varchar | ?column? | numeric
too | ab| | 12.3
SELECT 1

SELECT 1234.5::numeric(4,2)
----
ERROR 22003: numeric field overflow
DETAIL: A field with precision 4, scale 2 must round to an absolute value less than 10^2.

-- Aggregates.
SELECT count(*), sum(x), avg(x), stddev(x), bool_and(x > 0), bool_or(x > 2), array_agg(x ORDER BY x DESC), json_agg(x) FROM generate_series(1, 3) AS x
----
count | sum | avg | stddev | bool_and | bool_or | array_agg | json_agg
3 | 6 | 2.0000000000000000 | 1.00000000000000000000 | t | t | {3,2,1} | [1, 2, 3]
SELECT 1

SELECT sum(x), avg(x), max(x), count(x) FROM generate_series(1, 0) AS x
----
sum | avg | max | count
NULL | NULL | NULL | 0
SELECT 1

SELECT sum(x::bigint), pg_typeof(sum(x)), pg_typeof(sum(x::bigint)), pg_typeof(avg(x)) FROM generate_series(1, 3) AS x
----
sum | pg_typeof | pg_typeof | pg_typeof
6 | bigint | numeric | numeric
SELECT 1

-- Settings and session.
SELECT current_database(), current_schema(), current_user, current_schemas(true), current_setting('server_version_num')
----
current_database | current_schema | current_user | current_schemas | current_setting
postgres | public | postgres | {pg_catalog,public} | 150013
SELECT 1

SELECT set_config('application_name', 'x', false), current_setting('application_name')
----
set_config | current_setting
x | x
SELECT 1

SHOW application_name
----
application_name
x
SHOW

SELECT current_setting('nope')
----
ERROR 42704: unrecognized configuration parameter "nope"

SELECT current_setting('nope', true), pg_typeof(1), 'pg_class'::regclass, 1259::regclass, to_regclass('nope'), format_type(1700, 655366)
----
current_setting | pg_typeof | regclass | regclass | to_regclass | format_type
NULL | integer | pg_class | pg_class | NULL | numeric(10,2)
SELECT 1

CREATE TABLE "Odd name" (id int PRIMARY KEY, v varchar(5) DEFAULT 'x' NOT NULL)
----
CREATE TABLE

SELECT pg_get_indexdef('"Odd name_pkey"'::regclass), '"Odd name"'::regclass
----
pg_get_indexdef | regclass
CREATE UNIQUE INDEX "Odd name_pkey" ON public."Odd name" USING btree (id) | "Odd name"
SELECT 1

SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = '"Odd name"'::regclass AND attnum > 0 ORDER BY attnum
----
attname | format_type | attnotnull
id | integer | t
v | character varying(5) | t
SELECT 2

SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '"Odd name"'::regclass
----
conname | contype | pg_get_constraintdef
Odd name_pkey | p | PRIMARY KEY (id)
SELECT 1

SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default FROM information_schema.columns WHERE table_name = 'Odd name' ORDER BY ordinal_position
----
table_name | column_name | data_type | character_maximum_length | is_nullable | column_default
Odd name | id | integer | NULL | NO | NULL
Odd name | v | character varying | 5 | NO | 'x'
SELECT 2

SELECT relname, relkind, nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public' ORDER BY relname
----
relname | relkind | nspname
Odd name | r | public
Odd name_pkey | i | public
SELECT 2
