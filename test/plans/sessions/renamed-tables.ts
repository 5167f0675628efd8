import { flatWithRows } from '../../engine/flat-database.ts';
import type { Config } from '../../engine/tandem.ts';
import type { Setup } from '../../support/database.ts';

/** The same tables under an application's own names, in a schema of its own; some of them need quotes. */
const few = flatWithRows('names_few', { sessions: 60, messages: 300 });
export const renamed: Setup = {
  name: 'renamed',
  run: async (client) => {
    await few.run(client);
    await client.query(`
      CREATE SCHEMA "My App";
      ALTER TABLE public.sessions SET SCHEMA "My App";
      ALTER TABLE public.messages SET SCHEMA "My App";
      ALTER TABLE "My App".sessions RENAME TO "Chat Rooms";
      ALTER TABLE "My App".messages RENAME TO lines;
      ALTER TABLE "My App"."Chat Rooms" RENAME COLUMN user_id TO owner;
      ALTER TABLE "My App"."Chat Rooms" RENAME COLUMN language TO lang;
      ALTER TABLE "My App"."Chat Rooms" RENAME COLUMN status TO "State";
      ALTER TABLE "My App"."Chat Rooms" RENAME COLUMN last_accessed TO "last seen";
      ALTER TABLE "My App"."Chat Rooms" DROP COLUMN level, ADD COLUMN details jsonb;
      UPDATE "My App"."Chat Rooms" SET details = jsonb_build_object('level', CASE WHEN lang = 'en' THEN 'advanced' ELSE 'beginner' END);
      ALTER TABLE "My App".lines RENAME COLUMN id TO line_id;
      ALTER TABLE "My App".lines RENAME COLUMN session_id TO room;
      ALTER TABLE "My App".lines RENAME COLUMN user_id TO author;
      ALTER TABLE "My App".lines RENAME COLUMN content TO "Text";
      ALTER TABLE "My App".lines RENAME COLUMN sequence_number TO "order";
      GRANT USAGE ON SCHEMA "My App" TO authenticated, service_role`);
  },
};
/** The plan file for them. */
export const config: Config = {
  sessions: {
    table: '"My App"."Chat Rooms"',
    columns: {
      user_id: 'owner',
      language: { column: 'lang' },
      status: 'State',
      last_accessed: 'last seen',
      level: { sql: "s.details->>'level'" },
    },
  },
  messages: {
    table: '"My App".lines',
    columns: { id: 'line_id', session_id: 'room', user_id: 'author', content: 'Text', sequence_number: 'order' },
  },
};
