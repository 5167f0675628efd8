import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { demoStages } from '../../src/demo/demo.ts';
import { eventShape } from './json-shapes.ts';
import { CTRL_C, hasPseudoTerminal, onTerminal } from './pseudo-terminal.ts';
import { eventsOf, tandem } from './tandem.ts';

const SMALL = ['demo', '--sessions', '100', '--clients', '2'];

const reportShape = z.looseObject({
  event: z.literal('done'),
  ok: z.literal(true),
  cutover_lock_ms: z.number().positive(),
  sessions: z.literal(100),
  clients: z.literal(2),
  verification: z.object({ ok: z.literal(true), differences: z.literal(0) }),
  ledger: z.looseObject({ differences: z.array(z.never()) }),
});

test('--dashboard changes nothing where there is no terminal', async () => {
  const { code, stdout } = await tandem([...SMALL, '--dashboard']);
  expect(code).toBe(0);
  expect(stdout).not.toContain('http://');
});

test('with --json, every line is an event, and the last is the report', async () => {
  const { code, stdout, stderr } = await tandem([...SMALL, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const events = eventsOf(stdout);
  reportShape.parse(events.pop());
  const told = events.map((event) => eventShape.parse(event));
  expect(told.flatMap((event) => (event.event === 'stage' ? [event.stage] : []))).toEqual(demoStages);
  expect(told).toContainEqual(expect.objectContaining({ event: 'step', name: 'cutover', state: 'done' }));
});

describe.skipIf(!hasPseudoTerminal)('on a terminal', () => {
  test('stages, steps and report stand below each other', async () => {
    const { code, lines, cursorVisible } = await (await onTerminal(SMALL, { rows: 60 })).ended;
    expect({ code, cursorVisible }).toEqual({ code: 0, cursorVisible: true });
    const text = lines.join('\n');
    expect(text).toMatch(
      /^✔ Start a private PostgreSQL .*\n✔ Fill the flat tables .*\n✔ Let clients write: .*\n\nMigrate under them\n✔ 1 /,
    );
    expect(text).toMatch(
      /\n✔ 9 +Verify the indexes.*\n(.*\n)*✔ Let clients write on, .*\n✔ Verify every column .*\n✔ Compare .*\n✔ Stop the server .*\n\n/,
    );
    expect(text).toMatch(/\n {2}Nothing lost\. \d+\.\d s in all\.\n?$/);
    expect(lines.filter((line) => line.includes('Copy the rows'))).toHaveLength(1);
  });

  test('Ctrl-C ends it, and leaves nothing running', async () => {
    const session = await onTerminal(SMALL, { rows: 60 });
    await session.until('Migrate under them');
    session.type(CTRL_C);
    const { code, lines, cursorVisible } = await session.ended;
    expect({ code, cursorVisible }).toEqual({ code: 4, cursorVisible: true });
    expect(lines.filter((line) => line.startsWith('stopped TD022: '))).toHaveLength(1);
    expect(lines.join('\n')).not.toContain('Nothing lost');
  });

  test('with the dashboard it stays, shows what happened, and can be gone back from, until Ctrl-C', async () => {
    const session = await onTerminal([...SMALL, '--dashboard'], { rows: 60, columns: 140 });
    await session.until('stays open; Ctrl-C ends it.');
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(session.sent) ?? [];
    expect(await (await fetch(`${url}/api/overview/place`)).json()).toMatchObject({ environment: { name: 'demo' } });
    expect(await (await fetch(`${url}/api/migration`)).json()).toMatchObject({
      status: { phase: 'baking' },
      clients: { cutoverAtMs: expect.any(Number) },
    });
    session.type(CTRL_C);
    const { code, lines } = await session.ended;
    expect(code).toBe(0);
    const text = lines.join('\n');
    expect(text).toMatch(/✔ Start a private PostgreSQL .*http:\/\/127/);
    expect(text).toMatch(/✔ Compare .*\n\n(.*\n)* {2}Nothing lost\./);
    await expect(fetch(url)).rejects.toThrow();
  });
});
