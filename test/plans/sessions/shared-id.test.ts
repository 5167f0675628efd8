import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertMessage, insertSession, insertUser, migrated, only, refusal } from './fixtures.ts';

// Between the statements of one transaction, a session under the id of somebody else's would stand unchecked: the
// foreign key to the registry is checked at commit. By then the intruder is gone again, and what was done is done.

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;
let target: { session: string; message: string };

beforeEach(async () => {
  client ??= await database.connect();
  ann = await insertUser(client);
  const bob = await insertUser(client);
  const session = await insertSession(client, bob, { language: 'en' });
  target = { session, message: await insertMessage(client, session, bob) };
});

/** Runs statements as Ann in one transaction and commits: the SQLSTATE of the first that is refused, or null. */
const attempt = (...statements: string[]) =>
  asRole(
    client,
    'authenticated',
    { setting: 'json', sub: ann },
    async () => {
      for (const sql of statements) {
        const text = sql.replaceAll(':session', `'${target.session}'`).replaceAll(':ann', `'${ann}'`);
        const state = await client.query(text).then(
          () => null,
          (error: pg.DatabaseError) => error.code ?? 'unknown',
        );
        if (state !== null) return state;
      }
      return null;
    },
    { keep: true },
  );

const put = (status: string, language = 'en', tail = '') =>
  `INSERT INTO public.sessions (id, user_id, language, level, status) VALUES (:session, :ann, '${language}', 'beginner', '${status}') ${tail}`;
const enter =
  "INSERT INTO public.messages (session_id, user_id, sequence_number, content) VALUES (:session, :ann, 99, 'intruder')";
const leave = "DELETE FROM public.sessions WHERE id = :session AND status = 'deleted'";
const restore = put('active', 'en', 'ON CONFLICT (id, status) DO NOTHING');

const untouched = async () =>
  only(
    (
      await client.query(
        `SELECT s.status::text, k.status::text AS key, k.language::text,
                (SELECT json_agg(json_build_object('id', m.id, 'language', m.language)) FROM public.messages m WHERE m.session_id = s.id) AS messages
           FROM public.sessions s JOIN private.session_keys k ON k.id = s.id WHERE s.id = $1`,
        [target.session],
      )
    ).rows,
  );

describe('a session under an id that somebody else’s has', () => {
  test.each<[string, string[]]>([
    ['to write into it', [put('deleted'), enter, restore, leave]],
    ['to delete its messages', [put('deleted'), leave, restore]],
    [
      'to change its language',
      [put('deleted', 'de'), put('active', 'de', 'ON CONFLICT (id, status) DO NOTHING'), leave],
    ],
    [
      'by way of a session whose key is gone',
      [
        "INSERT INTO public.sessions (id, user_id, language, level) VALUES ('11111111-1111-4111-8111-111111111111', :ann, 'en', 'beginner')",
        "INSERT INTO public.sessions (id, user_id, language, level, status) VALUES ('11111111-1111-4111-8111-111111111111', :ann, 'en', 'beginner', 'deleted')",
        "DELETE FROM public.sessions WHERE id = '11111111-1111-4111-8111-111111111111' AND status = 'deleted'",
        "UPDATE public.sessions SET id = :session, status = 'deleted' WHERE id = '11111111-1111-4111-8111-111111111111'",
        enter,
        restore,
        leave,
      ],
    ],
  ])('is refused at once: %s', async (_, statements) => {
    const before = await untouched();
    expect(await attempt(...statements)).toBe(SqlState.foreignKeyViolation);
    expect(await untouched()).toEqual(before);
  });

  test('is refused to service_role, too', async () => {
    expect(
      await asRole(client, 'service_role', null, () =>
        refusal(insertSession(client, ann, { id: target.session, status: 'archived' })),
      ),
    ).toBe(SqlState.foreignKeyViolation);
  });
});
