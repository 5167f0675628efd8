import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createStore, StoreError } from '../../src/client/index.ts';
import { urlAs, useRoles } from '../engine/roles.ts';
import { insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, kindOf, useStore } from './fixtures.ts';

const SECRET = 'a secret of at least thirty-two characters';
const roles = useRoles({ app: 'LOGIN', outsider: 'LOGIN' }, { per: 'suite' });
const database = useDatabase(migrated, { per: 'suite' });
const signed = useStore(database, { jwt: { secret: SECRET } });
let ann: string;

beforeAll(async () => {
  const client = await database.connect();
  ann = await insertUser(client);
  await insertSession(client, ann);
  await insertSession(client, await insertUser(client));
  await client.query(`GRANT authenticated, service_role TO ${roles.app}`);
});

const token = (claims: Record<string, unknown>, expires = '1h', secret = SECRET) =>
  new SignJWT({ sub: ann, role: 'authenticated', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
const list = (jwtOrId: string, store = signed.store) => store.asUser(jwtOrId).sessions.list();

describe('a token', () => {
  test('that holds acts as its user, by its claims', async () => {
    expect((await list(await token({ app_metadata: { plan: 'free' } }))).rows).toMatchObject([{ user_id: ann }]);
  });

  test.each<[string, () => Promise<string>]>([
    ['is expired', () => token({}, '-1 minute')],
    ['is signed with another secret', () => token({}, '1h', 'another secret of thirty-two characters')],
    ['is not signed', async () => new UnsecuredJWT({ sub: ann, role: 'authenticated' }).encode()],
    [
      'was altered',
      async () => (await token({})).replace(/\.[^.]+\./, `.${Buffer.from(`{"sub":"${ann}"}`).toString('base64url')}.`),
    ],
    ['says the role of the service', () => token({ role: 'service_role' })],
    ['says the role of nobody', () => token({ role: 'anon' })],
    // PostgREST takes it for anon.
    ['has no role', () => token({ role: undefined })],
    ['has no subject', () => token({ sub: undefined })],
    ['has a subject that is no uuid', () => token({ sub: 'test-user-id' })],
  ])('that %s is refused', async (_, make) => {
    expect(await errorOf(list(await make()))).toMatchObject({ kind: 'invalid_caller', code: 'TD064' });
  });

  test('expires while its store is kept', async () => {
    const { sessions } = signed.store.asUser(await token({}));
    expect((await sessions.list()).rows).toHaveLength(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    try {
      expect(await kindOf(sessions.list())).toBe('invalid_caller');
    } finally {
      vi.useRealTimers();
    }
  });

  test('is verified by the public keys that an address gives out', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] };
    const server = createServer((_, answer) => answer.end(JSON.stringify(keys)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const store = createStore(signed.pool, { jwt: { jwks: `http://127.0.0.1:${port}/jwks.json` } });
    const sign = (key: typeof privateKey) =>
      new SignJWT({ sub: ann, role: 'authenticated' })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setExpirationTime('1h')
        .sign(key);
    try {
      expect((await list(await sign(privateKey), store)).rows).toHaveLength(1);
      const other = await generateKeyPair('ES256');
      expect(await kindOf(list(await sign(other.privateKey), store))).toBe('invalid_caller');
      // A secret is no public key: what is signed with it does not pass for one.
      expect(await kindOf(list(await token({}), store))).toBe('invalid_caller');
    } finally {
      server.close();
    }
  });

  test.each<[string, (answer: ServerResponse) => void]>([
    ['an error', (answer) => answer.writeHead(500).end()],
    ['something else', (answer) => answer.end('{"keys": 1}')],
    ['nothing', (answer) => answer.destroy()],
  ])('is not refused because the address of the keys gives %s', async (_, give) => {
    const { privateKey } = await generateKeyPair('ES256');
    const signed = await new SignJWT({ sub: ann }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey);
    const server = createServer((_, answer) => give(answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const store = createStore(new pg.Pool({ host: '127.0.0.1', port: 1 }), {
        jwt: { jwks: `http://127.0.0.1:${port}/` },
      });
      const error = await list(signed, store).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(StoreError);
    } finally {
      server.close();
    }
  });

  test('is verified by a function of the application', async () => {
    const verify = async (jwt: string) => {
      if (jwt !== 'a.b.c') throw new Error('unknown');
      return { sub: ann, role: 'authenticated' };
    };
    const store = createStore(signed.pool, { jwt: { verify } });
    expect((await list('a.b.c', store)).rows).toHaveLength(1);
    expect(await errorOf(list('a.b.d', store))).toMatchObject({ kind: 'invalid_caller', detail: 'unknown' });
    const atOnce = () => {
      throw new Error('not a promise');
    };
    const other = createStore(signed.pool, { jwt: { verify: atOnce } });
    expect(await errorOf(list('a.b.c', other))).toMatchObject({ kind: 'invalid_caller', detail: 'not a promise' });
  });
});

test('what is neither an id nor a token is refused at once', () => {
  for (const nobody of ['', 'test-user-id', '42', 'a.b', undefined as never]) {
    expect(() => signed.store.asUser(nobody)).toThrow(expect.objectContaining({ kind: 'invalid_caller' }));
  }
  expect(() => createStore(signed.pool).asUser('a.b.c')).toThrow(expect.objectContaining({ kind: 'invalid_caller' }));
});

describe('a pool whose role is no superuser', () => {
  let pools: pg.Pool[] = [];
  const storeAs = (role: string) => {
    const pool = new pg.Pool({ connectionString: urlAs(database.url, role), max: 2 });
    pools.push(pool);
    return createStore(pool);
  };
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    pools = [];
  });

  test('acts as whomever it may be, and has no rights of its own', async () => {
    const store = storeAs(roles.app);
    expect((await store.asUser(ann).sessions.list()).rows).toHaveLength(1);
    expect((await store.asService().sessions.list()).rows).toHaveLength(2);
  });

  test('is refused the roles that it is no member of', async () => {
    const store = storeAs(roles.outsider);
    expect(await kindOf(store.asUser(ann).sessions.list())).toBe('not_allowed');
    expect(await kindOf(store.asService().sessions.list())).toBe('not_allowed');
  });
});
