import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { type LocalServer, startLocalServer } from '../../src/db/local-server.ts';
import { dropTemplates } from './template.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's URL of the server that this run's databases are on. */
    serverUrl: string;
    /** Tells this run's templates from those of other runs on the same server. */
    runId: string;
    /** The binaries under test; null for those that npm installs. */
    binDir: string | null;
  }
}

/** Which PostgreSQL the tests run on, by TANDEM_TEST_PG: the one that npm installs, or Debian's oldest supported. */
const BINARIES: Record<string, string | null> = { '18': null, '15': '/usr/lib/postgresql/15/bin' };
const SETTINGS = { max_connections: '200', shared_preload_libraries: '', fsync: 'off', max_prepared_transactions: '5' };

let server: LocalServer | null = null;
let serverUrl = '';
const runId = randomBytes(3).toString('hex');

/** One server for the whole run, or the one of TANDEM_TEST_URL, on which kept databases outlive the run. */
export async function setup(project: TestProject): Promise<void> {
  const external = process.env.TANDEM_TEST_URL;
  const binDir = binaries();
  server = external ? null : await startLocalServer({ settings: SETTINGS, ...(binDir && { binDir }) });
  serverUrl = external ?? server?.url ?? '';
  project.provide('serverUrl', serverUrl);
  project.provide('runId', runId);
  project.provide('binDir', binDir);
  // In watch mode, the file that a template was made from may be what changed.
  project.onTestsRerun(() => dropTemplates(serverUrl, runId));
}

export async function teardown(): Promise<void> {
  if (server) await server.stop();
  else await dropTemplates(serverUrl, runId);
}

function binaries(): string | null {
  const version = process.env.TANDEM_TEST_PG ?? '18';
  const binDir = BINARIES[version];
  if (binDir === undefined) throw new Error(`TANDEM_TEST_PG is one of ${Object.keys(BINARIES)}, not ${version}.`);
  if (binDir && !existsSync(binDir)) throw new Error(`There is no PostgreSQL ${version} at ${binDir}.`);
  return binDir;
}
