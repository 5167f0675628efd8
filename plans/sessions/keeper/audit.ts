import { z } from 'zod';
import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { readSqlFile } from '../../../src/db/sql-file.ts';

/** What was done, by whom. It is written before it is done, or in the same transaction: nothing is done unnoted. */
export interface AuditEntry {
  readonly actor: string;
  /** Such as `hold.place`. */
  readonly action: string;
  /** What it was done to. */
  readonly subject: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

const auditRow = z.object({
  id: z.coerce.number(),
  at: z.date(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.record(z.string(), z.unknown()),
});
export type AuditRow = z.infer<typeof auditRow>;

/** Advisory lock key (two int4: "tand", 2), as `installKeeper` takes it: both make the schema. */
const LOCK = [0x74616e64, 2];

/** Creates the table where it is missing, on a database that was never migrated, too. */
export async function installAudit(pool: Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('SELECT pg_catalog.pg_advisory_xact_lock($1, $2)', LOCK);
    await client.query(readSqlFile('plans/sessions/sql/keeper-audit.sql'));
  });
}

export async function writeAudit(client: Queryable, entry: AuditEntry): Promise<void> {
  await client.query('INSERT INTO keeper.audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)', [
    entry.actor,
    entry.action,
    entry.subject,
    JSON.stringify(entry.detail ?? {}),
  ]);
}

/** The newest first; `before`: those older than the entry with this id. */
export async function listAudit(client: Queryable, limit: number, before: number | null = null): Promise<AuditRow[]> {
  const { rows } = await client.query(
    `SELECT id, at, actor, action, subject, detail FROM keeper.audit
      WHERE $2::bigint IS NULL OR id < $2 ORDER BY id DESC LIMIT $1`,
    [limit, before],
  );
  return z.array(auditRow).parse(rows);
}
