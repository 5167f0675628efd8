import type { z } from 'zod';
import type { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import type { FeedbackActions } from '../feedback.ts';
import type { Limits } from '../inputs.ts';
import type { Messages } from '../messages.ts';
import type { Retries } from '../run-as.ts';
import type { Search } from '../search.ts';
import type { Sessions } from '../sessions.ts';
import type { Stats } from '../stats.ts';

/**
 * A client of supabase-js, or of postgrest-js, by what is called of it. Spelled out here, and imported nowhere that a
 * declaration leads to: whoever uses `pg` need not have the types of supabase-js.
 */
export interface SupabaseLike {
  from(relation: never): unknown;
  rpc(name: never): unknown;
}

/**
 * What can be done through PostgREST, as whoever the client is signed in as. `feedback.average`, `asUser` and `asService`
 * are not there, and refused where they are called all the same.
 */
export interface SupabaseStore {
  readonly sessions: Sessions;
  readonly messages: Messages;
  readonly feedback: Pick<FeedbackActions, 'record'>;
  readonly search: Search;
  readonly stats: Stats;
}

export interface SupabaseStoreOptions {
  /**
   * Who is signed in, where supabase-js does not know it: a client that carries a token in its headers, or gets one from
   * `accessToken`. Null: nobody, as with the key of the service. It says whose rows are made; what may be done, the token says.
   */
  readonly userId?: string | null | (() => Promise<string | null>);
  /** Milliseconds, by the clock of this machine; a session is not marked as used more often. */
  readonly touchInterval?: number;
  readonly limits?: Partial<Limits>;
  readonly retries?: Partial<Retries>;
  /** What the plan file says, where tables or columns have names of their own. */
  readonly plan?: z.input<typeof sessionsConfigSchema>;
}
