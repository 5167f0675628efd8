import { createClient, type SupabaseClient, type SupabaseClientOptions } from '@supabase/supabase-js';
import { createStore, type SupabaseStore, type SupabaseStoreOptions } from '../../src/client/index.ts';
import type { As, Rest } from '../supabase/postgrest.ts';

/** It is made with every client, and wants a WebSocket, which Node has since version 22. Nobody listens to anything here. */
class NoSocket {
  constructor() {
    throw new Error('There is no realtime in these tests.');
  }
}

export const common = {
  // Supabase's gateway finds PostgREST under this path; here is no gateway.
  global: { fetch: (input, init) => fetch(String(input).replace('/rest/v1/', '/'), init) },
  realtime: { transport: NoSocket as never },
} satisfies SupabaseClientOptions<'public'>;

/** A client that nobody is signed in to, with a key of its own: the service's, or none that says who it is. */
export function clientWith(url: string, key: string): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    ...common,
  });
}

/** A client as an application has it: signed in by supabase-js itself, or with the key of the service. */
export async function clientAs(rest: Rest, as: As): Promise<SupabaseClient> {
  const token = await rest.token(as);
  if (as === 'service_role' || as === 'anon') return clientWith(rest.url, token);
  const session = {
    access_token: token,
    refresh_token: 'none',
    token_type: 'bearer',
    expires_in: 3600,
    expires_at: Math.floor(Date.now() / 1000) + 3600,
    user: { id: as, aud: 'authenticated', role: 'authenticated' },
  };
  return createClient(rest.url, await rest.token('anon'), {
    auth: {
      autoRefreshToken: false,
      storage: { getItem: () => JSON.stringify(session), setItem: () => undefined, removeItem: () => undefined },
    },
    ...common,
  });
}

export async function storeAs(rest: Rest, as: As, options: SupabaseStoreOptions = {}): Promise<SupabaseStore> {
  return createStore(await clientAs(rest, as), options);
}

/** A store of this user whose requests would fail for want of a server. */
export function nowhere(user: string): SupabaseStore {
  return createStore(clientWith('http://127.0.0.1:1', 'a key'), { userId: user });
}
