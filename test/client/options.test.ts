import { beforeAll, expect, test } from 'vitest';
import { createStore, type StoreOptions } from '../../src/client/index.ts';
import { insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { kindOf, useStore } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
const own = useStore(database);
let user: string;
let session: string;

beforeAll(async () => {
  const client = await database.connect();
  user = await insertUser(client);
  session = await insertSession(client, user);
});

/** As a program without types passes them, or one whose settings come from outside. */
const storeWith = (options: unknown) => createStore(own.pool, options as StoreOptions);

test.each<[unknown, string]>([
  [{ retries: { attempts: Number.NaN } }, 'retries.attempts'],
  [{ retries: { attempts: 0 } }, 'retries.attempts'],
  [{ retries: { attempts: Number.POSITIVE_INFINITY } }, 'retries.attempts'],
  [{ retries: { backoff: 100 } }, 'retries.backoff'],
  [{ touchInterval: Number.NaN }, 'touchInterval'],
  [{ touchInterval: -1 }, 'touchInterval'],
  [{ touchInterval: '60000' }, 'touchInterval'],
  [{ touchInterval: 1e18 }, 'touchInterval'],
  [{ limits: { title: Number.NaN } }, 'limits.title'],
  [{ limits: { page: 0 } }, 'limits.page'],
  [{ limits: { titel: 10 } }, 'titel'],
  [{ serviceRole: '' }, 'serviceRole'],
  [{ prepare: 'yes' }, 'prepare'],
  [{ jwt: { secret: '' } }, 'jwt'],
  [{ jwt: { secret: undefined } }, 'jwt'],
  [{ jwt: { jwks: 'keys' } }, 'jwt'],
  [{ jwt: {} }, 'jwt'],
  [{ plan: { sesions: {} } }, 'sesions'],
  [null, 'expected object'],
])('%o is refused at once', (options, named) => {
  expect(() => storeWith(options)).toThrow(
    expect.objectContaining({ kind: 'invalid_value', detail: expect.stringContaining(named) }),
  );
});

test('an option that is undefined is one that was not given', async () => {
  const store = storeWith({
    jwt: undefined,
    serviceRole: undefined,
    touchInterval: undefined,
    limits: { title: undefined, page: undefined },
    retries: { attempts: undefined, backoff: undefined },
    prepare: undefined,
    plan: undefined,
  });
  const { sessions } = store.asUser(user);
  expect(await sessions.touch(session)).toBe(false);
  expect(await kindOf(sessions.rename(session, 'x'.repeat(201)))).toBe('invalid_value');
  expect((await sessions.list({ limit: 200 })).rows).toHaveLength(1);
  expect((await store.asService().sessions.list()).rows).toHaveLength(1);
});

test('attempts that are undefined are five, and not as many as there may be', async () => {
  const client = await database.connect();
  await client.query(`CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now' USING ERRCODE = '40001'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.fail()`);
  let waits = 0;
  const backoff = () => {
    waits += 1;
    if (waits > 10) throw new Error('It goes on and on.');
    return 0;
  };
  const { messages } = storeWith({ retries: { attempts: undefined, backoff } }).asUser(user);
  expect(await kindOf(messages.append({ session_id: session, content: 'x' }))).toBe('conflict');
  expect(waits).toBe(4);
});
