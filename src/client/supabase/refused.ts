import { notFound } from '../inputs.ts';
import { StoreError } from '../store-error.ts';

/**
 * Row security refuses a row that refers to somebody else's, where `pg`'s statement finds nothing to refer to. Both stores say
 * `not_found` then: whether it is there is nobody's business. Looked up only after a refusal.
 */
export async function refusedOrAbsent<T>(
  written: Promise<T>,
  lookUp: () => Promise<readonly unknown[]>,
  what: string,
): Promise<T> {
  try {
    return await written;
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'not_allowed' && (await lookUp()).length === 0)
      throw notFound(what);
    throw error;
  }
}
