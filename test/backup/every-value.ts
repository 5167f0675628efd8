/** A table of values that a CSV loses easily, three rows each of them or NULL. Ends with a semicolon. */
export const everyValue = `
  CREATE TYPE public.mood AS ENUM ('glad', 'so, "so"');
  CREATE TYPE public.pair AS (a int, b text);
  CREATE TABLE public.every_value (
    id int PRIMARY KEY, txt text, word varchar(20), padded char(5), code "char", num numeric, dec numeric(12, 4),
    f8 float8, f4 float4, big bigint, flag boolean, ts timestamptz, local timestamp, day date, clock timetz,
    span interval, j json, jb jsonb, raw bytea, ints int[], texts text[], grid text[][], ip inet, uid uuid,
    m public.mood, p public.pair, r tstzrange, mr int4multirange, pt point, x xml, cls regclass, v tsvector, b bit(3));
  INSERT INTO public.every_value (id, txt) VALUES
    (1, NULL), (2, ''), (3, ' '), (4, 'NULL'), (5, '\\N'), (6, '\\.'), (7, '"'), (8, '""'), (9, ','), (10, E'a\\nb'),
    (11, E'a\\r\\nb'), (12, E'\\r'), (13, E'\\t'), (14, 'comma, "quote" and'' apostrophe'), (15, E'ends in newline\\n'),
    (16, '🧵🇺🇦👩‍👩‍👧‍👦'), (17, 'مرحبا بالعالم'), (18, E'e\\u0301 \\u200f\\u202e rtl'), (19, E'\\u0001\\u001f\\u007f'),
    (20, E'\\u2028\\ufeff'), (21, E'back\\\\slash\\\\'), (22, repeat('long "text", ', 20000)), (23, 'id,txt'), (24, E'\\n');
  INSERT INTO public.every_value (id, num, dec, f8, f4, big, ts, local, day, clock, span) VALUES
    (30, 'NaN', 0.1, 'NaN', 'NaN', 9223372036854775807, 'infinity', 'infinity', 'infinity', '23:59:59.999999+05:45', '1 mon -1 day'),
    (31, 'Infinity', 12345678.9, 'Infinity', '-Infinity', -9223372036854775808, '-infinity', '-infinity', '-infinity', '00:00+00', '-0.000001s'),
    (32, 1e-30, -0.0001, '-0', 1.1754944e-38, 0, '2026-03-29 02:30:00+01', '0001-01-01 BC', '0044-03-15 BC', '12:00-15:59', '178000000 years'),
    (33, 123456789012345678901234567890.123456789, 0, 0.1::float8 + 0.2::float8, 3.4028235e38, 1,
     '294276-12-31 23:59:59.999999+00', '1999-12-31 23:59:59.999999', '2024-02-29', '24:00', '1 year 2 mons 3 days 04:05:06.789'),
    (34, 0.00, 1.5000, 5e-324, 0.1, -1, '1900-01-01 00:00:00+00', 'epoch', 'epoch', '00:00:00.5+01', '0');
  INSERT INTO public.every_value (id, j, jb, x) VALUES
    (40, 'null', 'null', '<a b="1">,&amp;</a>'), (41, NULL, NULL, NULL), (42, '{"a" : 1,  "a":2}', '{"b":[1.00,null,"\\u00fc\\n"]}', 'text'),
    (43, '""', '""', '<x/>'), (44, '[]', '"null"', '');
  INSERT INTO public.every_value (id, raw, ints, texts, grid) VALUES
    (50, '\\x', '{}', '{}', '{}'), (51, '\\x00', '{NULL}', '{NULL,"NULL",""}', '{{a,b},{c,NULL}}'),
    (52, decode('5c2c220a0d00ff', 'hex'), '[0:2]={1,2,3}', ARRAY[E'a\\nb', 'c,d', 'e"f', '{g}', 'h\\i'], NULL);
  INSERT INTO public.every_value (id, word, padded, code, flag, ip, uid, m, p, r, mr, pt, cls, v, b) VALUES
    (60, 'w', 'ab', 'x', true, '::1/128', '00000000-0000-0000-0000-000000000000', 'so, "so"', '(1,"a ""b"", c")',
     '[2026-01-01 00:00+00,)', '{[1,3),[5,7)}', '(1.5,-0)', 'public.every_value', 'a:1 ''b c'':2A', '101'),
    (61, '', '', '', false, '10.0.0.0/8', NULL, 'glad', '(,)', 'empty', '{}', NULL, 'pg_class', '', '000');
`;
