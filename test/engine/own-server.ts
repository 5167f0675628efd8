import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { type LocalServer, startLocalServer } from '../../src/db/local-server.ts';
import type { Setup } from '../support/database.ts';
import { urlOf, withClient } from '../support/template.ts';

/** A database on a server that only this file's tests use, and so may crash. */
export interface OwnServerDatabase {
  readonly url: string;
  readonly pool: Pool;
  connect(): Promise<pg.Client>;
  /** The server crashes, and recovers; all connections are lost, and new ones are made from now on. */
  crash(): Promise<void>;
  /** Another database from the same setup. */
  another(name: string): Promise<Pool>;
}

export function useOwnServer(setup: Setup): OwnServerDatabase {
  let server: LocalServer | null = null;
  let opened: { end(): Promise<unknown> }[] = [];
  let url = '';
  let pool: Pool | null = null;
  let tests = 0;
  const serverUrl = () => server?.url ?? '';
  const create = (name: string) =>
    withClient(serverUrl(), (admin) => admin.query(`CREATE DATABASE ${name} TEMPLATE made`));
  const close = async () => {
    const all = [...opened, ...(pool ? [pool] : [])];
    opened = [];
    pool = null;
    // What a crash has cut off ends with an error.
    await Promise.all(all.map((one) => one.end().catch(() => undefined)));
  };

  beforeAll(async () => {
    const binDir = inject('binDir');
    server = await startLocalServer(binDir ? { binDir } : {});
    await withClient(serverUrl(), (admin) => admin.query('CREATE DATABASE made'));
    await withClient(urlOf(serverUrl(), 'made'), (client) => setup.run(client));
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    tests += 1;
    await create(`test_${tests}`);
    url = urlOf(serverUrl(), `test_${tests}`);
  });
  afterEach(close);

  return {
    get url() {
      return url;
    },
    get pool() {
      pool ??= createPool(url, { max: 10 });
      return pool;
    },
    async connect() {
      const client = new pg.Client({ connectionString: url, application_name: 'test' });
      client.on('error', () => undefined);
      await client.connect();
      opened.push(client);
      return client;
    },
    async crash() {
      await server?.restart('immediate');
      await close();
    },
    async another(name) {
      await create(name);
      const other = createPool(urlOf(serverUrl(), name));
      opened.push(other);
      return other;
    },
  };
}
