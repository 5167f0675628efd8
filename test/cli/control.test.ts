import { expect, test } from 'vitest';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { eventShape, migratedShape, statusShape } from './json-shapes.ts';
import { eventsOf, lastEvent, startTandem, tandem } from './tandem.ts';

const database = useDatabase(fewRows);
const run = (...args: string[]) => tandem(args, { url: database.url });
const status = async () => statusShape.parse(JSON.parse((await run('status', '--json')).stdout));

test.each([['pause'], ['resume'], ['throttle', 'max-active=5'], ['cutover', '--yes']])(
  'tandem %s without a run is refused',
  async (...args) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error TD012: No run is open in this database\.\nhint: `tandem migrate` begins one\.$/m);
  },
);

test('a run that waits for its cutover is held, let go on, and cut over from another terminal', async () => {
  const waiting = await startTandem(['migrate', '--yes', '--json', '--stop-before', 'cutover', '--wait'], {
    url: database.url,
  });
  await waiting.untilPrinted('"event":"note","message":"Ready.');
  expect(await run('pause')).toMatchObject({ code: 0, stdout: 'Paused. `tandem resume` lets the run go on.\n' });
  await waiting.untilPrinted('"event":"throttle","reason":"paused');
  expect(await status()).toMatchObject({ phase: 'ready', paused: true, holder: { command: 'migrate' } });
  expect((await run('status')).stdout).toMatch(/waiting: paused by `tandem pause`\npaused: `tandem resume`/);
  expect((await run('resume')).code).toBe(0);
  await waiting.untilPrinted('"event":"throttle","reason":null');
  expect(await run('throttle', 'max-active=150', 'max-wal-rate=1GB')).toMatchObject({
    code: 0,
    stdout: 'The run minds max-active=150, max-wal-rate=1GB from its next batch on.\n',
  });

  const cutover = await run('cutover', '--yes', '--json');
  expect(cutover).toMatchObject({ code: 0, stderr: '' });
  const [note, done] = eventsOf(cutover.stdout);
  expect(note).toMatchObject({ event: 'note', message: expect.stringContaining('`tandem migrate` on ') });
  expect(done).toMatchObject({ event: 'done', ok: true, phase: 'baking' });
  const { code, stdout } = await waiting.ended;
  expect(code).toBe(0);
  const events = eventsOf(stdout);
  expect(migratedShape.parse(events.pop()).phase).toBe('baking');
  for (const event of events) eventShape.parse(event);
});

test('cutover goes on by itself where no run is at work', async () => {
  expect((await run('migrate', '--yes', '--stop-before', 'cutover')).code).toBe(0);
  const { code, stdout } = await run('cutover', '--yes', '--json');
  expect(code).toBe(0);
  const done = migratedShape.parse(lastEvent(stdout));
  expect(done.phase).toBe('baking');
  expect(done.cutover_lock_ms).toBeGreaterThan(0);
});
