import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { z } from 'zod';
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
  token(as: As, expires?: string): Promise<string>;
  ask(path: string, as: As, options?: AskOptions): Promise<Answer>;
}

type Child = ChildProcessByStdio<null, null, Readable>;

/** What PostgREST offers to a caller, by its own description of itself: tables, views and functions. */
export async function offeredTo(rest: Rest, as: As): Promise<string[]> {
  const { body } = await rest.ask('', as);
  const { paths } = description.parse(body);
  return Object.keys(paths)
    .filter((path) => path !== '/')
    .sort();
}

const description = z.object({ paths: z.record(z.string(), z.unknown()) });

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
  options: { per?: 'test' | 'suite'; schema?: string } = {},
): { readonly database: Database; readonly rest: Rest } {
  const roles = useRoles({ authenticator: 'LOGIN NOINHERIT' }, options);
  const database = useDatabase();
  let running: Running | null = null;
  const start = async () => {
    if (postgrestPath === null) return;
    await withClient(database.url, (admin) =>
      admin.query(`GRANT anon, authenticated, service_role TO ${quoteIdent(roles.authenticator)}`),
    );
    running = await startPostgrest(postgrestPath, {
      url: urlAs(database.url, roles.authenticator),
      schema: options.schema ?? 'public',
    });
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

interface Exposed {
  readonly url: string;
  readonly schema: string;
}

async function startPostgrest(program: string, database: Exposed): Promise<Running> {
  const { port, started: child } = await startOnFreePort(undefined, async (server) => {
    const { started: running } = await startOnFreePort(undefined, (free) =>
      // A port that nobody has bound yet may be given out twice.
      start(program, database, server, free === server ? free + 1 : free),
    );
    return running;
  });
  const url = `http://127.0.0.1:${port}`;
  const token = async (as: As, expires = '1h') => {
    if (as.includes('.')) return as;
    const claims = as === 'anon' || as === 'service_role' ? { role: as } : { role: 'authenticated', sub: as };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(expires)
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
    stop: () => end(child),
  };
}

async function start(program: string, database: Exposed, port: number, adminPort: number): Promise<Child> {
  const child = spawn(program, [], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      PGRST_DB_URI: database.url,
      PGRST_DB_SCHEMAS: database.schema,
      PGRST_DB_ANON_ROLE: 'anon',
      PGRST_JWT_SECRET: SECRET,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
    },
  });
  const said: string[] = [];
  createInterface(child.stderr).on('line', (line) => said.push(line));
  child.once('error', (error) => said.push(error.message));
  const isReady = async () => {
    // It ended: there is nothing to wait for.
    if (child.exitCode !== null) return;
    expect((await fetch(`http://127.0.0.1:${adminPort}/ready`)).status).toBe(200);
  };
  await vi.waitFor(isReady, { timeout: READY_MS, interval: 20 }).catch(() => end(child));
  if (hasEnded(child)) throw new Error(`PostgREST did not start:\n${said.join('\n')}`);
  return child;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
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
