import { inputsOf } from '../inputs.ts';
import { settingsOf } from '../options.ts';
import { StoreError } from '../store-error.ts';
import { askWith } from './ask.ts';
import { restCaller } from './caller.ts';
import { restFeedback } from './feedback.ts';
import { restMessages } from './messages.ts';
import { restNames } from './names.ts';
import { restSearch, restStats } from './reading.ts';
import { isSupabase } from './recognise.ts';
import type { Rest } from './rest.ts';
import { restSessions } from './sessions.ts';
import type { SupabaseStore, SupabaseStoreOptions } from './store-types.ts';

/**
 * The store over PostgREST, each call one request, as whoever the client is signed in as.
 *
 * @throws StoreError `invalid_value` for what is no such client
 */
export function supabaseStore(client: object, options: SupabaseStoreOptions): SupabaseStore {
  if (!isSupabase(client)) {
    throw new StoreError('invalid_value', 'This is neither a pool of `pg` nor a client of supabase-js.');
  }
  const { userId, ...others } = options;
  const { touchIntervalMs, limits, retries } = settingsOf(others);
  const names = restNames(options.plan);
  const rest: Rest = {
    client: names.schema === 'public' ? client : client.schema(names.schema),
    names,
    inputs: inputsOf(limits),
    ask: askWith(retries),
    caller: restCaller(client, userId),
  };
  const store: SupabaseStore = {
    sessions: restSessions(rest, touchIntervalMs),
    messages: restMessages(rest),
    feedback: restFeedback(rest),
    search: restSearch(rest),
    stats: restStats(rest),
  };
  return Object.assign(store, { asUser: actAs, asService: actAs });
}

// Not in the type: for those who call it from JavaScript.
function actAs(): never {
  throw new StoreError('invalid_caller', 'A supabase-js client acts as whoever is signed in to it.', {
    hint: 'Make one client, and one store, for each user; or createStore(pool).asUser(…).',
  });
}
