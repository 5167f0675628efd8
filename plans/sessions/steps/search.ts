import type { Pool } from 'pg';
import { inTransaction } from '../../../src/db/connect.ts';
import { quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import type { Finding } from '../../../src/engine/events.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { enumLabels } from '../shape.ts';
import { planStatements } from '../templates.ts';

/** `search_messages`, and a proof in every language that has messages: a message is found by a word of its own. */
export function searchStep(names: SessionsNames): Step {
  const statements = () => ['search', 'embedding'].flatMap((file) => planStatements(file, names, 'live'));
  return {
    name: 'search',
    guide: '10',
    title: 'Create search_messages',
    phase: 'baking',
    plan: async () => statements().map((sql) => ({ sql, lock: null, cost: 'catalog only' })),
    apply: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of statements()) await client.query(sql);
      });
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
        const { rowCount } = await pool.query(
          `SELECT FROM ${quoteIdent(names.sessions.schema)}.search_messages($1, $2) AS found WHERE found.id = $3`,
          [probe.word, probe.session_id, probe.id],
        );
        if (rowCount === 0) {
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
      const schema = quoteIdent(names.sessions.schema);
      const [sessions, messages] = [quoteName(names.sessions), quoteName(names.messages)];
      await pool.query(
        `DROP FUNCTION IF EXISTS ${schema}.search_messages(text, uuid, uuid);
         DROP TYPE IF EXISTS ${schema}.message_match;
         DROP FUNCTION IF EXISTS ${messages}(${sessions}), ${sessions}(${messages});
         NOTIFY pgrst, 'reload schema'`,
      );
    },
  };
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
      CROSS JOIN LATERAL (SELECT r[1] AS word FROM pg_catalog.regexp_matches(m.${content}, '[[:alpha:]]{5,}', 'g') AS r) w
      WHERE m.language::text = $1 AND pg_catalog.numnode(pg_catalog.websearch_to_tsquery(
              (CASE $1 WHEN 'es' THEN 'pg_catalog.spanish' WHEN 'fr' THEN 'pg_catalog.french'
                       WHEN 'de' THEN 'pg_catalog.german' ELSE 'pg_catalog.english' END)::regconfig, w.word)) > 0 LIMIT 1`,
    [language],
  );
  return rows[0] ?? null;
}
