/** A name to replace: a pattern for it as the server writes it, and what takes its place. */
export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/**
 * Replaces names in SQL as the server writes it. Whole names only: `public.sessions` is no part of
 * `public.sessions_archive`, nor of `my_public.sessions`; what stands in a literal is a text, and stays.
 */
export function renameIn(sql: string, names: readonly Renaming[]): string {
  return names.reduce(
    (text, { from, to }) =>
      text.replaceAll(new RegExp(`'(?:[^']|'')*'|(?<![\\w$".])${from}(?![\\w$"])`, 'g'), (found) =>
        found.startsWith("'") ? found : to,
      ),
    sql,
  );
}
