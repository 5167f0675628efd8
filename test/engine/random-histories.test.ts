import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TandemError } from '../../src/engine/errors.ts';
import { createTestDatabase, type OwnedDatabase } from '../support/database.ts';
import { withCheckpoints } from './checkpoints.ts';
import { flatWithRows } from './flat-database.ts';
import { type Place, step } from './gate.ts';
import { FLAT_TITLE, groups, RandomClient } from './random-application.ts';
import { type Tandem, tandemOn } from './tandem.ts';

/** How many histories; more of them, or one of them again by the seed that a failure prints. */
const RUNS = Number(process.env.TANDEM_TEST_HISTORIES ?? 4);
const SEED = process.env.TANDEM_TEST_SEED;
const CLIENTS = 3;

// A message a block, so that a copy takes several batches, and an edited one is somewhere else; short titles.
const flat = flatWithRows('flat_histories', { sessions: 0, messages: 0 });
const setup = {
  name: flat.name,
  run: async (client: Parameters<typeof flat.run>[0]) => {
    await flat.run(client);
    await client.query(`ALTER TABLE public.sessions ALTER COLUMN title TYPE varchar(${FLAT_TITLE});
      ALTER TABLE public.messages ALTER COLUMN content SET STORAGE PLAIN`);
  },
};

/** Where a migration is met by what the clients do. */
const onTheWay = {
  targets: step('targets', 'running'),
  log: step('change-log', 'done'),
  copy: { table: 'tandem.copied_range', on: 'INSERT', when: "NEW.table_name = 'messages' AND NEW.first_block = 0" },
  build: step('build', 'running'),
  drain: step('drain', 'running'),
  verify: step('verify-rows', 'running'),
  cutover: step('cutover', 'running'),
  locks: { table: 'tandem.run', on: 'UPDATE', when: "OLD.phase = 'ready' AND NEW.phase = 'ready'" },
  swapped: step('foreign-keys', 'running'),
} satisfies Record<string, Place>;
const onTheWayBack = {
  leaving: step('session-stats', 'reverted'),
  returned: step('cutover', 'reverted'),
  emptied: step('copy', 'reverted'),
} satisfies Record<string, Place>;
type Point = keyof typeof onTheWay | keyof typeof onTheWayBack | 'between';

/** What happens at one point. Loose: the move goes on while the clients write; else it waits for them. */
const moment = fc.record({
  loose: fc.boolean(),
  /** First: then there is room for what is written next in blocks that the copy has not read yet. */
  vacuumed: fc.boolean(),
  clients: fc.tuple(groups, groups, groups),
  truncated: fc.oneof(
    { weight: 14, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom('messages' as const, 'everything' as const) },
  ),
});
type Moment = typeof moment extends fc.Arbitrary<infer T> ? T : never;

type Command = 'migrate' | 'ready' | 'rollback' | { readonly stopAt: keyof typeof onTheWay };
const scripts: readonly (readonly Command[])[] = [
  ['migrate', 'rollback', 'migrate'],
  ['ready', 'rollback', 'migrate'],
  ['ready', 'migrate', 'rollback'],
  ...(['copy', 'build', 'drain', 'verify', 'locks', 'swapped'] as const).flatMap((stopAt) => [
    [{ stopAt }, 'migrate', 'rollback'] as const,
    [{ stopAt }, 'rollback', 'migrate'] as const,
  ]),
];

const history = fc.record({
  script: fc.constantFrom(...scripts),
  moments: fc.array(moment, { minLength: 32, maxLength: 32 }),
});

const options = { timeout: Math.max(120_000, RUNS * 20_000) };

test(
  'whatever clients do at whatever point, there and back, every table holds what they were told',
  options,
  async () => {
    const carriedOut = fc.asyncProperty(history, async ({ script, moments }) => {
      const database = await createTestDatabase(setup);
      const live = await History.begin(database, moments);
      for (const command of script) {
        await live.meet('between');
        await live.carryOut(command);
      }
      await database.drop();
    });
    const [seed, path] = SEED?.split('/') ?? [];
    const result = await fc.check(carriedOut, {
      numRuns: RUNS,
      // What would be shrunk takes seconds each time; the seed brings the failure back.
      endOnFailure: true,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
    });
    if (!result.failed) return;
    const script = JSON.stringify(result.counterexample?.[0].script);
    throw new Error(`TANDEM_TEST_SEED=${result.seed}/${result.counterexamplePath} brings it back: ${script}`, {
      cause: result.errorInstance,
    });
  },
);

class History {
  private readonly database: OwnedDatabase;
  private readonly tandem: Tandem;
  private readonly clients: readonly RandomClient[];
  private readonly moments: Moment[];
  /** What each client is at. */
  private readonly busy: Promise<void>[];

  private constructor(database: OwnedDatabase, clients: readonly RandomClient[], moments: readonly Moment[]) {
    this.database = database;
    // One batch after the other: what one has read changes while another is yet to come.
    this.tandem = tandemOn(database, {}, { workers: 1 });
    this.clients = clients;
    this.moments = [...moments];
    this.busy = clients.map(async () => undefined);
  }

  static async begin(database: OwnedDatabase, moments: readonly Moment[]): Promise<History> {
    const clients: RandomClient[] = [];
    for (let i = 0; i < CLIENTS; i++) clients.push(new RandomClient(await database.connect(), i));
    for (const client of clients) await client.begin();
    return new History(database, clients, moments);
  }

  /** The next moment, at a point where Tandem stands, or none of its commands runs. */
  async meet(point: Point): Promise<void> {
    const next = this.moments.shift();
    if (next === undefined) throw new Error('There are too few moments.');
    const { truncated } = next;
    if (next.vacuumed) await this.database.pool.query('VACUUM (TRUNCATE off) public.messages, public.sessions');
    const isLast = point === 'cutover';
    if (point === 'log') this.letAll({ mayWriteUnknownLanguage: true });
    if (isLast) this.letAll({ mayWriteUnknownLanguage: false });
    if (point === 'swapped') this.letAll({ mayWriteLongTitle: true });
    for (const [i, client] of this.clients.entries()) this.afterwards(i, () => client.perform(next.clients[i] ?? []));
    if (truncated !== null) this.truncate(truncated);
    // A batch of the copy holds the tables: TRUNCATE waits for it.
    if (!next.loose && (truncated === null || point !== 'copy')) await this.settled();
    if (!isLast) return;
    for (const [i, client] of this.clients.entries()) this.afterwards(i, () => client.mendLanguages());
    await this.settled();
  }

  async carryOut(command: Command): Promise<void> {
    if (command === 'rollback') await this.rollback();
    else await this.migrate(command);
    await this.settled();
    await this.expectLedger();
    const { phase } = await this.tandem.status();
    if (!['ready', 'baking'].includes(phase) || typeof command === 'object') return;
    // What was written after the last drain is judged by the next one.
    if (phase === 'ready') await this.tandem.migrate({ stopBefore: 'cutover' });
    // What the other side cannot hold is recorded, and nothing else is amiss.
    const recorded = phase === 'baking' ? this.longTitles() : this.unknownLanguages();
    const { ok, findings } = await this.tandem.verify();
    expect({ ok, findings: recorded > 0 ? [] : findings }).toEqual({ ok: recorded === 0, findings: [] });
  }

  private async migrate(command: Exclude<Command, 'rollback'>): Promise<void> {
    // A run does not begin with values that it does not know.
    this.letAll({ mayWriteUnknownLanguage: false });
    await this.settled();
    for (const client of this.clients) await client.mendLanguages();
    const stop = new AbortController();
    const run = () =>
      this.tandem.migrate({ signal: stop.signal, ...(command === 'ready' ? { stopBefore: 'cutover' } : {}) });
    const outcome = await withCheckpoints(this.database, onTheWay, run, async (point) => {
      await this.meet(point);
      if (typeof command === 'object' && command.stopAt === point) stop.abort();
    }).catch((error: unknown) => {
      if (error instanceof TandemError) return error;
      throw error;
    });
    if (typeof command !== 'object') expect(outcome).toMatchObject({ phase: command === 'ready' ? 'ready' : 'baking' });
    // Where a stop came too late, the run is complete.
    else expect(outcome).toMatchObject(stop.signal.aborted ? {} : { phase: 'baking' });
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'TD022' });
    const { phase } = await this.tandem.status();
    this.letAll({ mayWriteUnknownLanguage: phase !== 'baking', mayWriteLongTitle: phase === 'baking' });
  }

  private async rollback(): Promise<void> {
    this.letAll({ mayWriteLongTitle: false });
    await this.settled();
    if ((await this.tandem.status()).phase === 'baking' && this.longTitles() > 0) {
      expect(await this.tandem.rollback().catch((error: unknown) => error)).toMatchObject({ code: 'TD031' });
      for (const client of this.clients) await client.shortenTitles();
    }
    await withCheckpoints(
      this.database,
      onTheWayBack,
      () => this.tandem.rollback(),
      (point) => this.meet(point),
    );
    expect((await this.tandem.status()).phase).toBe('rolled_back');
  }

  private async expectLedger(): Promise<void> {
    const at = (column: string) => `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.US+00') AS ${column}`;
    const { rows: sessions } = await this.database.pool.query(
      `SELECT id::text, user_id::text, language::text, level::text, status::text, title,
              ${['created_at', 'updated_at', 'last_accessed'].map(at).join(', ')} FROM public.sessions ORDER BY id`,
    );
    const { rows: messages } = await this.database.pool.query(
      `SELECT id::text, session_id::text, user_id::text, type::text, sequence_number, content, ${at('created_at')}
         FROM public.messages ORDER BY id`,
    );
    const told = this.clients.map((client) => client.rows);
    const byId = (a: { id?: unknown }, b: { id?: unknown }) => (String(a.id) < String(b.id) ? -1 : 1);
    expect(sessions).toEqual(told.flatMap((rows) => rows.sessions).sort(byId));
    expect(messages).toEqual(told.flatMap((rows) => rows.messages).sort(byId));
  }

  /** After all that the clients are at by now, and before what they do next: the tables are everybody's. */
  private truncate(what: 'messages' | 'everything'): void {
    const tables = what === 'messages' ? 'public.messages' : 'public.sessions, public.messages';
    const truncated = this.settled().then(async () => {
      await this.database.pool.query(`TRUNCATE ${tables} CASCADE`);
      for (const client of this.clients) client.forget(what);
    });
    for (const i of this.clients.keys()) this.busy[i] = truncated;
  }

  private afterwards(client: number, work: () => Promise<void>): void {
    const before = this.busy[client] ?? Promise.resolve();
    this.busy[client] = before.then(work);
    // It is thrown where it is waited for.
    this.busy[client].catch(() => undefined);
  }

  private async settled(): Promise<void> {
    await Promise.all(this.busy);
  }

  private letAll(may: Partial<Pick<RandomClient, 'mayWriteUnknownLanguage' | 'mayWriteLongTitle'>>): void {
    for (const client of this.clients) Object.assign(client, may);
  }

  private longTitles(): number {
    return this.clients.reduce((sum, client) => sum + client.longTitles().length, 0);
  }

  private unknownLanguages(): number {
    return this.clients.reduce((sum, client) => sum + client.unknownLanguages, 0);
  }
}
