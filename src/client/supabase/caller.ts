import { id } from '../inputs.ts';
import { StoreError } from '../store-error.ts';
import type { Supabase } from './recognise.ts';
import type { SupabaseStoreOptions } from './store-types.ts';

/** Who is signed in: as the options say, or else as supabase-js knows it; asked at every call anew. */
export function restCaller(client: Supabase, userId: SupabaseStoreOptions['userId']): () => Promise<string | null> {
  if (userId === undefined) return () => signedIn(client);
  if (typeof userId === 'function') return async () => checked(await userId());
  const fixed = checked(userId);
  return async () => fixed;
}

async function signedIn(client: Supabase): Promise<string | null> {
  const { data, error } = (await authOf(client)?.getSession()) ?? { data: { session: null }, error: null };
  if (error) throw error;
  return data.session ? checked(data.session.user.id) : null;
}

/** Null where the client has none: one of postgrest-js, or one that was made with `accessToken`. */
function authOf(client: Supabase): Supabase['auth'] | null {
  // Such a client throws at every property that is read of its `auth`.
  if ('accessToken' in client && typeof client.accessToken === 'function') return null;
  return client.auth ?? null;
}

function checked(userId: string | null): string | null {
  if (userId === null || id.safeParse(userId).success) return userId;
  throw new StoreError('invalid_caller', 'This is not the id of a user.');
}
