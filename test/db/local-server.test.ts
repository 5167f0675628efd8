import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { type LocalServer, type LocalServerOptions, startLocalServer } from '../../src/db/local-server.ts';
import { TandemError } from '../../src/engine/errors.ts';
import { cloneRepository, startFromClone } from '../support/clone.ts';
import { withClient } from '../support/template.ts';

const isRoot = process.geteuid?.() === 0;
/** By number, as any user may be missing from a container; this one is root's usual opposite. */
const nobody = { uid: 65534, gid: 65534 };

async function start(options: LocalServerOptions = {}): Promise<LocalServer> {
  const binDir = inject('binDir');
  const server = await startLocalServer({ ...(binDir && { binDir }), ...options });
  onTestFinished(() => server.stop());
  return server;
}

async function answers(url: string): Promise<boolean> {
  return withClient(url, async () => true).catch(() => false);
}

async function queryValue(url: string, sql: string): Promise<unknown> {
  const { rows } = await withClient(url, (client) => client.query({ text: sql, rowMode: 'array' }));
  return rows[0]?.[0];
}

describe('a local server', () => {
  test('starts on 127.0.0.1 with a password, stops, and leaves nothing', async () => {
    const server = await start();
    expect(await queryValue(server.url, "SELECT current_setting('server_version_num')::int / 10000")).toBe(
      server.version,
    );
    expect(await queryValue(server.url, 'SHOW listen_addresses')).toBe('127.0.0.1');
    expect(await queryValue(server.url, 'SHOW unix_socket_directories')).toBe('');
    expect(await queryValue(server.url, 'SHOW server_encoding')).toBe('UTF8');
    const stranger = new URL(server.url);
    stranger.password = 'wrong';
    expect(await answers(stranger.href)).toBe(false);

    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await answers(server.url)).toBe(false);
    expect(existsSync(join(server.dataDir, '..'))).toBe(false);
  });

  test('takes settings, which may hold any text', async () => {
    const server = await start({ settings: { work_mem: '7MB', cluster_name: "it's \\ odd", fsync: 'on' } });
    expect(await queryValue(server.url, 'SHOW work_mem')).toBe('7MB');
    expect(await queryValue(server.url, 'SHOW fsync')).toBe('on');
    expect(await queryValue(server.url, 'SHOW cluster_name')).toBe("it's \\ odd");
  });

  test.each(['fast', 'immediate'] as const)('keeps what was committed over a restart, %s', async (mode) => {
    const server = await start();
    await withClient(server.url, (client) => client.query('CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n'));
    await server.restart(mode);
    expect(await queryValue(server.url, 'SELECT count(*)::int FROM kept')).toBe(1000);
    await server.stop();
    await expect(server.restart(mode)).rejects.toMatchObject({ code: 'TD050' });
  });

  test('several start at once', async () => {
    const servers = await Promise.all([start(), start(), start()]);
    for (const server of servers) expect(await answers(server.url)).toBe(true);
    expect(new Set(servers.map((server) => server.url)).size).toBe(3);
  });

  test('reports the end of the log where it does not start, and leaves nothing', async () => {
    const directory = await openDirectory();
    const error = await start({ directory, settings: { shared_buffers: 'plenty' } }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TandemError);
    expect(error).toMatchObject({ code: 'TD050', detail: expect.stringContaining('shared_buffers') });
    expect(await readdir(directory)).toEqual([]);
  });

  test('reports a port that is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(start({ port: port ?? 0 })).rejects.toMatchObject({ code: 'TD050' });
  });

  test('reports binaries that are not there', async () => {
    await expect(start({ binDir: '/nowhere' })).rejects.toMatchObject({ code: 'TD050' });
  });
});

describe('a local server of another process', () => {
  let clone: string;
  beforeAll(async () => {
    clone = await cloneRepository();
  });
  afterEach(() => chmod(clone, 0o700));
  afterAll(() => rm(clone, { recursive: true, force: true }));

  test('ends, and its files go, when that process is killed', async () => {
    const server = await startFromClone(clone, { binDir: inject('binDir') });
    expect(await answers(server.url)).toBe(true);
    server.program.kill('SIGKILL');
    await vi.waitUntil(() => !existsSync(join(server.dataDir, '..')), { timeout: 20_000, interval: 50 });
    expect(await answers(server.url)).toBe(false);
  });

  test('stops with it, and does not keep it from ending', async () => {
    const server = await startFromClone(clone, { binDir: inject('binDir') });
    expect(await server.end()).toBe(0);
    expect(existsSync(join(server.dataDir, '..'))).toBe(false);
  });

  test.runIf(isRoot)('starts for root from a directory that nobody else can enter', async () => {
    const server = await startFromClone(clone, { temporary: await openDirectory() });
    expect(await answers(server.url)).toBe(true);
    expect(await server.end()).toBe(0);
  });

  test.runIf(isRoot)('starts for a user other than root', async () => {
    await chmod(clone, 0o755);
    const temporary = await openDirectory();
    await chown(temporary, nobody.uid, nobody.gid);
    const server = await startFromClone(clone, { temporary, user: nobody });
    expect(await answers(server.url)).toBe(true);
    expect(await server.end()).toBe(0);
  });

  test.runIf(isRoot)('starts for root whose TMPDIR nobody else can enter', async () => {
    const temporary = await openDirectory();
    await chmod(temporary, 0o700);
    const server = await startFromClone(clone, { temporary });
    expect(await answers(server.url)).toBe(true);
    expect(await server.end()).toBe(0);
  });
});

/** A fresh directory that every user can enter. */
async function openDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  return directory;
}
