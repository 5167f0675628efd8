import { z } from 'zod';
import { quoteLiteral } from '../db/identifier.ts';
import { id as anId, type Inputs, notFound, parseInput, parseOne, parseRows } from './inputs.ts';
import { type Page, pageOf, positionOf } from './page.ts';
import { type Session, type SessionStatus, session } from './rows.ts';
import type { Run } from './run-as.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';

export interface Sessions {
  /** Without `user_id`, the caller's own. @throws `already_exists` for an `id` that is taken */
  create(input: z.input<Inputs['newSession']>): Promise<Session>;
  get(id: string): Promise<Session | null>;
  /** Sessions of one status, `active` unless told; the last used first. */
  list(page?: z.input<Inputs['sessionPage']>): Promise<Page<Session>>;
  /** Notes that the session is used now, but not more often than the store's `touchInterval`; false where it did not. */
  touch(id: string): Promise<boolean>;
  rename(id: string, title: string | null): Promise<Session>;
  archive(id: string): Promise<Session>;
  /** Back to `active`, from the archive or after a deletion. */
  restore(id: string): Promise<Session>;
  /** To the status `deleted`, from which it can be restored. */
  delete(id: string): Promise<Session>;
  /** Removes the row, and messages and feedback with it, for good. */
  purge(id: string): Promise<void>;
}

/** With its place in the order of a list, as the server spells it. */
export const positioned = session.extend({ position: z.string() });
const touchAnswer = z.object({ touched: z.boolean(), there: z.boolean() });

export function sessionsOf(run: Run, tables: Tables, inputs: Inputs, touchIntervalMs: number): Sessions {
  const { sessions } = tables;
  const columns = tables.sessionColumns('s');
  const [key, owner, status, title] = ['id', 'user_id', 'status', 'title'].map(tables.session);
  const [used, updated] = ['last_accessed', 'updated_at'].map(tables.session);

  const update = async (id: string, set: string, values: readonly unknown[]) => {
    const text = `UPDATE ${sessions} s SET ${set}, ${updated} = now() WHERE s.${key} = $1 RETURNING ${columns}`;
    return parseOne(session, await run(() => ({ text, values: [parseInput(anId, id), ...values] })), 'session');
  };
  const move = (to: SessionStatus) => (id: string) => update(id, `${status} = $2`, [to]);

  return {
    async create(input) {
      const given = parseInput(inputs.newSession, input);
      const rows = await run(({ userId }) => ({
        text: `INSERT INTO ${sessions} AS s (${['id', 'user_id', 'language', 'level', 'title'].map(tables.session).join(', ')})
               VALUES (coalesce($1, gen_random_uuid()), $2, $3, $4, $5) RETURNING ${columns}`,
        values: [given.id ?? null, ownerOf(given.user_id, userId), given.language, given.level, given.title ?? null],
      }));
      return parseOne(session, rows, 'session');
    },

    async get(id) {
      const text = `SELECT ${columns} FROM ${sessions} s WHERE s.${key} = $1`;
      const values = [parseInput(anId, id)];
      return parseRows(session, await run(() => ({ text, values })))[0] ?? null;
    },

    async list(page = {}) {
      const wanted = parseInput(inputs.sessionPage, page);
      const after = positionOf(wanted.after);
      const rows = await run(({ userId }) => {
        // Only the conditions that are asked for: each one is planned anew with every call. The status stands in the text, where
        // a plan that is kept leaves out the other partitions, too.
        const where = [`s.${status} = ${quoteLiteral(wanted.status)}`];
        const values: unknown[] = [wanted.limit + 1];
        const of = wanted.user_id ?? userId;
        if (of !== null) where.push(`s.${owner} = $${values.push(of)}`);
        if (after) where.push(`(s.${used}, s.${key}) < ($${values.push(after[0])}, $${values.push(after[1])})`);
        const text = `SELECT ${columns}, s.${used}::text AS position FROM ${sessions} s WHERE ${where.join(' AND ')}
           ORDER BY s.${used} DESC, s.${key} DESC LIMIT $1`;
        return { text, values };
      });
      const found = parseRows(positioned, rows);
      const plain = found.map(({ position: _, ...row }) => row);
      return pageOf(
        plain,
        found.map(({ position }) => position),
        wanted.limit,
      );
    },

    async touch(id) {
      const text = `WITH touched AS (
          UPDATE ${sessions} s SET ${used} = now() WHERE s.${key} = $1 AND s.${used} < now() - make_interval(secs => $2) RETURNING s.${key}
        ) SELECT EXISTS (SELECT FROM touched) AS touched, EXISTS (SELECT FROM ${sessions} s WHERE s.${key} = $1) AS there`;
      const values = [parseInput(anId, id), touchIntervalMs / 1000];
      const { touched, there } = parseOne(touchAnswer, await run(() => ({ text, values })), 'session');
      if (!there) throw notFound('session');
      return touched;
    },

    rename: async (id, to) => update(id, `${title} = $2`, [parseInput(inputs.title, to)]),
    archive: move('archived'),
    restore: move('active'),
    delete: move('deleted'),

    async purge(id) {
      const text = `DELETE FROM ${sessions} s WHERE s.${key} = $1 RETURNING ${columns}`;
      const values = [parseInput(anId, id)];
      parseOne(session, await run(() => ({ text, values })), 'session');
    },
  };
}

/** @throws StoreError `invalid_value` where the service does not say whose row it is */
export function ownerOf(given: string | undefined, caller: string | null, hint?: string): string {
  const owner = given ?? caller;
  if (owner !== null) return owner;
  throw new StoreError('invalid_value', 'As the service, `user_id` says whose session it is.', {
    ...(hint && { hint }),
  });
}
