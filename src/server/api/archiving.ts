import { Hono } from 'hono';
import { z } from 'zod';
import { writeAudit } from '../../../plans/sessions/keeper/audit.ts';
import { describeUndone } from '../../../plans/sessions/keeper/describe-undone.ts';
import { countDue, type Due } from '../../../plans/sessions/keeper/due.ts';
import { listHolds, placeHold, releaseHold } from '../../../plans/sessions/keeper/holds.ts';
import { assertMigrated, installKeeper, isInstalled } from '../../../plans/sessions/keeper/install.ts';
import { archivePolicySchema, isStricter, readPolicy, writePolicy } from '../../../plans/sessions/keeper/policy.ts';
import { undoRun } from '../../../plans/sessions/keeper/undo.ts';
import { inTransaction, type Queryable } from '../../db/connect.ts';
import { TandemError } from '../../engine/errors.ts';
import { body } from '../body.ts';
import { assertConfirmed } from '../confirmed.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';

/** Where this machine writes to is said by those who are on it, and by no page. */
const policySchema = archivePolicySchema.omit({ archiveDirectory: true });
const changed = z.strictObject({ policy: policySchema, confirm: z.string() });
const proposed = z.strictObject({ policy: policySchema });
const placing = z.strictObject({ session: z.guid(), reason: z.string().trim().min(1).max(500) });
const releasing = z.strictObject({ session: z.guid(), confirm: z.string() });
const undoing = z.strictObject({ run: z.int().positive(), confirm: z.string() });

const runRow = z.object({
  id: z.coerce.number(),
  started_at: z.date(),
  ended_at: z.date().nullable(),
  archived: z.coerce.number(),
  deleted: z.coerce.number(),
  purged: z.coerce.number(),
  error: z.string().nullable(),
  undone_at: z.date().nullable(),
});
export type ArchiveRunRow = z.infer<typeof runRow>;

const sum = (due: readonly Due[]) => due.reduce((total, { sessions }) => total + sessions, 0);

export function archivingRoutes({ pool, names, config, store, run, live }: Dashboard) {
  return new Hono<Signed>()
    .get('/', async (context) => {
      if (!(await hasTable(pool, 'archive_policy'))) return context.json(null);
      const policy = await readPolicy(pool);
      const [holds, runs] = await Promise.all([listHolds(pool), listRuns(pool)]);
      return context.json({ policy, fixed_by_plan_file: config.archiving !== undefined, holds, runs });
    })
    .get('/due', async (context) => {
      if (!(await hasTable(pool, 'archive_policy'))) return context.json({ due: [] });
      return context.json({ due: await countDue(pool, await readPolicy(pool)) });
    })
    .post('/policy/try', body(proposed), async (context) => {
      await assertKept(pool);
      const current = await readPolicy(pool);
      const policy = { ...current, ...context.req.valid('json').policy };
      const due = await countDue(pool, policy);
      return context.json({ due, sessions: sum(due), stricter: isStricter(policy, current) });
    })
    .post('/policy', body(changed), async (context) => {
      const { policy: asked, confirm } = context.req.valid('json');
      await assertKept(pool);
      const before = await readPolicy(pool);
      const policy = { ...before, ...asked };
      // The number is what a mistaken zero changes.
      const affected = isStricter(policy, before) ? sum(await countDue(pool, policy)) : null;
      const wanted = affected === null ? 'policy' : String(affected);
      assertConfirmed(confirm, wanted);
      await inTransaction(pool, async (client) => {
        const detail = { before, after: policy };
        await writeAudit(client, { actor: context.var.actor, action: 'policy.change', subject: 'archiving', detail });
        await writePolicy(client, policy, affected ?? 0);
      });
      live.wake();
      return context.json({ done: true });
    })
    .post('/holds', body(placing), async (context) => {
      const { session, reason } = context.req.valid('json');
      await assertMigrated(pool, names);
      if ((await store.sessions.get(session)) === null)
        throw new TandemError('TD061', `There is no session ${session}.`, { hint: 'Give the id of one that exists.' });
      // After a migration that was begun anew, the triggers by which a hold holds are not on the tables yet.
      await installKeeper(pool, names);
      const { actor } = context.var;
      await inTransaction(pool, async (client) => {
        await writeAudit(client, { actor, action: 'hold.place', subject: session, detail: { reason } });
        await placeHold(client, session, reason);
      });
      live.wake();
      return context.json({ done: true });
    })
    .post('/holds/release', body(releasing), async (context) => {
      const { session, confirm } = context.req.valid('json');
      assertConfirmed(confirm, 'release');
      await assertKept(pool);
      await writeAudit(pool, { actor: context.var.actor, action: 'hold.release', subject: session });
      await releaseHold(pool, session);
      live.wake();
      return context.json({ done: true });
    })
    .post('/undo', body(undoing), async (context) => {
      const { run: id, confirm } = context.req.valid('json');
      assertConfirmed(confirm, 'undo');
      await assertKept(pool);
      const { actor } = context.var;
      await writeAudit(pool, { actor, action: 'archive.undo', subject: `run ${id}` });
      run.start({
        title: `Undo run ${id}`,
        actor,
        work: async (_, signal) => `Undone: ${describeUndone(await undoRun(pool, names, id, signal))}.`,
      });
      return context.json({ done: true });
    });
}

/** Nothing is made here for a question's sake: `tandem serve` installs the keeper by itself. @throws TD012 */
async function assertKept(client: Queryable): Promise<void> {
  if (await isInstalled(client)) return;
  throw new TandemError('TD012', 'The keeper has not worked on this database yet.', {
    hint: '`tandem serve` installs it at the cutover; wait for a moment.',
  });
}

async function listRuns(client: Queryable): Promise<ArchiveRunRow[]> {
  const { rows } = await client.query(
    `SELECT id, started_at, ended_at, archived, deleted, purged, error, undone_at FROM keeper.archive_runs
      WHERE archived + deleted + purged > 0 OR error IS NOT NULL ORDER BY id DESC LIMIT 30`,
  );
  return z.array(runRow).parse(rows);
}
