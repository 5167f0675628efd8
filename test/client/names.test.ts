import pg from 'pg';
import { expect, test } from 'vitest';
import { createStore } from '../../src/client/index.ts';
import { tandemOn } from '../engine/tandem.ts';
import { insertUser } from '../plans/sessions/fixtures.ts';
import { config, renamed } from '../plans/sessions/renamed-tables.ts';
import { useDatabase } from '../support/database.ts';
import { kindOf } from './fixtures.ts';

const database = useDatabase(renamed);

test('tables and columns of other names are read and written under the guide’s', async () => {
  const tandem = tandemOn(database, config);
  await tandem.migrate();
  await tandem.finish();
  const client = await database.connect();
  const [ann, bob] = [await insertUser(client), await insertUser(client)];
  const pool = new pg.Pool({ connectionString: database.url });
  try {
    const store = createStore(pool, { plan: config });
    for (const { sessions, messages, feedback, search, stats } of [store.asUser(ann), store.asService()]) {
      const session = await sessions.create({ user_id: ann, language: 'de', level: 'advanced', title: 'Zoo' });
      expect(session).toMatchObject({ user_id: ann, language: 'de', level: 'advanced', status: 'active' });
      const message = await messages.append({ session_id: session.id, content: 'Die Giraffen' });
      expect(message).toMatchObject({
        session_id: session.id,
        user_id: ann,
        sequence_number: 1,
        content: 'Die Giraffen',
      });
      expect(await messages.edit(message.id, { content: 'Die Elefanten' })).toMatchObject({ content: 'Die Elefanten' });
      await feedback.record({ message_id: message.id, overall_score: 70 });
      expect(await feedback.average({ session_id: session.id })).toMatchObject({ feedback: 1, overall_score: 70 });
      expect(await search('Elefanten', { session_id: session.id })).toMatchObject([
        { id: message.id, session_title: 'Zoo' },
      ]);
      expect(await sessions.touch(session.id)).toBe(false);
      expect(await sessions.archive(session.id)).toMatchObject({ status: 'archived' });
      expect((await sessions.list({ user_id: ann, status: 'archived' })).rows).toMatchObject([{ id: session.id }]);
      await client.query('SELECT private.fold_session_changes(); REFRESH MATERIALIZED VIEW "My App".session_stats');
      expect(await stats({ user_id: ann })).toMatchObject([{ user_id: ann, status: 'archived', messages: 1 }]);
      expect(await kindOf(store.asUser(bob).sessions.archive(session.id))).toBe('not_found');
      await sessions.purge(session.id);
    }
  } finally {
    await pool.end();
  }
});
