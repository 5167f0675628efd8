import { describe, expect, test, vi } from 'vitest';
import { type DemoReport, isFlawless } from '../../src/demo/demo-report.ts';
import { renderReport } from '../../src/demo/report.ts';

// picocolors looks at it once, when it is first imported.
vi.hoisted(() => {
  process.env.NO_COLOR = '1';
});

const calm = Array.from({ length: 60 }, (_, i) => [0.8, 2, 4, 8][i % 4] ?? 0);
const maxMs = calm.with(34, 31).with(35, 31).with(0, 0);

const perfect: DemoReport = {
  ok: true,
  serverVersion: 18,
  seed: 1,
  sessions: 20_000,
  messages: 150_000,
  clients: 6,
  loadMs: 2_412,
  totalMs: 17_890,
  migration: { rows: 170_431, elapsedMs: 2_040, rowsPerSecond: 83_544.6, cutoverLockMs: 27.4, cutoverAtMs: 3_550 },
  traffic: {
    statements: 8_180,
    latency: {
      before: { count: 2_655, perSecond: 1_316.2, p50: 0.71, p99: 5.31, max: 15.6, fromMs: 0 },
      during: { count: 2_832, perSecond: 1_291, p50: 0.94, p99: 7.82, max: 31.2, fromMs: 2_010 },
      after: { count: 2_693, perSecond: 1_333.4, p50: 0.69, p99: 4.66, max: 8.05, fromMs: 4_050 },
    },
    longestStall: { ms: 31.2, phase: 'during', statement: 'append_message', atMs: 3_498 },
    timeline: { slotMs: 100, maxMs },
    errors: {},
    uncertain: 0,
    contradictions: 0,
    samples: [],
  },
  verification: { ok: true, differences: 0 },
  ledger: { checkedSessions: 2_115, checkedMessages: 16_733, differences: [] },
};

describe('the report', () => {
  test('of a demo in which nothing was lost', () => {
    expect(renderReport(perfect)).toMatchInlineSnapshot(`
      "Tandem demo, PostgreSQL 18

        loaded          20,000 sessions, 150,000 messages in 2.4 s
        moved           170,431 rows in 2.0 s, 83,545 rows/s
        locks held      27 ms at cutover
        longest wait    31 ms (append_message, during)
        clients         6 wrote all along, 8,180 statements

                statements  per second     p50     p99     max
        before       2,655       1,316  0.7 ms  5.3 ms   16 ms
        during       2,832       1,291  0.9 ms  7.8 ms   31 ms
        after        2,693       1,333  0.7 ms  4.7 ms  8.1 ms

        longest wait in each 100 ms; █ is 31 ms, ▲ the cutover
         ▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂██▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅
        │before             │migrating     ▲    │after

        ✔ statements refused      0
        ✔ contradictory answers   0
        ✔ rows that differ        0
        ✔ writes lost             0
        2,115 sessions and 16,733 messages compared with what the clients were told

        Nothing lost. 17.9 s in all."
    `);
  });

  test('of a demo in which everything went wrong', () => {
    const differences = Array.from({ length: 1_234 }, (_, i) => `session ${i} is missing`);
    const broken: DemoReport = {
      ...perfect,
      ok: false,
      migration: { ...perfect.migration, cutoverAtMs: null },
      traffic: {
        ...perfect.traffic,
        longestStall: null,
        errors: { '0A000': 12, '42804': 3 },
        uncertain: 2,
        contradictions: 9,
        samples: ['set_status found 0 rows for session 7'],
      },
      verification: { ok: false, differences: 41 },
      ledger: { ...perfect.ledger, differences },
    };
    expect(renderReport(broken)).toMatchInlineSnapshot(`
      "Tandem demo, PostgreSQL 18

        loaded          20,000 sessions, 150,000 messages in 2.4 s
        moved           170,431 rows in 2.0 s, 83,545 rows/s
        locks held      27 ms at cutover
        longest wait    none
        clients         6 wrote all along, 8,180 statements

                statements  per second     p50     p99     max
        before       2,655       1,316  0.7 ms  5.3 ms   16 ms
        during       2,832       1,291  0.9 ms  7.8 ms   31 ms
        after        2,693       1,333  0.7 ms  4.7 ms  8.1 ms

        longest wait in each 100 ms; █ is 31 ms, ▲ the cutover
         ▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂██▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅▁▂▄▅
        │before             │migrating          │after

        ✘ statements refused      15
            0A000: 12
            42804: 3
        ✘ contradictory answers   9
            set_status found 0 rows for session 7
        ✘ rows that differ        41
            verification is not green
        ✘ writes lost             1,234
            session 0 is missing
            session 1 is missing
            session 2 is missing
            session 3 is missing
            session 4 is missing
            and 1,229 more
        2,115 sessions and 16,733 messages compared with what the clients were told
        2 statements were cut off unanswered; either outcome was accepted

        Not everything is right; see above."
    `);
  });

  test('fits 80 columns, also for a run of minutes', () => {
    const long = Array.from({ length: 1_150 }, (_, i) => (i === 700 ? 5_000 : 3));
    const timeline = { slotMs: 200, maxMs: long };
    const text = renderReport({ ...perfect, traffic: { ...perfect.traffic, timeline } });
    expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
    expect(text).toContain('█ is 5,000 ms');
    expect(text).toMatch(/longest wait in each 3,200 ms/);
    // One column of the strip is the peak, and only that.
    expect(
      text
        .split('\n')
        .filter((line) => /^ {2}[▁-█]+$/.test(line))
        .join('')
        .match(/█/g),
    ).toHaveLength(1);
  });

  test('of a demo without a single statement', () => {
    const timeline = { slotMs: 100, maxMs: [] };
    expect(renderReport({ ...perfect, traffic: { ...perfect.traffic, timeline } })).toContain(
      'longest wait in each 100 ms',
    );
  });

  test('is its own JSON form', () => {
    expect(JSON.parse(JSON.stringify(perfect))).toEqual(perfect);
  });
});

describe('a demo is flawless only where', () => {
  test.each<[string, Partial<DemoReport>]>([
    ['verification is green', { verification: { ok: false, differences: 0 } }],
    ['no row differs', { verification: { ok: true, differences: 1 } }],
    ['the ledger agrees', { ledger: { ...perfect.ledger, differences: ['session 1 is missing'] } }],
    ['no answer contradicts another', { traffic: { ...perfect.traffic, contradictions: 1 } }],
    ['anything was compared', { ledger: { ...perfect.ledger, checkedSessions: 0 } }],
    ['anything was tried', { traffic: { ...perfect.traffic, statements: 0 } }],
    ['nothing was refused', { traffic: { ...perfect.traffic, errors: { '23505': 1 } } }],
  ])('%s', (_, flaw) => {
    expect(isFlawless(perfect)).toBe(true);
    expect(isFlawless({ ...perfect, ...flaw })).toBe(false);
  });
});
