import type { Queryable } from '../../src/db/connect.ts';
import {
  incomingForeignKeys,
  secondaryIndexes,
  unkeptConstraints,
  unmovableDependents,
} from '../../src/db/describe-dependents.ts';
import type { TableDescription } from '../../src/db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';

/** Whether a live table is one that can be moved, with all that is on it: what cannot go along blocks, with the reason. */
export async function suitability(
  client: Queryable,
  table: TableDescription,
  moved: readonly QualifiedName[],
  partitionKey: string | null,
): Promise<Finding[]> {
  const subject = displayName(table.name);
  const findings: Finding[] = [];
  const blocks = (message: string, hint: string) => findings.push({ severity: 'blocks', subject, message, hint });
  if (table.kind !== 'r') {
    const kinds: Record<string, string> = {
      p: 'a partitioned table',
      v: 'a view',
      m: 'a materialized view',
      f: 'a foreign table',
    };
    blocks(`is ${kinds[table.kind] ?? 'no table'}, not a plain table`, 'Name the plain table in the plan file.');
    return findings;
  }
  if (table.primaryKey.length === 0)
    blocks('has no primary key', 'Rows are told apart by the primary key: add one first.');
  else if (table.primaryKey.length > 1)
    blocks('has a primary key of several columns', 'The plan `sessions` needs a primary key of one column, the id.');
  for (const what of await unmovableDependents(client, table.name, moved)) {
    blocks(
      `${what} depends on it and would stay with the old table`,
      `Drop it before the move, and create it again afterwards.`,
    );
  }
  for (const constraint of await unkeptConstraints(client, table.name)) {
    if (constraint.kind === 'f')
      blocks(
        `foreign key ${constraint.name} of ${constraint.table} is NOT ENFORCED, and would be in force after the move`,
        'Drop it before the move, and add it again afterwards.',
      );
    else
      blocks(
        `NOT NULL constraint ${constraint.name} is NOT VALID: rows may break it, and the new table would refuse them`,
        `Validate it (ALTER TABLE … VALIDATE CONSTRAINT), or drop it before the move.`,
      );
  }
  for (const index of await secondaryIndexes(client, table.name)) {
    if (index.constraint?.startsWith('EXCLUDE') && partitionKey !== null) {
      blocks(
        `exclusion constraint ${index.name} cannot be carried over: it would hold within each partition only`,
        'Drop it before the move, and let a trigger see to it afterwards.',
      );
    } else if (index.unique && partitionKey !== null && !index.columns.includes(partitionKey)) {
      blocks(
        `unique ${index.constraint === null ? 'index' : 'constraint'} ${index.name} cannot be carried over: on a partitioned table it must contain ${partitionKey}`,
        `Drop it before the move, or recreate it with ${partitionKey} among its columns.`,
      );
    }
  }
  for (const key of partitionKey === null ? [] : await incomingForeignKeys(client, table.name)) {
    if (key.referencedColumns.join() === table.primaryKey.map((k) => k.column).join()) continue;
    blocks(
      `foreign key ${key.name} of ${displayName(key.table)} refers to ${key.referencedColumns.join(', ')}, which no key of a partitioned table can hold alone`,
      'Let it refer to the primary key, or drop it before the move.',
    );
  }
  const { rows: elsewhere } = await client.query<{ tablespace: string }>(
    `SELECT t.spcname AS tablespace FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
      WHERE c.oid = $1::regclass AND t.spcname <> pg_catalog.current_setting('default_tablespace')`,
    [quoteName(table.name)],
  );
  for (const { tablespace } of elsewhere)
    findings.push({
      severity: 'warning',
      subject,
      message: `stands in tablespace ${tablespace}, and the new table will not`,
      hint: 'New tables and indexes go to default_tablespace: set it for the role that migrates (ALTER ROLE … SET default_tablespace).',
    });
  const { rowCount: open } = await client.query(
    `SELECT FROM pg_catalog.pg_class c CROSS JOIN LATERAL (
        SELECT grantee FROM pg_catalog.aclexplode(c.relacl)
         UNION SELECT g.grantee FROM pg_catalog.pg_attribute t CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) g WHERE t.attrelid = c.oid) a
      WHERE c.oid = $1::regclass AND a.grantee = 0`,
    [quoteName(table.name)],
  );
  if (open) {
    findings.push({
      severity: 'warning',
      subject,
      message: 'is granted to PUBLIC; the new table is closed to PUBLIC, and to a role that has only that',
      hint: 'Grant it to the roles that need it, by name: those keep their access.',
    });
  }
  return findings;
}
