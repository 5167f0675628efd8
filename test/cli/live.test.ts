import { describe, expect, test, vi } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { insertLessons, plainFlat } from './fixtures.ts';
import { CTRL_C, CTRL_D, hasPseudoTerminal, onTerminal } from './pseudo-terminal.ts';
import { screenAfter } from './screen.ts';
import { tandem } from './tandem.ts';

const steps = sessionsPlan(sessionsConfigSchema.parse({})).steps;
const COPYING_MESSAGES = /public\.messages +[█░]{20} +\d+ % {2}[\d,]+ \/ [\d,]+ rows/;
/** Sets a colour or a style. */
const STYLE = new RegExp(`${'\u001b'}\\[[\\d;]*m`);

describe.skipIf(!hasPseudoTerminal)('on a terminal', () => {
  const database = useDatabase(fewRows);

  test('a run is a list of its steps by the guide’s numbers, each once, and what it came to', async () => {
    const { code, sent, lines, cursorVisible } = await (await onTerminal(['migrate', '--yes'], { url: database.url }))
      .ended;
    expect({ code, cursorVisible }).toEqual({ code: 0, cursorVisible: true });
    const tasks = lines.filter((line) => /^[^\s\w] /.test(line));
    expect(tasks).toHaveLength(steps.length);
    for (const [i, { guide, title }] of steps.entries()) {
      expect(tasks[i]?.startsWith(`✔ ${guide.padEnd(4)}  ${title}`)).toBe(true);
    }
    expect(tasks.find((line) => line.includes('Copy the rows'))).toMatch(
      /Copy the rows {2}\d+(\.\d)? s {2}2,300 rows$/,
    );
    expect(tasks.find((line) => line.includes('Compare'))).toMatch(/2,300 rows compared, none differs$/);
    expect(lines[steps.length]).toBe('');
    expect(lines.filter((line) => line !== '').slice(-2)).toEqual([
      expect.stringMatching(
        /^Migrated: 2,300 rows in \d+(\.\d)? s, locks held \d+(\.\d)? ms\. The old tables are kept up to date\.$/,
      ),
      expect.stringMatching(/^Next: `tandem verify`/),
    ]);
    expect(sent).toMatch(STYLE);
  });

  test('with NO_COLOR nothing is coloured, and it is a list all the same', async () => {
    const session = await onTerminal(['migrate', '--yes'], { url: database.url, env: { NO_COLOR: '1' } });
    const { code, sent, lines } = await session.ended;
    expect(code).toBe(0);
    expect(sent).not.toMatch(STYLE);
    expect(lines.filter((line) => line.startsWith('✔ '))).toHaveLength(steps.length);
  });

  test.each([
    ['where CI is set', { env: { CI: 'true' } }],
    ['where the terminal can do nothing', { env: { TERM: 'dumb' } }],
    ['where it is too narrow', { columns: 30 }],
  ])('%s, a run is lines', async (_, options) => {
    const session = await onTerminal(['migrate', '--yes', '--stop-before', 'cutover'], {
      url: database.url,
      ...options,
    });
    const { code, sent } = await session.ended;
    expect(code).toBe(0);
    expect(sent).toMatch(/done {3}.{0,20} 5 +.{0,10}Copy the rows/);
    expect(sent).not.toContain('\u001b[2K');
  });

  test('a step that fails is marked, the rest is not begun, and the error stands below', async () => {
    const url = database.url;
    expect((await tandem(['migrate', '--yes', '--stop-before', 'cutover'], { url })).code).toBe(0);
    await database.pool.query("UPDATE tandem.sessions_partitioned SET title = 'spoilt' WHERE status = 'active'");
    const { code, lines, cursorVisible } = await (await onTerminal(['migrate', '--yes'], { url })).ended;
    expect({ code, cursorVisible }).toEqual({ code: 1, cursorVisible: true });
    expect(lines.filter((line) => line.startsWith('✖ '))).toEqual(['✖ 6     Compare every column of every row']);
    expect(lines.filter((line) => line.startsWith('· ')).length).toBe(
      steps.length - 1 - steps.findIndex(({ name }) => name === 'verify-rows'),
    );
    const error = lines.findIndex((line) => line.startsWith('error TD030: '));
    expect(error).toBeGreaterThan(steps.length);
    expect(lines.slice(steps.length, error).join('\n')).toMatch(
      /^blocks {3}public\.sessions: row .* differs in title/m,
    );
  });

  test('a rollback takes the steps back, the last one first', async () => {
    const url = database.url;
    expect((await tandem(['migrate', '--yes'], { url })).code).toBe(0);
    const { code, lines } = await (await onTerminal(['rollback', '--yes'], { url })).ended;
    expect(code).toBe(0);
    expect(lines[0]).toBe('Taking back what was done, the last step first:');
    expect(lines[1]).toMatch(/^✔ 5 +Note the migrations/);
    expect(lines).toContainEqual(expect.stringMatching(/^✔ 9 +Verify the indexes/));
    expect(lines[steps.length]).toMatch(/^✔ 1 +Back up the tables/);
    expect(lines).toContainEqual(expect.stringMatching(/^✔ 5 +Swap the names {2}names swapped back: locks held/));
  });

  test('a run that waits for its cutover says so, below the step that comes next', async () => {
    const args = ['migrate', '--yes', '--stop-before', 'cutover', '--wait'];
    const session = await onTerminal(args, { url: database.url, env: { NO_COLOR: '1' } });
    await session.until('Ready. Draining until `tandem cutover`');
    // What has come may end in the midst of a frame: the next one is drawn soon.
    await vi.waitFor(
      () => {
        const { lines } = screenAfter(session.sent);
        const waiting = lines.findIndex((line) => line.includes('Ready. Draining'));
        expect(lines[waiting - 1]).toMatch(/ 5 +Swap the names$/);
      },
      { timeout: 20_000 },
    );
    const asked = await tandem(['cutover', '--yes'], { url: database.url });
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    const ended = await session.ended;
    expect(ended.code).toBe(0);
    expect(ended.lines).toContainEqual(expect.stringMatching(/^✔ 5 +Swap the names .*locks held/));
    expect(ended.lines).toContainEqual(expect.stringMatching(/^note +Ready\. Draining/));
  });

  test('a question is asked, with what was found above it', async () => {
    const cases = [
      { keys: 'n\r', code: 3, text: 'error TD013: Nothing was done.' },
      { keys: '\r', code: 3, text: 'error TD013: Nothing was done.' },
      { keys: CTRL_D, code: 3, text: 'error TD013: Nothing was done.' },
      { keys: CTRL_C, code: 4, text: 'stopped TD022: Stopped before anything was done.' },
    ];
    for (const { keys, code, text } of cases) {
      const session = await onTerminal(['migrate'], { url: database.url });
      await session.until('Begin the migration? [y/N] ');
      session.type(keys);
      const ended = await session.ended;
      expect(ended.code).toBe(code);
      expect(ended.lines).toContainEqual(text);
    }
    const { rows } = await database.pool.query("SELECT to_regnamespace('tandem') AS there");
    expect(rows).toEqual([{ there: null }]);
    const session = await onTerminal(['migrate', '--stop-before', 'cutover'], { url: database.url });
    await session.until('[y/N] ');
    session.type('y\r');
    expect((await session.ended).code).toBe(0);
    const again = await onTerminal(['rollback'], { url: database.url });
    await again.until('Drop what the run has built? The live tables stay as they are. [y/N] ');
    again.type('y\r');
    expect((await again.ended).code).toBe(0);
  });

  test('where findings block, nothing is asked', async () => {
    await database.pool.query("UPDATE public.sessions SET level = 'wizard'");
    const { code, lines } = await (await onTerminal(['migrate'], { url: database.url })).ended;
    expect(code).toBe(3);
    expect(lines[0]).toMatch(/^blocks {3}public\.sessions: 300 rows have a level that does not fit \('wizard'\)/);
    expect(lines.join('\n')).not.toContain('[y/N]');
  });

  test('status --watch shows one status, over and over, until Ctrl-C', async () => {
    expect((await tandem(['migrate', '--yes', '--stop-before', 'cutover'], { url: database.url })).code).toBe(0);
    const session = await onTerminal(['status', '--watch'], { url: database.url });
    await session.until('next: ');
    await database.pool.query('UPDATE tandem.control SET paused = true');
    await session.until('`tandem resume`');
    session.type(CTRL_C);
    const { code, lines } = await session.ended;
    expect(code).toBe(0);
    expect(lines.filter((line) => line.startsWith('plan sessions'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('Copy the rows'))).toHaveLength(1);
  });
});

describe.skipIf(!hasPseudoTerminal)('a long run on a terminal', () => {
  const database = useDatabase(plainFlat);

  test('shows how far it is; Ctrl-C stops it with one line and how to go on; the next one goes on', async () => {
    await database.pool.query('TRUNCATE public.sessions CASCADE');
    await insertLessons(database.pool, { sessions: 3_000, messages: 100_000 });
    const args = ['migrate', '--yes', '--create-auth', '--stop-before', 'cutover', '--workers', '1'];
    const session = await onTerminal(args, { url: database.url, env: { NO_COLOR: '1' } });
    await session.until('█  100 %  3,000 / 3,000 rows');
    await session.until(COPYING_MESSAGES);
    session.type(CTRL_C);
    const { code, sent, lines, cursorVisible } = await session.ended;
    expect({ code, cursorVisible }).toEqual({ code: 4, cursorVisible: true });
    // Never analyzed, as it was just filled: how many rows there are is known once the first ones are read.
    expect(sent).not.toContain('0 / 0 rows');
    expect(lines.filter((line) => line.includes('TD022'))).toHaveLength(1);
    expect(lines.filter((line) => line !== '').at(-1)).toBe('hint: Run the same command again to go on.');
    // What the key itself leaves on a terminal is gone with the list, and what was said meanwhile, too.
    expect(lines.join('\n')).not.toContain('^C');
    expect(lines.filter((line) => /^[✔■·✖] /.test(line))).toHaveLength(steps.length);
    const again = await (await onTerminal(args, { url: database.url })).ended;
    expect(again.code).toBe(0);
    expect(again.lines).toContainEqual(expect.stringMatching(/^Ready: 103,000 rows/));
  });

  test('after a second Ctrl-C it is over at once, and the cursor is back', async () => {
    // A reader that does not end keeps the change log off the table: attempt after attempt, for a minute.
    const reader = await database.connect();
    await reader.query('BEGIN; LOCK TABLE public.messages IN ROW EXCLUSIVE MODE');
    const session = await onTerminal(['migrate', '--yes', '--create-auth'], { url: database.url });
    await session.until('attempt 2 of');
    session.type(CTRL_C + CTRL_C);
    const { code, lines, cursorVisible } = await session.ended;
    expect({ code, cursorVisible }).toEqual({ code: 4, cursorVisible: true });
    expect(lines.join('\n')).toMatch(/Run the same command again to go on\./);
  });
});
