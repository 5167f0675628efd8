import { readFileSync } from 'node:fs';
import type { Client } from '../src/db/connect.ts';

/**
 * How long the server's process behind a connection has been on a processor so far, in milliseconds; NaN where the system does
 * not say. On a machine that others use as well it is what a query takes, where the time on the clock is mostly waiting.
 */
export async function backendCpu(client: Client): Promise<() => number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const file = `/proc/${rows[0]?.pid}/schedstat`;
  return () => {
    try {
      return Number(readFileSync(file, 'utf8').split(' ')[0]) / 1e6;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Number.NaN;
      throw error;
    }
  };
}
