/**
 * What a transaction must pin before it copies, so that the same row gives the same bytes on every server and for every
 * role, and is read back as the value it was.
 *
 * - `row_security = off` does not switch policies off: a query that a policy would filter fails instead of losing rows.
 * - `synchronize_seqscans` and parallel plans would let the order of rows differ from one run to the next.
 * - `search_path` decides how type names and `regclass` values are spelt.
 */
export const COPY_SETTINGS = `
  SET LOCAL client_encoding = 'UTF8';
  SET LOCAL datestyle = 'ISO, YMD';
  SET LOCAL intervalstyle = 'postgres';
  SET LOCAL timezone = 'UTC';
  SET LOCAL extra_float_digits = 3;
  SET LOCAL bytea_output = 'hex';
  SET LOCAL xmloption = 'content';
  SET LOCAL search_path = '';
  SET LOCAL row_security = off;
  SET LOCAL synchronize_seqscans = off;
  SET LOCAL max_parallel_workers_per_gather = 0;
  SET LOCAL statement_timeout = 0;
  SET LOCAL idle_in_transaction_session_timeout = 0`;

/** PostgreSQL 17 and newer can end a transaction by its age; older servers do not know the setting. */
export const NO_TRANSACTION_TIMEOUT =
  "SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('transaction_timeout', true) IS NOT NULL";
