import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { displayName, quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import type { Finding } from '../../../src/engine/events.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { enumLabels } from '../shape.ts';
import { SEARCH_FILES } from '../statements.ts';
import { planStatements } from '../templates.ts';

/** As many as search_messages returns at once. */
const PAGE = 100;

/** `search_messages`, and a proof in every language that has messages: a message is found by a word of its own. */
export function searchStep(names: SessionsNames): Step {
  const statements = () => SEARCH_FILES.flatMap((file) => planStatements(file, names, 'live'));
  return {
    name: 'search',
    guide: '10',
    title: 'Create search_messages',
    phase: 'baking',
    plan: async () => [
      ...statements().map((sql) => ({ sql, lock: null, cost: 'catalog only' })),
      { sql: REFRESH, lock: null, cost: `scan of ${displayName(names.messages)}` },
    ],
    apply: async ({ pool, emit }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of statements()) await client.query(sql);
      });
      if (!(await hasUnaccent(pool))) emit({ event: 'note', message: WITHOUT_UNACCENT });
      await pool.query(REFRESH);
      return undefined;
    },
    verify: async ({ pool, emit }) => {
      const findings: Finding[] = [];
      for (const language of enumLabels['session_language'] ?? []) {
        const probe = await probeOf(pool, names, language);
        if (probe === null) {
          emit({ event: 'note', message: `There is no message in ${language} to try the search with.` });
          continue;
        }
        const { rows } = await pool.query<{ id: string }>(
          `SELECT id FROM ${quoteIdent(names.sessions.schema)}.search_messages($1, $2, max_results => $3)`,
          [probe.word, probe.session_id, PAGE],
        );
        if (rows.length < PAGE && !rows.some((row) => row.id === probe.id)) {
          findings.push({
            severity: 'blocks',
            subject: 'search_messages',
            message: `does not find message ${probe.id} (${language}) by its word “${probe.word}”`,
          });
        }
      }
      return findings;
    },
    revert: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of planStatements('search-revert', names, 'live')) await client.query(sql);
      });
    },
  };
}

/** Fills the words for corrections; later ones are for a scheduler to add. */
const REFRESH = 'SELECT private.refresh_search_words()';

const WITHOUT_UNACCENT =
  'The extension unaccent is not installed: words are found only with the accents that they are written with.';

async function hasUnaccent(client: Queryable): Promise<boolean> {
  const { rowCount } = await client.query("SELECT FROM pg_catalog.pg_extension WHERE extname = 'unaccent'");
  return rowCount === 1;
}

/** A message of a language, and a word of it that its configuration indexes. */
async function probeOf(
  pool: Pool,
  names: SessionsNames,
  language: string,
): Promise<{ id: string; session_id: string; word: string } | null> {
  const content = quoteIdent(names.messagesColumns['content'] ?? 'content');
  const { rows } = await pool.query<{ id: string; session_id: string; word: string }>(
    `SELECT m.${quoteIdent(names.messagesColumns['id'] ?? 'id')} AS id, m.${quoteIdent(names.messagesColumns['session_id'] ?? 'session_id')} AS session_id, w.word
       FROM ${quoteName(names.messages)} m
      CROSS JOIN LATERAL (SELECT r[1] AS word FROM pg_catalog.regexp_matches(pg_catalog.left(m.${content}, 10000), '\\m[[:alpha:]]{5,40}\\M', 'g') AS r) w
      WHERE m.language::text = $1 AND pg_catalog.numnode(pg_catalog.websearch_to_tsquery(
              (CASE $1 WHEN 'es' THEN 'pg_catalog.spanish' WHEN 'fr' THEN 'pg_catalog.french'
                       WHEN 'de' THEN 'pg_catalog.german' ELSE 'pg_catalog.english' END)::regconfig, w.word)) > 0 LIMIT 1`,
    [language],
  );
  return rows[0] ?? null;
}
