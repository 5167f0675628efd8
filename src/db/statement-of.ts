import type { ClientBase } from 'pg';

const statements = new WeakMap<object, string>();

/** The statement that the server refused with this error; null where no client of Tandem's pools sent one. */
export function statementOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? (statements.get(error) ?? null) : null;
}

/**
 * `pg` gives the position of an error, but not the statement that it is a position in. Kept beside the error and not in
 * its message: values stand in parameters, but names of a user's schema need not be in every log.
 */
export function rememberStatements(client: ClientBase): void {
  const query: (...args: unknown[]) => unknown = client.query.bind(client);
  const remembering = (...args: unknown[]) => {
    const statement = textOf(args[0]);
    if (statement === null) return query(...args);
    const remember = (error: unknown) => {
      if (typeof error === 'object' && error !== null && !statements.has(error)) statements.set(error, statement);
    };
    const callback: unknown = args.at(-1);
    if (typeof callback === 'function') {
      args[args.length - 1] = (error: unknown, ...rest: unknown[]) => {
        remember(error);
        return callback(error, ...rest);
      };
      return query(...args);
    }
    const result = query(...args);
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      remember(error);
      throw error;
    });
  };
  Object.assign(client, { query: remembering });
}

/** Null for what submits itself: the stream of a COPY. */
function textOf(query: unknown): string | null {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null || 'submit' in query) return null;
  return 'text' in query && typeof query.text === 'string' ? query.text : null;
}
