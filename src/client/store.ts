import type { Pool } from 'pg';
import type { z } from 'zod';
import type { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { type Caller, type JwtOptions, serviceCaller, userCaller } from './caller.ts';
import { type FeedbackActions, feedbackOf } from './feedback.ts';
import { inputsOf, type Limits } from './inputs.ts';
import { type Messages, messagesOf } from './messages.ts';
import { settingsOf } from './options.ts';
import { type Retries, runAs } from './run-as.ts';
import { type Search, searchOf } from './search.ts';
import { type Sessions, sessionsOf } from './sessions.ts';
import { type Stats, statsOf } from './stats.ts';
import { supabaseStore } from './supabase/store.ts';
import type { SupabaseLike, SupabaseStore, SupabaseStoreOptions } from './supabase/store-types.ts';
import { tablesOf } from './tables.ts';

/** What can be done, as whomever. */
export interface Actions {
  readonly sessions: Sessions;
  readonly messages: Messages;
  readonly feedback: FeedbackActions;
  readonly search: Search;
  readonly stats: Stats;
}

/** The actions of the service, for which row security does not apply, and a way to act as a user. */
export interface Store extends Actions {
  /**
   * Acts as the user with this id, or of this token: role `authenticated`, with the user's claims.
   *
   * @throws StoreError `invalid_caller` for what is neither; a token is verified at every call
   */
  asUser(jwtOrId: string): Actions;
  asService(): Actions;
}

export interface StoreOptions {
  /** How the tokens are verified that `asUser` is given. */
  readonly jwt?: JwtOptions;
  /** The role of the service; null for the pool's own. */
  readonly serviceRole?: string | null;
  /** Milliseconds; a session is not marked as used more often. */
  readonly touchInterval?: number;
  readonly limits?: Partial<Limits>;
  readonly retries?: Partial<Retries>;
  /** Prepare each statement by name, once for each connection: parsing and planning it is most of what a small call costs. */
  readonly prepare?: boolean;
  /** What the plan file says, where tables or columns have names of their own. */
  readonly plan?: z.input<typeof sessionsConfigSchema>;
}

/**
 * The tables that Tandem leaves behind, typed, over supabase-js: as whoever is signed in to the client.
 *
 * @throws StoreError `invalid_value` for an option that cannot be
 */
export function createStore(client: SupabaseLike, options?: SupabaseStoreOptions): SupabaseStore;
/**
 * The same, and all of it, over the application's own pool: as any user, or as the service.
 *
 * @throws StoreError `invalid_value` for an option that cannot be
 */
export function createStore(pool: Pool, options?: StoreOptions): Store;
export function createStore(
  given: Pool | SupabaseLike,
  options: StoreOptions & SupabaseStoreOptions = {},
): Store | SupabaseStore {
  return 'connect' in given ? pgStore(given, options) : supabaseStore(given, options);
}

function pgStore(pool: Pool, options: StoreOptions): Store {
  const { jwt, serviceRole, touchIntervalMs, limits, retries, prepare } = settingsOf(options);
  const tables = tablesOf(options.plan);
  const inputs = inputsOf(limits);
  const sending = { retries, prepare };
  const actionsOf = (caller: Caller): Actions => {
    const run = runAs(pool, caller, sending);
    return {
      sessions: sessionsOf(run, tables, inputs, touchIntervalMs),
      messages: messagesOf(run, tables, inputs),
      feedback: feedbackOf(run, tables, inputs),
      search: searchOf(run, tables, inputs),
      stats: statsOf(run, tables, inputs),
    };
  };
  const service = actionsOf(serviceCaller(serviceRole));
  return { ...service, asService: () => service, asUser: (jwtOrId) => actionsOf(userCaller(jwtOrId, jwt)) };
}
