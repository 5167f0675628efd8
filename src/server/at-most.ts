import { TandemError } from '../engine/errors.ts';

/**
 * Lets so many pieces of work be at hand, and refuses the next with the message: each takes a connection, and a processor of a server
 * on which other people's applications work.
 *
 * @throws TD026
 */
export function atMost(most: number, message: string): <T>(work: () => Promise<T>) => Promise<T> {
  let atHand = 0;
  return async (work) => {
    if (atHand >= most) throw new TandemError('TD026', message, { hint: 'Try again in a moment.' });
    atHand++;
    try {
      return await work();
    } finally {
      atHand--;
    }
  };
}
