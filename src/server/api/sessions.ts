import { Hono } from 'hono';
import { z } from 'zod';
import { writeAudit } from '../../../plans/sessions/keeper/audit.ts';
import { listHolds } from '../../../plans/sessions/keeper/holds.ts';
import { assertMigrated, isMigrated } from '../../../plans/sessions/keeper/install.ts';
import { keeperNames } from '../../../plans/sessions/keeper/transitions.ts';
import { sessionStatus } from '../../client/rows.ts';
import { TandemError } from '../../engine/errors.ts';
import { body, query } from '../body.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';

const PAGE = 25;
const MESSAGES = 50;
const page = z.object({
  status: sessionStatus.default('active'),
  user: z.guid().optional(),
  after: z.string().optional(),
});
const revealing = z.strictObject({ reason: z.string().trim().min(1).max(500), after: z.string().nullable() });

const counts = z.object({ messages: z.number(), feedback: z.number() });
const move = z.object({
  from_status: z.string(),
  to_status: z.string(),
  moved_at: z.date(),
  run_id: z.coerce.number().nullable(),
});

export function sessionsRoutes({ pool, names, store }: Dashboard) {
  const k = keeperNames(names);
  return new Hono<Signed>()
    .get('/', query(page), async (context) => {
      const { status, user, after } = context.req.valid('query');
      if (!(await isMigrated(pool, names))) return context.json(null);
      const list = { status, limit: PAGE, ...(user && { user_id: user }), ...(after && { after }) };
      return context.json(await store.sessions.list(list));
    })
    .get('/:id', async (context) => {
      const id = z.guid().parse(context.req.param('id'));
      await assertMigrated(pool, names);
      const session = await store.sessions.get(id);
      if (session === null) throw new TandemError('TD061', `There is no session ${id}.`);
      const counted = await pool.query(
        `SELECT count(DISTINCT m.${k.messageId})::float8 AS messages, count(f.id)::float8 AS feedback
           FROM ${k.messages} m LEFT JOIN ${k.feedback} f ON f.message_id = m.${k.messageId} WHERE m.${k.messageSession} = $1`,
        [id],
      );
      const kept = await hasTable(pool, 'archive_policy');
      const moves = kept
        ? (
            await pool.query(
              `SELECT from_status::text, to_status::text, moved_at, run_id FROM keeper.session_moves
                WHERE session_id = $1 ORDER BY moved_at DESC LIMIT 50`,
              [id],
            )
          ).rows
        : [];
      const hold = kept ? (await listHolds(pool)).find(({ session_id }) => session_id === id) : undefined;
      return context.json({
        session,
        ...counts.parse(counted.rows[0]),
        moves: z.array(move).parse(moves),
        hold: hold ?? null,
      });
    })
    .post('/:id/messages', body(revealing), async (context) => {
      const id = z.guid().parse(context.req.param('id'));
      const { reason, after } = context.req.valid('json');
      if ((await store.sessions.get(id)) === null) throw new TandemError('TD061', `There is no session ${id}.`);
      const detail = { reason, ...(after !== null && { after }) };
      await writeAudit(pool, { actor: context.var.actor, action: 'messages.read', subject: id, detail });
      const wanted = { session_id: id, limit: MESSAGES, ...(after !== null && { after }) };
      return context.json(await store.messages.list(wanted));
    });
}
