import { appendFile, chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './local-account.ts';
import { runTool } from './local-process.ts';

/**
 * No committed transaction is lost in a crash of the server: for that, a write to the operating system is enough, which
 * `synchronous_commit`, left on, waits for. A crash of the machine is another matter; the server is a throw-away.
 */
const DEFAULT_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

export interface Cluster {
  readonly binDir: string;
  /** The server's own directory; the cluster goes to `data` in it. */
  readonly home: string;
  readonly password: string;
  readonly account: Account | null;
  readonly settings: Readonly<Record<string, string>>;
}

/** Creates the files of a cluster, UTF8 and C.UTF-8, with the superuser `postgres`. Returns the major version. */
export async function createCluster(cluster: Cluster): Promise<number> {
  const { binDir, home, account } = cluster;
  const version = await majorVersion(binDir, account);
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, cluster.password, { mode: 0o600 });
  if (account) await chown(passwordFile, account.uid, account.gid);
  const options = [
    `--pgdata=${join(home, 'data')}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-sync',
    '--no-instructions',
    // From 17 on, PostgreSQL brings its own C.UTF-8 for everything that matters; before, the system must have it.
    ...(version >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
  ];
  const initdb = (locale: string) => runTool(join(binDir, 'initdb'), [...options, `--locale=${locale}`], account);
  await initdb('C.UTF-8').catch(() => initdb('C'));
  await rm(passwordFile);
  await appendFile(join(home, 'data', 'postgresql.conf'), configuration({ ...DEFAULT_SETTINGS, ...cluster.settings }));
  return version;
}

async function majorVersion(binDir: string, account: Account | null): Promise<number> {
  const output = await runTool(join(binDir, 'postgres'), ['--version'], account);
  return Number(/\(PostgreSQL\) (\d+)/.exec(output)?.[1]);
}

function configuration(settings: Record<string, string>): string {
  const quote = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quote(value)}\n`)
    .join('');
}
