import { expectTypeOf, test } from 'vitest';
import type { Actions, Message, Page, SearchMatch, Session, StoreErrorKind } from '../../src/client/index.ts';

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
