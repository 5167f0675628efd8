import { inTransaction, type Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { createdObjects, recordCreated } from '../engine/created.ts';
import type { Finding } from '../engine/events.ts';
import type { Step } from '../engine/step.ts';

export interface EnumType {
  readonly name: QualifiedName;
  /** In the order in which they sort. */
  readonly labels: readonly string[];
}

/**
 * Creates enums that are missing, with an assignment cast from text, and proves labels and their order. A type of that
 * name with other labels is the user's own: it is reported, and left alone.
 */
export function enumsStep(input: { guide: string; enums: readonly EnumType[]; statements: () => string[] }): Step {
  const differing = async (client: Queryable, severity: Finding['severity']) => {
    const findings: Finding[] = [];
    for (const type of input.enums) {
      const labels = await enumLabels(client, type.name);
      if (labels === null || labels.join() === type.labels.join()) continue;
      findings.push({
        severity,
        subject: displayName(type.name),
        message:
          labels.length === 0
            ? 'a type of this name exists and is no enum'
            : `exists with the labels ${labels.join(', ')}, not ${type.labels.join(', ')}`,
        hint: `Rename it first: ALTER TYPE ${quoteName(type.name)} RENAME TO "${type.name.name}_old"; Tandem then creates its own.`,
      });
    }
    return findings;
  };
  return {
    name: 'enums',
    guide: input.guide,
    title: 'Create the enums',
    phase: 'preparing',
    check: ({ client }) => differing(client, 'blocks'),
    plan: async () => input.statements().map((sql) => ({ sql, lock: null, cost: 'catalog only' })),
    apply: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        const before = new Set(await present(client, input.enums));
        for (const sql of input.statements()) await client.query(sql);
        await recordCreated(
          client,
          (await present(client, input.enums)).filter((object) => !before.has(object)),
        );
      });
      return input.enums.map((type) => type.name.name).join(', ');
    },
    verify: async ({ pool }) => {
      const findings = await differing(pool, 'blocks');
      for (const type of input.enums) {
        if ((await enumLabels(pool, type.name)) === null) {
          findings.push({ severity: 'blocks', subject: displayName(type.name), message: 'the enum does not exist' });
        }
      }
      return findings;
    },
    revert: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        const created = await createdObjects(client);
        for (const type of input.enums) {
          if (created.has(`type ${quoteName(type.name)}`)) await dropUnlessUsed(client, type.name);
          else if (created.has(`cast to ${quoteName(type.name)}`))
            await client.query(`DROP CAST IF EXISTS (text AS ${quoteName(type.name)})`);
        }
      });
    },
  };
}

/** Which of the enums and of their casts from text there are. */
async function present(client: Queryable, enums: readonly EnumType[]): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `SELECT 'type ' || e.name AS object FROM unnest($1::text[]) AS e (name) WHERE pg_catalog.to_regtype(e.name) IS NOT NULL
      UNION ALL
     SELECT 'cast to ' || e.name FROM unnest($1::text[]) AS e (name)
       JOIN pg_catalog.pg_cast c ON c.casttarget = pg_catalog.to_regtype(e.name) AND c.castsource = 'text'::regtype`,
    [enums.map((type) => quoteName(type.name))],
  );
  return rows.map((row) => row.object);
}

/** An enum that any column has come to use is in use by others, and stays. */
async function dropUnlessUsed(client: Queryable, name: QualifiedName): Promise<void> {
  const { rows } = await client.query<{ used: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype($1)
                     WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped) AS used
      WHERE pg_catalog.to_regtype($1) IS NOT NULL`,
    [quoteName(name)],
  );
  if (rows[0]?.used === false) await client.query(`DROP TYPE ${quoteName(name)} CASCADE`);
}

/** Labels in their order; null where no such type exists, empty where it is no enum. */
async function enumLabels(client: Queryable, name: QualifiedName): Promise<string[] | null> {
  const { rows } = await client.query<{ labels: string[] }>(
    `SELECT coalesce((SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '{}') AS labels
       FROM pg_catalog.pg_type t WHERE t.oid = pg_catalog.to_regtype($1)`,
    [quoteName(name)],
  );
  return rows[0]?.labels ?? null;
}
