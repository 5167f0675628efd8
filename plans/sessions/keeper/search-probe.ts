import type { Pool } from 'pg';
import { inTransaction } from '../../../src/db/connect.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import { languages } from './metric-definitions.ts';

export interface Probe {
  readonly language: (typeof languages)[number];
  readonly seconds: number;
  readonly error: Error | null;
}

/**
 * A common word of a lesson in each language, with an ending that its stemmer takes off, and in letters that every encoding
 * has; `keeper.take_samples()` asks for the same.
 */
const CANARIES: Readonly<Record<Probe['language'], string>> = {
  en: 'lessons',
  es: 'lecciones',
  fr: 'exercices',
  de: 'Lektionen',
};
/** A probe that takes longer has failed. */
const TIMEOUT_MS = 10_000;

/**
 * Asks the search one question in each language, as the application does, and takes the time. What is found is no matter;
 * whose turn it is comes one after the other, so that they do not wait for each other.
 */
export async function probeSearch(pool: Pool, names: SessionsNames): Promise<Probe[]> {
  const schema = quoteIdent(names.sessions.schema);
  const probes: Probe[] = [];
  for (const language of languages) {
    const startedAt = performance.now();
    const error = await inTransaction(
      pool,
      async (client) => {
        await client.query(`SET LOCAL statement_timeout = ${TIMEOUT_MS}`);
        await client.query(
          `SELECT FROM ${schema}.search_messages($1, language => $2::${schema}.session_language, correct_spelling => false)`,
          [CANARIES[language], language],
        );
      },
      'BEGIN READ ONLY',
    ).then(
      () => null,
      (thrown: unknown) => (thrown instanceof Error ? thrown : new Error(String(thrown))),
    );
    probes.push({ language, seconds: (performance.now() - startedAt) / 1000, error });
  }
  return probes;
}
