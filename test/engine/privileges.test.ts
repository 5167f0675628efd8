import { expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { describePlan } from '../../src/engine/describe-plan.ts';
import { contentOf } from '../cli/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { urlAs, useRoles } from './roles.ts';
import { tandemOn } from './tandem.ts';

const roles = useRoles({ stranger: 'LOGIN', reader: 'LOGIN' });
const database = useDatabase(fewRows);

/** What the role is told, and that it is the owner's plan but for the findings and what it may not count. */
async function planAs(role: string) {
  const { plan, options } = tandemOn(database);
  const pool = createPool(urlAs(database.url, role));
  try {
    const described = await describePlan(pool, plan, options);
    const owners = await describePlan(database.pool, plan, options);
    expect(owners).toMatchObject({ ok: true, findings: [] });
    // What somebody else makes is given to the owner: statements more, and none less.
    for (const [i, { name, statements }] of owners.steps.entries()) {
      expect(described.steps[i]?.name).toBe(name);
      expect(described.steps[i]?.statements).toEqual(expect.arrayContaining(statements));
    }
    expect(described.disk_bytes).toBe(owners.disk_bytes);
    return described;
  } finally {
    await pool.end();
  }
}

test('a role that may only look at the catalog is told the whole plan, and each privilege that it lacks with its GRANT', async () => {
  const { stranger } = roles;
  await database.pool.query(`GRANT USAGE ON SCHEMA public TO ${stranger}`);
  const { ok, findings } = await planAs(stranger);
  expect(ok).toBe(false);
  const { rows } = await database.pool.query('SELECT current_database() AS database, current_user AS owner');
  const [{ database: name, owner }] = rows;
  const blocking = findings.filter(({ severity }) => severity === 'blocks');
  expect(blocking.map(({ subject, message }) => `${subject}: ${message}`)).toEqual(
    [
      [`database ${name}`, 'lacks CREATE on'],
      ['schema public', 'lacks CREATE on'],
      ['public.sessions', 'does not own'],
      ['public.messages', 'does not own'],
      ['public.sessions', 'lacks SELECT on'],
      ['public.messages', 'lacks SELECT on'],
      ['auth.users', 'lacks REFERENCES on'],
      ['schema auth', 'lacks USAGE on'],
    ].map(([subject, lack]) => `${subject}: the connecting role ${stranger} ${lack} it`),
  );
  expect(blocking.map(({ hint }) => hint?.replace('Connect as another role, or: ', ''))).toEqual([
    `GRANT CREATE ON DATABASE ${name} TO ${stranger};`,
    `GRANT CREATE ON SCHEMA public TO ${stranger};`,
    `GRANT ${owner} TO ${stranger};`,
    `GRANT ${owner} TO ${stranger};`,
    `GRANT SELECT ON "public"."sessions" TO ${stranger};`,
    `GRANT SELECT ON "public"."messages" TO ${stranger};`,
    `GRANT REFERENCES ON "auth"."users" TO ${stranger};`,
    `GRANT USAGE ON SCHEMA auth TO ${stranger};`,
  ]);
});

test('a role that may read finds what an owner would find, and a run of its own is refused before anything is changed', async () => {
  const { reader } = roles;
  await database.pool.query(`GRANT USAGE ON SCHEMA public, auth TO ${reader};
    GRANT SELECT ON public.sessions, public.messages TO ${reader};
    UPDATE public.sessions SET level = 'wizard' WHERE id = (SELECT id FROM public.sessions LIMIT 1)`);
  const pool = createPool(urlAs(database.url, reader));
  const session = await database.connect();
  const before = await contentOf(session);
  const tandem = tandemOn({ pool });
  try {
    const { findings } = await describePlan(pool, tandem.plan, tandem.options);
    expect(findings).toContainEqual(expect.objectContaining({ message: expect.stringContaining("('wizard')") }));
    await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD006', exitCode: 3 });
    expect(await contentOf(session)).toEqual(before);
  } finally {
    await pool.end();
  }
});
