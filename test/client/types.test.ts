import type { SupabaseClient } from '@supabase/supabase-js';
import type { Pool } from 'pg';
import { expectTypeOf, test } from 'vitest';
import {
  type Actions,
  createStore,
  type Message,
  type Page,
  type SearchMatch,
  type Session,
  type Store,
  type StoreErrorKind,
  type SupabaseStore,
} from '../../src/client/index.ts';

// The compiler is the judge (`npm run check`): a line below `@ts-expect-error` that compiles is an error itself.

test('rows have the types of the catalog', () => {
  expectTypeOf<Session['status']>().toEqualTypeOf<'active' | 'archived' | 'deleted'>();
  expectTypeOf<Session['title']>().toEqualTypeOf<string | null>();
  expectTypeOf<Session['last_accessed']>().toEqualTypeOf<Date>();
  expectTypeOf<Message['sequence_number']>().toEqualTypeOf<number>();
  expectTypeOf<Message['type']>().toEqualTypeOf<'text' | 'audio' | 'system'>();
  expectTypeOf<SearchMatch['rank']>().toEqualTypeOf<number>();
  expectTypeOf<Actions['sessions']['list']>().returns.resolves.toEqualTypeOf<Page<Session>>();
  expectTypeOf<'not_found'>().toExtend<StoreErrorKind>();
});

test('what cannot be does not compile', () => {
  const never = ({ sessions, messages, feedback, search }: Actions) => [
    // @ts-expect-error no such label
    sessions.create({ language: 'it', level: 'beginner' }),
    // @ts-expect-error the level is missing
    sessions.create({ language: 'en' }),
    // @ts-expect-error no such status
    sessions.list({ status: 'gone' }),
    // @ts-expect-error no such type
    messages.append({ session_id: 'x', content: 'x', type: 'video' }),
    // @ts-expect-error a score is a number
    feedback.record({ message_id: 'x', overall_score: 'high' }),
    // @ts-expect-error no such option
    search('x', { limit: 1 }),
    // @ts-expect-error no such order
    search('x', { sort: 'oldest' }),
  ];
  expectTypeOf(never).toBeFunction();
});

interface Database {
  public: {
    Tables: { sessions: { Row: { id: string }; Insert: { id?: string }; Update: { id?: string }; Relationships: [] } };
    Views: Record<string, never>;
    Functions: Record<string, never>;
  };
}

test('a store has what its client can do', () => {
  const over = (pool: Pool, supabase: SupabaseClient, typed: SupabaseClient<Database>) => ({
    pool: createStore(pool),
    supabase: [
      createStore(supabase),
      createStore(typed),
      createStore(typed.schema('public'), { userId: 'x' }),
    ] as const,
  });
  expectTypeOf<ReturnType<typeof over>['pool']>().toEqualTypeOf<Store>();
  expectTypeOf<ReturnType<typeof over>['supabase'][number]>().toEqualTypeOf<SupabaseStore>();
  expectTypeOf<Actions>().toExtend<SupabaseStore>();
  expectTypeOf<SupabaseStore>().not.toHaveProperty('asUser');
  expectTypeOf<SupabaseStore['feedback']>().not.toHaveProperty('average');
  const never = (pool: Pool, supabase: SupabaseClient) => [
    // @ts-expect-error the client says who it is
    createStore(supabase, { serviceRole: null }),
    // @ts-expect-error that of a pool is told at every call
    createStore(pool, { userId: 'x' }),
  ];
  expectTypeOf(never).toBeFunction();
});
