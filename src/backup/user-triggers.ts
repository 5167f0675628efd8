import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';

const triggerSchema = z.object({
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  state: z.enum(['O', 'A', 'R']),
});
const ENABLE = { O: 'ENABLE TRIGGER', A: 'ENABLE ALWAYS TRIGGER', R: 'ENABLE REPLICA TRIGGER' } as const;

/**
 * Switches off the users' triggers on the tables and their partitions, and returns what puts each one back into the
 * state that it had. What the triggers wrote when the rows came first is in the backup already: fired again, they would
 * alter rows or write them twice. Foreign keys, which are triggers too, stay on.
 *
 * Tandem's own triggers stay on as well: a row that the change log does not see would be missing after a cutover. So do
 * those in `private` that are enabled ALWAYS, as those of a migrated database are: what they keep is in no backup.
 *
 * ```sql
 * ALTER TABLE ONLY "public"."sessions" DISABLE TRIGGER "touch";
 * ```
 */
export async function disableUserTriggers(db: Queryable, oids: readonly number[]): Promise<() => Promise<void>> {
  const triggers = z.array(triggerSchema).parse((await db.query(ENABLED_TRIGGERS, [oids])).rows);
  const alter = async (trigger: z.infer<typeof triggerSchema>, verb: string) => {
    const table = quoteName({ schema: trigger.schema, name: trigger.table });
    // Each partition is named by itself: its triggers may differ from its parent's in state.
    await db.query(`ALTER TABLE ONLY ${table} ${verb} ${quoteIdent(trigger.name)}`);
  };
  for (const trigger of triggers) await alter(trigger, 'DISABLE TRIGGER');
  return async () => {
    for (const trigger of triggers) await alter(trigger, ENABLE[trigger.state]);
  };
}

const ENABLED_TRIGGERS = `
  SELECT n.nspname AS schema, c.relname AS table, t.tgname AS name, t.tgenabled AS state
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
   WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND pn.nspname <> 'tandem'
     AND NOT (pn.nspname = 'private' AND t.tgenabled = 'A')
     AND (t.tgrelid = ANY ($1::oid[])
          OR t.tgrelid IN (SELECT relid FROM pg_catalog.unnest($1::oid[]) AS root, pg_catalog.pg_partition_tree(root)))
   ORDER BY n.nspname, c.relname, t.tgname`;
