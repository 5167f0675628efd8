import type pg from 'pg';
import { expect, test } from 'vitest';
import { supabasesUid } from '../../supabase/auth-uid.ts';
import { useDatabase } from '../../support/database.ts';
import { insertFeedback, insertMessage, insertSession, insertUser, migrated } from './fixtures.ts';
import { contentsFound, say } from './searching.ts';

// Schema pg_temp is searched for types before pg_catalog, wherever a search_path does not name it. A type of the caller's
// own that is called like one of the server's would come into what runs with its owner's rights, with a check that
// runs whatever the caller likes.

const database = useDatabase(migrated);

/** For every type of the server's a temporary one of that name, whose check raises as soon as it runs as another role. */
async function coverTypes(client: pg.ClientBase): Promise<void> {
  await client.query(`CREATE FUNCTION pg_temp.mine(value anyelement) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
      IF current_user <> 'authenticated' THEN RAISE 'what authenticated wrote runs as %', current_user; END IF;
      RETURN true;
    END $$`);
  const { rows } = await client.query<{ sql: string }>(
    `SELECT format('CREATE DOMAIN pg_temp.%I AS pg_catalog.%1$I CHECK (pg_temp.mine(value))', typname) AS sql
       FROM pg_catalog.pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A'`,
  );
  expect(rows.length).toBeGreaterThan(40);
  for (const { sql } of rows) await client.query(sql);
}

test.each([
  ['the stand-in’s', 'SELECT'],
  ['Supabase’s', supabasesUid],
])(
  'no temporary type of a signed-in user brings code of theirs into what runs with its owner’s rights, with %s auth.uid()',
  async (_, uid) => {
    const admin = await database.connect();
    const ann = await insertUser(admin);
    const first = await say(admin, ann, 'es', ['Mi corazón'], 'First');
    const second = await say(admin, ann, 'de', ['Das Haus'], 'Second');
    await admin.query(uid);
    await admin.query('SELECT private.refresh_search_words()');

    const client = await database.connect();
    await client.query('SET ROLE authenticated');
    await coverTypes(client);
    await client.query("SELECT set_config('request.jwt.claim.sub', $1, false)", [ann]);

    const session = await insertSession(client, ann, { language: 'fr' });
    const message = await insertMessage(client, session, ann, 'À l’école', null);
    await insertMessage(client, session, ann, 'Encore', 7);
    const feedback = await insertFeedback(client, message);
    await client.query('UPDATE public.message_feedback SET grammar_score = 1 WHERE id = $1', [feedback]);
    await client.query("UPDATE public.messages SET content = 'Aussi', type = 'audio' WHERE id = $1", [message]);
    await client.query('UPDATE public.messages SET session_id = $2 WHERE id = $1', [message, second]);
    await client.query("UPDATE public.sessions SET language = 'es' WHERE id = $1", [session]);
    await client.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [first]);
    expect(await contentsFound(client, { query: 'corazones' })).toEqual(['Mi corazón']);
    expect(await contentsFound(client, { query: 'corazom', sort: 'newest' })).toEqual(['Mi corazón']);
    expect(await contentsFound(client, { query: 'hau', typing: true, session_id: second })).toEqual(['Das Haus']);
    expect((await client.query('SELECT sessions FROM public.my_session_stats')).rowCount).toBe(2);
    await client.query('DELETE FROM public.message_feedback');
    await client.query('DELETE FROM public.messages WHERE id = $1', [message]);
    await client.query(
      'UPDATE public.sessions SET id = gen_random_uuid() WHERE id NOT IN (SELECT session_id FROM public.messages)',
    );
    await client.query('DELETE FROM public.sessions');
  },
);
