import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type LocalServer, startLocalServer } from '../../src/db/local-server.ts';
import { withClient } from '../support/template.ts';
import { insertLessons, plainFlat } from './fixtures.ts';
import { failureShape, migratedShape, verifyShape } from './json-shapes.ts';
import { lastEvent, startTandem, tandem } from './tandem.ts';

// A server of its own: the others' must not crash.
let server: LocalServer;
beforeAll(async () => {
  const binDir = inject('binDir');
  server = await startLocalServer(binDir ? { binDir } : {});
  await withClient(server.url, async (client) => {
    await plainFlat.run(client);
    await client.query('TRUNCATE public.sessions CASCADE');
    await insertLessons(client, { sessions: 5_000, messages: 120_000 });
  });
});
afterAll(() => server.stop());

test('a server that crashes during the copy: one sentence, exit code 4, and the same command goes on', async () => {
  const args = ['migrate', '--yes', '--json', '--create-auth'];
  const running = await startTandem(args, { url: server.url });
  await running.untilPrinted('"event":"progress","step":"copy"');
  await server.restart('immediate');
  const { code, stdout, stderr } = await running.ended;
  expect(code).toBe(4);
  expect(failureShape.parse(lastEvent(stdout))).toMatchObject({
    code: 'TD021',
    name: 'connection_lost',
    hint: expect.stringContaining('Run the same command again'),
    cutover_lock_ms: null,
  });
  expect(stderr).toMatch(/^error TD021: The connection .* lost\.$/m);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr).not.toContain(new URL(server.url).password);

  const again = await tandem(args, { url: server.url });
  expect(again.stderr).toBe('');
  expect(migratedShape.parse(lastEvent(again.stdout))).toMatchObject({ phase: 'baking', rows: 125_000 });
  const { stdout: verified } = await tandem(['verify', '--json'], { url: server.url });
  expect(verifyShape.parse(JSON.parse(verified)).ok).toBe(true);
});

test('a connection that somebody ends during a rollback: the same', async () => {
  const rollback = await withClient(server.url, async (client) => {
    // A reader that does not end keeps the names from being swapped back: the rollback is in its midst.
    await client.query('BEGIN; SELECT FROM public.messages LIMIT 1');
    const running = await startTandem(['rollback', '--yes', '--json', '--debug'], { url: server.url });
    await running.untilPrinted('"event":"lock_attempt"');
    await client.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'tandem'",
    );
    return running;
  });
  const { code, stdout, stderr } = await rollback.ended;
  expect(code).toBe(4);
  expect(failureShape.parse(lastEvent(stdout)).code).toBe('TD021');
  expect(stderr).not.toContain(new URL(server.url).password);
  const again = await tandem(['rollback', '--yes', '--json'], { url: server.url });
  expect(lastEvent(again.stdout)).toMatchObject({ event: 'done', ok: true, phase: 'rolled_back' });
});

test('a disk that is full has a code of its own', async () => {
  // The limit stands in for the disk: an error of the same SQLSTATE, in the midst of a step.
  await withClient(server.url, (client) =>
    client.query(`
      CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device'; END $$;
      CREATE FUNCTION public.fill_up() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN IF to_regclass('tandem.copied_range') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'no_room')
           THEN CREATE TRIGGER no_room BEFORE INSERT ON tandem.copied_range EXECUTE FUNCTION public.no_room(); END IF; END $$;
      DROP TABLE IF EXISTS tandem.copied_range CASCADE;
      CREATE EVENT TRIGGER fill_up ON ddl_command_end EXECUTE FUNCTION public.fill_up()`),
  );
  const { code, stdout, stderr } = await tandem(['migrate', '--yes', '--json', '--create-auth'], { url: server.url });
  expect(code).toBe(4);
  expect(failureShape.parse(lastEvent(stdout))).toMatchObject({ code: 'TD025', sqlstate: '53100' });
  expect(stderr).toMatch(
    /^error TD025: The disk of the server is full: could not extend file: No space left on device\.$/m,
  );
  expect(stderr).toContain('tandem rollback');
});
