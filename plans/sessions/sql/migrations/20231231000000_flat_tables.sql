-- Generated from plans/sessions/sql by `npm run generate`.
--
-- Baseline: the two flat tables that the next files start from. Makes only what is missing, and so changes nothing in a
-- database that has the tables, flat or migrated.

{{> auth-stand-in}}

{{> flat-tables}}
