import { z } from 'zod';
import { isTransient } from '../../db/sqlstate.ts';
import { delay } from '../delay.ts';
import type { Retries } from '../run-as.ts';
import { refusalOf, restFailure } from './failure.ts';

/** As supabase-js resolves every request, refused or not. */
export interface Answer {
  readonly data: unknown;
  readonly error: unknown;
  readonly status: number;
}

/**
 * Sends one request, which PostgREST carries out in one transaction, and returns its rows. The request is made anew for each
 * attempt. @throws StoreError for what the server refuses
 */
export type Ask = (request: () => PromiseLike<Answer>) => Promise<readonly unknown[]>;

const rows = z.array(z.unknown());

export function askWith(retries: Retries): Ask {
  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      const { data, error, status } = await request();
      if (error === null) return rows.parse(data ?? []);
      const refusal = refusalOf(error);
      if (attempt >= retries.attempts || !isTransient(refusal.code)) throw restFailure(refusal, status);
      await delay(retries.backoff(attempt));
    }
  };
}
