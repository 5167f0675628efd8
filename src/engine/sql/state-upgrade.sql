-- Columns that came to tables of state.sql later: the tables of an earlier version, whose run is still open, get them. Only
-- where they are missing, since ALTER TABLE locks even where it finds nothing to do.
DO $do$
DECLARE
  missing record;
BEGIN
  FOR missing IN
    SELECT c.oid::regclass AS tandem_table, v.column_name, v.definition
      FROM (VALUES
        ('run', 'attachments', 'jsonb'),
        ('moved_table', 'source_shape', $$jsonb NOT NULL DEFAULT '[]'$$),
        ('moved_table', 'compared_filenode', 'oid'),
        ('control', 'lock_attempt', 'jsonb')
      ) AS v (table_name, column_name, definition)
      JOIN pg_catalog.pg_namespace n ON n.nspname = 'tandem'
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.table_name
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = v.column_name AND NOT a.attisdropped)
  LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN %I %s', missing.tandem_table, missing.column_name, missing.definition);
  END LOOP;
END
$do$;
