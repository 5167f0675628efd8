import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { installKeeper } from '../../../plans/sessions/keeper/install.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { fewRows } from '../../engine/flat-database.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { migrated, refusal, renderedTemplate } from './fixtures.ts';
import { names } from './keeper/keeping.ts';

const ROLES = ['anon', 'authenticated', 'service_role'];
const OURS = ['private', 'keeper', 'tandem'];

/** Whatever is made from now on is open to the API roles, schemas as well. */
async function openByDefault(client: pg.Client): Promise<void> {
  await client.query(renderedTemplate('auth-stand-in'));
  for (const what of ['TABLES', 'FUNCTIONS', 'SEQUENCES', 'TYPES', 'SCHEMAS'])
    await client.query(`ALTER DEFAULT PRIVILEGES GRANT ALL ON ${what} TO ${ROLES.join(', ')}`);
}

/** What an API role may look into of the schemas that are Tandem's own; and that each relation there refuses it. */
async function openSchemas(client: pg.Client): Promise<string[]> {
  const { rows: schemas } = await client.query<{ name: string; open: string[] }>(
    `SELECT n.nspname::text AS name, coalesce(array_agg(r || ' ' || p) FILTER (WHERE has_schema_privilege(r, n.oid, p)), '{}') AS open
       FROM pg_namespace n, unnest($1::text[]) r, unnest('{usage,create}'::text[]) p WHERE n.nspname = ANY ($2) GROUP BY 1 ORDER BY 1`,
    [ROLES, OURS],
  );
  const open = schemas.flatMap(({ name, open }) => open.map((who) => `${name}: ${who}`));
  const { rows: relations } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm')`,
    [OURS],
  );
  expect(relations.length).toBeGreaterThan(3);
  for (const role of ROLES) {
    for (const { schema, name } of relations) {
      await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
      const state = await refusal(client.query(`SELECT FROM ${quoteIdent(schema)}.${quoteIdent(name)} LIMIT 1`));
      if (state !== SqlState.insufficientPrivilege) open.push(`${schema}.${name}: ${role} gets ${state}`);
      await client.query('ROLLBACK');
    }
  }
  return open;
}

describe('while tables move, and after', () => {
  const database = useDatabase(fewRows);

  test('whatever is open by default, no API role looks into a schema of Tandem’s at any moment of a run', async () => {
    const client = await database.connect();
    await openByDefault(client);
    const tandem = tandemOn(database);
    await tandem.migrateUpTo('drain');
    expect(await openSchemas(client)).toEqual([]);
    await tandem.migrate();
    // The retired tables with all their rows stand in a schema of Tandem's now.
    expect(await openSchemas(client)).toEqual([]);
    await tandem.finish();
    await installKeeper(database.pool, names);
    expect(await openSchemas(client)).toEqual([]);
  });
});

describe('in the end state', () => {
  const database = useDatabase(migrated);

  test('what the keeper does with its owner’s rights has a fixed search_path', async () => {
    const client = await database.connect();
    await installKeeper(database.pool, names);
    const { rows } = await client.query<{ name: string; config: string[] | null }>(
      `SELECT p.oid::regprocedure::text AS name, p.proconfig AS config FROM pg_proc p
        WHERE p.prosecdef AND p.pronamespace = ANY ($1::regnamespace[])`,
      [['private', 'keeper']],
    );
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.filter(({ config }) => !config?.includes('search_path=pg_catalog, pg_temp'))).toEqual([]);
  });
});
