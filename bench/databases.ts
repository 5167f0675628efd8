import pg from 'pg';
import { createPool } from '../src/db/connect.ts';
import { quoteIdent } from '../src/db/identifier.ts';
import type { LocalServer } from '../src/db/local-server.ts';
import { createFlatTables } from '../src/demo/flat-tables.ts';
import { loadFlatTables } from '../src/demo/load.ts';

/** As a small production server has them; what is not named is PostgreSQL's own default. */
export const serverSettings = {
  shared_buffers: '1GB',
  maintenance_work_mem: '256MB',
  max_wal_size: '8GB',
  // A checkpoint in the middle of one measurement and not of the next would be all that is seen.
  checkpoint_timeout: '1h',
};

export interface Databases {
  readonly server: LocalServer;
  urlOf(name: string): string;
  /** Creates an empty database. */
  create(name: string): Promise<void>;
  /** Creates a database of flat tables. */
  createFlat(name: string, size: { sessions: number; messages: number }): Promise<void>;
  /** A copy of one that nobody is connected to. */
  clone(from: string, name: string): Promise<void>;
  drop(name: string): Promise<void>;
}

export function databasesOn(server: LocalServer): Databases {
  const urlOf = (name: string) => {
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return url.href;
  };
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  return {
    server,
    urlOf,
    create: (name) => admin(`CREATE DATABASE ${quoteIdent(name)}`),
    async createFlat(name, size) {
      await admin(`CREATE DATABASE ${quoteIdent(name)}`);
      const pool = createPool(urlOf(name), { max: 2 });
      try {
        await createFlatTables(pool);
        await loadFlatTables(pool, { ...size, seed: 1 });
      } finally {
        await pool.end();
      }
    },
    clone: (from, name) => admin(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE ${quoteIdent(from)} STRATEGY file_copy`),
    drop: (name) => admin(`DROP DATABASE ${quoteIdent(name)} WITH (FORCE)`),
  };
}
