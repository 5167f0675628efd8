import type { SupabaseClient } from '@supabase/supabase-js';
import type { SupabaseLike } from './store-types.ts';

/** What is used of it. A client of postgrest-js has no `auth`, and one with an access token of its own lets nobody read it. */
export type Supabase = Pick<SupabaseClient, 'from' | 'rpc' | 'schema'> & Partial<Pick<SupabaseClient, 'auth'>>;

/** By its shape: nothing is imported of supabase-js, which may not be installed. A pool of `pg` connects. */
export function isSupabase(given: object): given is SupabaseLike & Supabase {
  return (
    'from' in given &&
    typeof given.from === 'function' &&
    'rpc' in given &&
    typeof given.rpc === 'function' &&
    !('connect' in given)
  );
}
