import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { createPool, type Pool } from '../../src/db/connect.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { ReportOptions, ReportRow, ReportSection } from '../../src/engine/report.ts';
import { maybeLatestRun } from '../../src/engine/run-state.ts';
import { type VerifyResult, verify } from '../../src/engine/verify.ts';
import { commonQueries } from '../../src/verify-report/common-queries.ts';
import { recordCounts } from '../../src/verify-report/record-counts.ts';
import { sql, useDirectory } from '../backup/fixtures.ts';
import { fewRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { type TestDatabase, useDatabase } from '../support/database.ts';

const newDirectory = useDirectory();

async function report(pool: Pool, options: Partial<ReportOptions> = {}): Promise<VerifyResult> {
  const { plan, options: runOptions } = tandemOn({ pool });
  const signal = new AbortController().signal;
  return verify({
    pool,
    plan,
    options: runOptions,
    emit: () => undefined,
    signal,
    report: { refresh: false, backupDir: null, ...options },
  });
}

function section(result: VerifyResult, key: string): ReportSection {
  const found = result.report?.find((s) => s.key === key);
  if (!found) throw new Error(`The report has no section ${key}.`);
  return found;
}

const rowsOf = (result: VerifyResult, key: string, where: ReportRow = {}): ReportRow[] =>
  section(result, key).rows.filter((row) => Object.entries(where).every(([name, value]) => row[name] === value));

const blocking = (findings: readonly Finding[]) => findings.filter((f) => f.severity === 'blocks');

/** Feedback on some messages of several users. */
const FEEDBACK = `INSERT INTO public.message_feedback (message_id, overall_score)
  SELECT id, 50 FROM public.messages ORDER BY id LIMIT 40`;

describe('a green migration', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  let result: VerifyResult;
  beforeAll(async () => {
    await tandemOn(database).migrate();
    await sql(database, FEEDBACK);
    result = await report(database.pool, { refresh: true });
  });

  test('holds, and says nothing but that no backup was named', () => {
    expect(result).toMatchObject({ ok: true, phase: 'baking' });
    expect(result.findings).toEqual([expect.objectContaining({ severity: 'note', subject: 'backup' })]);
    expect(result.report?.map((s) => s.key)).toEqual([
      'record_counts',
      'referential_integrity',
      'enum_values',
      'common_queries',
      'materialized_views',
      'row_security',
      'backup',
    ]);
  });

  test('counts each table, beside the retired one, and each partition', async () => {
    const [sessions] = rowsOf(result, 'record_counts', { table: 'public.sessions', partition: null });
    expect(sessions).toMatchObject({ rows: 300, retired_rows: 300, verdict: 'ok' });
    for (const name of ['sessions_active', 'sessions_archived', 'sessions_deleted']) {
      const [counted] = await sql(database, `SELECT count(*)::float8 AS rows FROM public.${name}`);
      expect(rowsOf(result, 'record_counts', { partition: name })).toMatchObject([counted]);
    }
    expect(rowsOf(result, 'record_counts', { table: 'public.messages' })).toMatchObject([{ rows: 2000 }]);
  });

  test('plans the common queries: partition pruned, index named, both times measured', () => {
    const queries = rowsOf(result, 'common_queries');
    expect(queries.filter((row) => row['pruned'] !== null)).toHaveLength(4);
    for (const row of queries) {
      expect(row['pruned']).not.toBe('no');
      expect(row['index']).not.toBe('no');
      expect(row['milliseconds']).toBeGreaterThan(0);
    }
    expect(rowsOf(result, 'common_queries', { query: 'The first page of a session' })).toMatchObject([
      { index: 'messages_sequence_number_idx', retired_milliseconds: expect.any(Number) },
    ]);
    expect(
      section(result, 'common_queries')
        .details.map((d) => d.text)
        .join(),
    ).toMatch(/ILIKE.*\n.*cost=/);
  });

  test('is content with an index of the application’s own that the server prefers', async () => {
    await sql(database, 'CREATE UNIQUE INDEX own_idx ON public.messages (session_id, sequence_number, id)');
    await sql(database, 'ANALYZE public.messages');
    const preferring = await report(database.pool);
    expect(blocking(section(preferring, 'common_queries').findings)).toEqual([]);
    expect(rowsOf(preferring, 'common_queries', { query: 'The first page of a session' })).toMatchObject([
      { index: 'own_idx', verdict: 'ok' },
    ]);
    await sql(database, 'DROP INDEX public.own_idx');
  });

  test('measures a refresh only where it was asked to, and tells a known time otherwise', async () => {
    expect(rowsOf(result, 'materialized_views')).toMatchObject([{ measured: 'just now', behind: 0 }]);
    await sql(database, "UPDATE public.sessions SET status = 'archived' WHERE status = 'active'");
    const stale = await report(database.pool);
    const [view] = rowsOf(stale, 'materialized_views');
    expect(view?.['measured']).toContain('when it was made');
    expect(view?.['behind']).toBeGreaterThan(0);
    // A time that nobody measured is not made up, and nothing was refreshed on the way.
    expect(rowsOf(await report(database.pool), 'materialized_views')).toMatchObject([{ behind: view?.['behind'] }]);
  });

  test('what waits to be counted in is behind as well, and a refresh counts it in first', async () => {
    const behind = async (refresh: boolean) =>
      rowsOf(await report(database.pool, { refresh }), 'materialized_views').map((row) => row['behind']);
    expect(await behind(true)).toEqual([0]);
    await sql(
      database,
      `UPDATE public.messages SET type = CASE type WHEN 'text' THEN 'audio' ELSE 'text' END::public.message_type
        WHERE id = (SELECT min(id::text)::uuid FROM public.messages)`,
    );
    expect(await behind(false)).toEqual([1]);
    expect(await behind(true)).toEqual([0]);
  });

  test('tries row security with both claims, as every role, and with forbidden writes', () => {
    const trials = rowsOf(result, 'row_security');
    for (const claim of ['request.jwt.claims', 'request.jwt.claim.sub']) {
      const own = trials.filter((row) => row['actor'] === `authenticated, own rows (${claim})`);
      expect(own.find((row) => row['table'] === 'public.message_feedback')?.['found']).toMatch(/^saw [1-9]/);
      expect(own.find((row) => row['table'] === 'public.session_stats')?.['found']).toBe('was refused');
    }
    expect(trials).toContainEqual(
      expect.objectContaining({ actor: 'service_role', table: 'public.sessions', found: 'saw 300 rows' }),
    );
    expect(trials.filter((row) => String(row['expected']).startsWith('not write'))).toHaveLength(3);
  });

  test('lets what was written a moment ago be in one table only, and no more than that', async () => {
    await sql(database, "DELETE FROM public.messages WHERE type = 'audio'");
    const run = await maybeLatestRun(database.pool);
    const messages = { schema: 'public', name: 'messages' };
    const counted = await recordCounts(database.pool, [messages], run?.settings.moves ?? []);
    expect(counted.findings).toEqual([]);
    const [row] = counted.rows;
    expect(row?.['waiting']).toBeGreaterThan(0);
    expect(row?.['waiting']).toBe(Number(row?.['retired_rows']) - Number(row?.['rows']));
  });

  test('leaves no row changed, and no session in another role', async () => {
    const checksum = () =>
      sql(
        database,
        `SELECT (SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM public.sessions s) AS sessions,
                (SELECT md5(string_agg(m::text, '' ORDER BY id)) FROM public.messages m) AS messages,
                (SELECT count(*) FROM tandem.changes_messages) AS logged, current_user AS role`,
      );
    // The first brings the retired tables up to date, which empties the log.
    await report(database.pool);
    const before = await checksum();
    await report(database.pool);
    expect(await checksum()).toEqual(before);
  });
});

describe('what does not hold is named', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  beforeAll(async () => {
    await tandemOn(database).migrate();
    await sql(database, FEEDBACK);
  });

  /** Spoils the database for one report, and mends it again. */
  async function spoilt(db: TestDatabase, spoil: string, mend: string): Promise<VerifyResult> {
    await sql(db, spoil);
    try {
      return await report(db.pool);
    } finally {
      await sql(db, mend);
    }
  }

  const triggersOff = (statement: string) => `SET session_replication_role = replica; ${statement}`;
  const policy = `CREATE POLICY sessions_select_own ON public.sessions FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()))`;
  const insertPolicy = `CREATE POLICY messages_insert_own ON public.messages FOR INSERT TO authenticated WITH CHECK (user_id = (SELECT auth.uid())
    AND EXISTS (SELECT FROM public.sessions own_session WHERE own_session.id = messages.session_id AND own_session.user_id = (SELECT auth.uid())))`;

  test.each<{ what: string; spoil: string; mend: string; section: string; subject: string; says: RegExp }>([
    {
      what: 'a row too many, which the change log knows nothing of',
      spoil: `ALTER TABLE tandem.messages_backup DISABLE TRIGGER ALL; DELETE FROM tandem.messages_backup WHERE id = (SELECT min(id::text)::uuid FROM public.messages)`,
      mend: `INSERT INTO tandem.messages_backup SELECT id, session_id, user_id, type::text, sequence_number, content, created_at FROM public.messages m
              WHERE NOT EXISTS (SELECT FROM tandem.messages_backup b WHERE b.id = m.id)`,
      section: 'record_counts',
      subject: 'public.messages',
      says: /has 2000 rows, and the retired table 1999/,
    },
    {
      what: 'an orphan',
      spoil: triggersOff(
        `INSERT INTO public.message_feedback (id, message_id) VALUES ('99999999-0000-4000-8000-000000000000', '11111111-0000-4000-8000-000000000000')`,
      ),
      mend: `DELETE FROM public.message_feedback WHERE id = '99999999-0000-4000-8000-000000000000'`,
      section: 'referential_integrity',
      subject: 'public.message_feedback',
      says: /message_feedback_message_id_fkey is broken by 1 row: 11111111-0000/,
    },
    {
      what: 'a registered id without its session',
      spoil: `INSERT INTO private.session_keys VALUES ('22222222-0000-4000-8000-000000000000', 'active', 'en')`,
      mend: `DELETE FROM private.session_keys WHERE id = '22222222-0000-4000-8000-000000000000'`,
      section: 'referential_integrity',
      subject: 'private.session_keys',
      says: /every registered id.*22222222-0000/,
    },
    {
      what: 'a foreign key that was dropped',
      spoil: 'ALTER TABLE public.message_feedback DROP CONSTRAINT message_feedback_message_id_fkey',
      mend: `ALTER TABLE public.message_feedback ADD CONSTRAINT message_feedback_message_id_fkey
               FOREIGN KEY (message_id) REFERENCES public.messages ON DELETE CASCADE`,
      section: 'referential_integrity',
      subject: 'public.message_feedback',
      says: /no foreign key holds message_id to public.messages/,
    },
    {
      what: 'a foreign key that was switched off',
      spoil: 'ALTER TABLE public.message_feedback DISABLE TRIGGER ALL',
      mend: 'ALTER TABLE public.message_feedback ENABLE TRIGGER ALL',
      section: 'referential_integrity',
      subject: 'public.message_feedback',
      says: /message_feedback_message_id_fkey is switched off/,
    },
    {
      what: 'a missing index',
      spoil: 'DROP INDEX public.sessions_active_user_id_idx',
      mend: 'CREATE INDEX sessions_active_user_id_idx ON public.sessions_active (user_id)',
      section: 'common_queries',
      subject: 'The active sessions of a user',
      says: /sessions_active_user_id_idx does not exist/,
    },
    {
      what: 'a materialized view that only a plain refresh could renew',
      spoil: 'DROP INDEX public.session_stats_user_status_idx',
      mend: 'CREATE UNIQUE INDEX session_stats_user_status_idx ON public.session_stats (user_id, status)',
      section: 'materialized_views',
      subject: 'public.session_stats',
      says: /no unique index/,
    },
    {
      what: 'row security that was switched off',
      spoil: 'ALTER TABLE public.messages DISABLE ROW LEVEL SECURITY',
      mend: 'ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY',
      section: 'row_security',
      subject: 'public.messages',
      says: /a stranger: sees 2000 rows, and should see none/,
    },
    {
      what: 'a policy that was dropped',
      spoil: 'DROP POLICY sessions_select_own ON public.sessions',
      mend: policy,
      section: 'row_security',
      subject: 'public.sessions',
      says: /own rows \(request.jwt.claims\): sees 0 of \d+ rows of their own/,
    },
    {
      what: 'a policy that lets everybody see',
      spoil: 'CREATE POLICY open ON public.sessions FOR SELECT TO authenticated USING (status = $$archived$$)',
      mend: 'DROP POLICY open ON public.sessions',
      section: 'row_security',
      subject: 'public.sessions',
      says: /own rows.*: sees \d+ rows of others/,
    },
    {
      what: 'a policy that does not look at the session',
      spoil: `DROP POLICY messages_insert_own ON public.messages;
              CREATE POLICY messages_insert_own ON public.messages FOR INSERT TO authenticated WITH CHECK (user_id = (SELECT auth.uid()))`,
      mend: `DROP POLICY messages_insert_own ON public.messages; ${insertPolicy}`,
      section: 'row_security',
      subject: 'public.messages',
      says: /can write into the session of somebody else/,
    },
    {
      what: 'a partition that was granted away',
      spoil:
        'ALTER TABLE public.sessions_archived DISABLE ROW LEVEL SECURITY; GRANT SELECT ON public.sessions_archived TO anon',
      mend: 'ALTER TABLE public.sessions_archived ENABLE ROW LEVEL SECURITY; REVOKE ALL ON public.sessions_archived FROM anon',
      section: 'row_security',
      subject: 'public.sessions_archived',
      says: /anon: sees \d+ rows, and should see none/,
    },
    {
      what: 'a view of everybody’s figures',
      spoil: 'GRANT SELECT ON public.session_stats TO authenticated',
      mend: 'REVOKE ALL ON public.session_stats FROM authenticated',
      section: 'row_security',
      subject: 'public.session_stats',
      says: /a stranger: sees \d+ rows/,
    },
    {
      what: 'a table that is gone',
      spoil: 'ALTER VIEW public.my_session_stats RENAME TO elsewhere',
      mend: 'ALTER VIEW public.elsewhere RENAME TO my_session_stats',
      section: 'row_security',
      subject: 'row security as authenticated, a stranger',
      says: /cannot be read: relation "public.my_session_stats" does not exist/,
    },
  ])('$what', async ({ spoil, mend, section: key, subject, says }) => {
    const result = await spoilt(database, spoil, `RESET session_replication_role; ${mend}`);
    const named = blocking(section(result, key).findings).map((f) => `${f.subject}: ${f.message}`);
    expect(named).toContainEqual(expect.stringMatching(new RegExp(`^${subject}: .*${says.source}`)));
    expect(result.ok).toBe(false);
    expect(result.findings).toEqual(expect.arrayContaining(section(result, key).findings.slice()));
  });

  test('what was mended is no longer named: nothing but the spoiling was found', async () => {
    expect(blocking((await report(database.pool)).findings)).toEqual([]);
  });

  const asked = (sql: string, partitions: string[] | null) => async () => [
    { title: 'Asked', now: { sql, values: [] }, flat: null, indexes: [], partitions },
  ];

  test('a partition that is not pruned', async () => {
    const query = asked("SELECT * FROM public.sessions WHERE user_id = '00000000-0000-0000-0000-000000000000'", [
      'sessions_active',
    ]);
    const made = await commonQueries(database.pool, query);
    expect(made.findings).toMatchObject([
      { severity: 'blocks', subject: 'Asked', message: expect.stringContaining('sessions_archived, sessions_deleted') },
    ]);
    expect(made.rows).toMatchObject([{ pruned: 'no', verdict: 'blocks' }]);
  });

  test('a query that takes too long, which is ended', async () => {
    const made = await commonQueries(database.pool, asked('SELECT pg_catalog.pg_sleep(60)', null), 200);
    expect(made.findings).toMatchObject([{ severity: 'warning', message: 'does not answer within 0.2 s' }]);
  });

  test('a query that would write, which it may not', async () => {
    const made = await commonQueries(database.pool, asked('DELETE FROM public.message_feedback RETURNING id', null));
    expect(made.findings).toMatchObject([{ severity: 'blocks', message: expect.stringContaining('read-only') }]);
    expect(await sql(database, 'SELECT count(*)::int AS rows FROM public.message_feedback')).toEqual([{ rows: 40 }]);
  });

  test('an altered file of the backup, and the others that are whole', async () => {
    const directory = newDirectory();
    await backupTables({
      pool: database.pool,
      directory,
      tables: [
        { schema: 'public', name: 'sessions' },
        { schema: 'public', name: 'messages' },
      ],
    });
    expect(blocking((await report(database.pool, { backupDir: directory })).findings)).toEqual([]);
    const file = join(directory, 'sessions_backup.csv');
    await writeFile(file, (await readFile(file, 'utf8')).replace('active', 'activE'));
    const result = await report(database.pool, { backupDir: directory });
    expect(blocking(result.findings)).toMatchObject([{ subject: 'backup', message: expect.stringContaining(file) }]);
    expect(rowsOf(result, 'backup').map((row) => [row['file'], row['verdict']])).toEqual([
      ['sessions_backup.csv', 'blocks'],
      ['messages_backup.csv', 'ok'],
    ]);
    const none = await report(database.pool, { backupDir: newDirectory('nothing') });
    expect(blocking(none.findings)).toMatchObject([{ message: expect.stringContaining('no finished backup') }]);
  });
});

describe('before the cutover', () => {
  const database = useDatabase(fewRows);

  test('there is no report yet', async () => {
    await tandemOn(database).migrate({ stopBefore: 'cutover' });
    expect(await report(database.pool)).toMatchObject({ ok: true, phase: 'ready', report: null });
  });
});

describe('after finish', () => {
  const database = useDatabase(fewRows);

  test('the report goes as far as it can without the retired tables', async () => {
    const tandem = tandemOn(database);
    await tandem.migrate();
    await tandem.finish();
    const result = await report(database.pool);
    expect(result).toMatchObject({ ok: true, phase: 'finished' });
    expect(rowsOf(result, 'record_counts', { table: 'public.sessions', partition: null })).toMatchObject([
      { rows: 300, retired_rows: null },
    ]);
    for (const row of rowsOf(result, 'common_queries')) expect(row).toMatchObject({ retired_milliseconds: null });
    expect(rowsOf(result, 'materialized_views')).toMatchObject([
      { refresh_milliseconds: null, measured: 'not known; --refresh measures it' },
    ]);
    expect(rowsOf(result, 'row_security').length).toBeGreaterThan(30);

    await sql(database, "ALTER TYPE public.session_level RENAME VALUE 'beginner' TO 'novice'");
    const renamed = section(await report(database.pool), 'enum_values');
    expect(renamed.findings.map((f) => f.message)).toEqual([
      'public.session_level is (novice, intermediate, advanced), not (beginner, intermediate, advanced)',
      expect.stringContaining('level has the value “novice”'),
    ]);
  });

  test('a role that may not take the part of others is told so, and nothing fails because of it', async () => {
    const { plan } = tandemOn(database);
    await tandemOn(database).migrate();
    await sql(
      database,
      `CREATE ROLE verify_reader LOGIN PASSWORD 'x' BYPASSRLS; GRANT pg_read_all_data TO verify_reader`,
    );
    const url = new URL(database.url);
    url.username = 'verify_reader';
    url.password = 'x';
    const pool = createPool(url.href);
    try {
      const sections = await plan.report?.({
        pool,
        phase: 'baking',
        moves: [],
        steps: [],
        options: { refresh: true, backupDir: null },
        signal: new AbortController().signal,
      });
      const [trials, views] = ['row_security', 'materialized_views'].map((key) => sections?.find((s) => s.key === key));
      expect(trials?.findings.filter((f) => f.severity === 'warning').map((f) => f.subject)).toEqual(
        expect.arrayContaining(['role authenticated', 'role anon', 'role service_role']),
      );
      expect(trials?.findings.filter((f) => f.severity === 'blocks')).toEqual([]);
      // It may not refresh the view either, and the view is not to blame for that.
      expect(views?.findings).toMatchObject([{ severity: 'warning', subject: 'public.session_stats' }]);
    } finally {
      await pool.end();
      await sql(database, 'DROP OWNED BY verify_reader; DROP ROLE verify_reader');
    }
  });
});
