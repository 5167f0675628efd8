import { SqlState, sqlStateOf } from '../db/sqlstate.ts';

/**
 * The name under which a statement is prepared. It is made of the text itself: behind a pooler one connection to the server
 * has many clients, and the same name must never stand for two texts.
 */
export async function preparedName(text: string): Promise<string> {
  const known = names.get(text);
  if (known !== undefined) return known;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  // 128 bits: PostgreSQL cuts a name after 63 bytes.
  const name = `tandem_${Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  names.set(text, name);
  return name;
}

// As many as there are actions and ways to narrow them, a few dozen: values are never part of a text.
const names = new Map<string, string>();

/** Why a prepared statement failed that would not have failed otherwise; null for every other error. */
export function preparedFailure(error: unknown): 'not_kept' | 'outdated' | null {
  switch (sqlStateOf(error)) {
    // A pooler in transaction mode: another connection to the server prepared it, or somebody else on this one.
    case SqlState.invalidSqlStatementName:
    case SqlState.duplicatePreparedStatement:
      return 'not_kept';
    // "cached plan must not change result type": a column was altered. PostgreSQL says nothing more exact.
    case SqlState.featureNotSupported:
      return 'outdated';
    default:
      return null;
  }
}
