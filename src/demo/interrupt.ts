import { TandemError } from '../engine/errors.ts';

const PATIENCE_MS = 2_000;

/** Does work that itself ends soon once `signal` is aborted, and waits for that end. Throws TD022 if it was aborted. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal?.aborted) throw interrupted();
  try {
    return await work();
  } catch (error) {
    throw signal?.aborted ? interrupted() : error;
  }
}

/**
 * Like `unlessAborted`, for work that may not look at the signal: it has a moment to end in order, then nobody waits for
 * it any longer, so that a second interrupt is not needed.
 */
export function abandonIfAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  return unlessAborted(signal, () => {
    if (!signal) return work();
    return new Promise((resolve, reject) => {
      let patience: NodeJS.Timeout | undefined;
      const abort = () => {
        patience = setTimeout(() => reject(interrupted()), PATIENCE_MS);
      };
      signal.addEventListener('abort', abort, { once: true });
      work()
        .finally(() => {
          signal.removeEventListener('abort', abort);
          clearTimeout(patience);
        })
        .then((result) => (signal.aborted ? reject(interrupted()) : resolve(result)), reject);
    });
  });
}

function interrupted(): TandemError {
  return new TandemError('TD022', 'The demo was interrupted.', {
    hint: 'Its server and its files are gone; start it again.',
  });
}
