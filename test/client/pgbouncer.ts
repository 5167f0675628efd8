import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Account, privateDirectory, serverAccount, temporaryDirectory } from '../../src/db/local-account.ts';
import { startOnFreePort } from '../../src/db/local-port.ts';

const BINARY = '/usr/sbin/pgbouncer';

/** Debian's pgbouncer; null where it is not installed. */
export const pgbouncerPath = existsSync(BINARY) ? BINARY : null;

export interface Pooler {
  /** The database, through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a pooler in transaction mode before a server, with so many connections to each of its databases. */
export async function startPooler(databaseUrl: string, connections: number): Promise<Pooler> {
  const url = new URL(databaseUrl);
  // It refuses to run as root, as the server does.
  const account = await serverAccount();
  const directory = await privateDirectory(await temporaryDirectory(account), account);
  const config = join(directory, 'pgbouncer.ini');
  const { port, started } = await startOnFreePort(undefined, async (free) => {
    await writeFile(config, configOf(url, free, connections));
    if (account) await chown(config, account.uid, account.gid);
    return start(config, account);
  });
  url.port = String(port);
  return {
    url: url.href,
    stop: async () => {
      started.kill('SIGINT');
      if (started.exitCode === null) await once(started, 'exit');
      await rm(directory, { recursive: true });
    },
  };
}

function configOf(server: URL, port: number, connections: number): string {
  const [user, password] = [server.username, server.password].map(decodeURIComponent);
  return `[databases]
* = host=${server.hostname} port=${server.port} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
`;
}

async function start(config: string, account: Account | null): Promise<ChildProcess> {
  const child = spawn(BINARY, [config], { stdio: ['ignore', 'ignore', 'pipe'], ...account });
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      said.push(line);
      if (line.includes('process up')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`pgbouncer did not start:\n${said.join('\n')}`)));
  });
  return child;
}
