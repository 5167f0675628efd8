import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { quoteIdent } from '../../src/db/identifier.ts';
import { startOnFreePort } from '../../src/db/local-port.ts';
import { urlAs, useRoles } from '../engine/roles.ts';
import type { TestDatabase } from '../support/database.ts';
import { withClient } from '../support/template.ts';

/** The one that TANDEM_POSTGREST names, or the first on the path; null: `describe.skipIf(!postgrestPath)`. */
export const postgrestPath: string | null = findPostgrest();
if (postgrestPath === null) {
  console.warn('NOT TESTED: PostgREST. There is no `postgrest` on the path; name one in TANDEM_POSTGREST.');
}

const SECRET = 'a secret of at least thirty-two characters';
const READY_MS = 30_000;
/** Of the line that it writes whenever it has read the schema. */
const READ = 'Schema cache loaded in';

export interface Answer {
  readonly status: number;
  /** Parsed JSON; null for no body. */
  readonly body: unknown;
  readonly headers: Headers;
}

/** A user's id, one of the API roles, or a token. */
export type As = string;

export interface AskOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Rest {
  /** Where the API is; supabase-js adds `/rest/v1` to it, which a gateway of Supabase's takes away again. */
  readonly url: string;
  /** A token of a signed-in user, or of an API role. */
  token(as: As): Promise<string>;
  ask(path: string, as: As, options?: AskOptions): Promise<Answer>;
  /** How often it has read the schema by now. */
  readonly reads: number;
  /** Resolves once it has read the schema again since it had read it so often. */
  readAfter(reads: number): Promise<void>;
}

type Child = ChildProcessByStdio<null, null, Readable>;

interface Running extends Rest {
  stop(): Promise<void>;
}

/**
 * A PostgREST of its own before the database of each test, or of all tests of a file, as a project of Supabase's has it: it logs in as
 * a role without rights, which may become one of the API roles. Gives the caller's `useDatabase` its place between role and
 * server: the role can be dropped only after the database.
 */
export function useRest<Database extends TestDatabase>(
  useDatabase: () => Database,
  options: { per?: 'test' | 'suite' } = {},
): { readonly database: Database; readonly rest: Rest } {
  const roles = useRoles({ authenticator: 'LOGIN NOINHERIT' }, options);
  const database = useDatabase();
  let running: Running | null = null;
  const start = async () => {
    if (postgrestPath === null) return;
    await withClient(database.url, (admin) =>
      admin.query(`GRANT anon, authenticated, service_role TO ${quoteIdent(roles.authenticator)}`),
    );
    running = await startPostgrest(postgrestPath, urlAs(database.url, roles.authenticator));
  };
  const stop = async () => {
    await running?.stop();
    running = null;
  };
  if (options.per === 'suite') beforeAll(start);
  else beforeEach(start);
  if (options.per === 'suite') afterAll(stop);
  else afterEach(stop);
  return {
    database,
    get rest() {
      if (running === null) throw new Error('PostgREST is there only while a test runs.');
      return running;
    },
  };
}

async function startPostgrest(program: string, databaseUrl: string): Promise<Running> {
  const { port, started } = await startOnFreePort(undefined, async (server) => {
    const { started: child, port: admin } = await startOnFreePort(undefined, (free) =>
      start(program, databaseUrl, server, free),
    );
    return { child, admin };
  });
  const url = `http://127.0.0.1:${port}`;
  const { child } = started;
  let reads = 1;
  createInterface(child.stderr).on('line', (line) => {
    if (line.includes(READ)) reads++;
  });
  const token = async (as: As) => {
    if (as.includes('.')) return as;
    const claims = as === 'anon' || as === 'service_role' ? { role: as } : { role: 'authenticated', sub: as };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET));
  };
  return {
    url,
    token,
    async ask(path, as, { method = 'GET', body, headers = {} } = {}) {
      const answer = await fetch(`${url}/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await token(as)}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? null : JSON.parse(text), headers: answer.headers };
    },
    get reads() {
      return reads;
    },
    readAfter: async (before) =>
      vi.waitFor(() => expect(reads).toBeGreaterThan(before), { timeout: READY_MS, interval: 10 }),
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

async function start(program: string, databaseUrl: string, port: number, adminPort: number): Promise<Child> {
  const child = spawn(program, [], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      PGRST_DB_URI: databaseUrl,
      PGRST_DB_SCHEMAS: 'public',
      PGRST_DB_ANON_ROLE: 'anon',
      PGRST_JWT_SECRET: SECRET,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
    },
  });
  const said: string[] = [];
  const lines = createInterface(child.stderr);
  const until = AbortSignal.timeout(READY_MS);
  await new Promise<void>((resolve, reject) => {
    const look = () =>
      fetch(`http://127.0.0.1:${adminPort}/ready`).then(
        ({ ok }) => (ok ? resolve() : undefined),
        // Not listening yet: it says something when it does.
        () => undefined,
      );
    lines.on('line', (line) => {
      said.push(line);
      void look();
    });
    const fail = (why: string) => () => reject(new Error(`PostgREST ${why}:\n${said.join('\n')}`));
    child.once('error', reject);
    child.once('exit', fail('did not start'));
    until.addEventListener('abort', fail('was not ready in time'));
  }).catch((error: unknown) => {
    child.kill('SIGTERM');
    throw error;
  });
  return child;
}

function findPostgrest(): string | null {
  const named = process.env.TANDEM_POSTGREST;
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'postgrest'));
  return [named, ...paths].find((path) => path && isProgram(path)) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
