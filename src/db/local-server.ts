import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TandemError } from '../engine/errors.ts';
import { privateDirectory, serverAccount, temporaryDirectory } from './local-account.ts';
import { embeddedPackage, runtimeBinaries } from './local-binaries.ts';
import { createCluster } from './local-cluster.ts';
import { startOnFreePort } from './local-port.ts';
import { endPostgres, startPostgres } from './local-process.ts';
import { startWatchdog } from './local-watchdog.ts';

export interface LocalServerOptions {
  /** The `bin` of an installed PostgreSQL, say `/usr/lib/postgresql/15/bin`; default: the one that npm installed. */
  readonly binDir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Server settings that add to the defaults or replace them. */
  readonly settings?: Readonly<Record<string, string>>;
  /** An existing directory in which the server makes its own; default: the system's for temporary files. */
  readonly directory?: string;
}

export interface LocalServer {
  /** `postgres://postgres:<random password>@127.0.0.1:<port>/postgres`, a superuser. */
  readonly url: string;
  /** The major version. */
  readonly version: number;
  readonly binDir: string;
  readonly dataDir: string;
  /** Fast shutdown; then the server's directory is removed. Any further call waits for the first. */
  stop(): Promise<void>;
  /** `fast` ends the sessions and shuts down in order; `immediate` is a crash, after which the server recovers. */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
}

/**
 * Starts a private PostgreSQL server in a fresh directory, reachable on 127.0.0.1 only, by password. Works for root
 * too (the server then runs as `postgres` or `nobody`), and wherever the package is installed.
 *
 * Default settings: `listen_addresses=127.0.0.1`, no Unix socket, `fsync=off`, `full_page_writes=off`, time zones UTC;
 * encoding UTF8 and locale C.UTF-8. Everything else is PostgreSQL's own default.
 *
 * Callers call `stop`. Where their process dies without, a watchdog ends the server and removes its directory. The
 * server does not keep the process alive.
 *
 * @throws TandemError TD050 where it does not start, with the last lines of its log.
 */
export async function startLocalServer(options: LocalServerOptions = {}): Promise<LocalServer> {
  if (process.platform === 'win32') {
    throw new TandemError('TD050', 'The local server does not run on Windows.', {
      hint: 'Run Tandem in WSL, or give it a server with --database-url.',
    });
  }
  const account = await serverAccount();
  const temporary = await temporaryDirectory(account);
  const binDir = options.binDir ?? (await runtimeBinaries(await embeddedPackage(), temporary));
  const home = await privateDirectory(options.directory ?? temporary, account);
  const watchdog = startWatchdog(home, account);
  const discard = async () => {
    await rm(home, { recursive: true, force: true });
    await watchdog.dismiss();
  };

  try {
    const password = randomBytes(18).toString('hex');
    const version = await createCluster({ binDir, home, password, account, settings: options.settings ?? {} });
    const start = (port: number) => startPostgres(binDir, home, port, account);
    const first = await startOnFreePort(options.port, start);

    let postgres = first.started;
    let restarted: Promise<void> = Promise.resolve();
    let stopped: Promise<void> | null = null;
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${first.port}/postgres`,
      version,
      binDir,
      dataDir: join(home, 'data'),
      stop() {
        stopped ??= restarted
          .catch(() => undefined)
          .then(() => endPostgres(postgres, 'SIGINT'))
          .then(discard);
        return stopped;
      },
      restart(mode) {
        if (stopped) return Promise.reject(new TandemError('TD050', 'The local server was stopped already.'));
        restarted = restarted.then(async () => {
          await endPostgres(postgres, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
          postgres = await start(first.port);
        });
        return restarted;
      },
    };
  } catch (error) {
    await discard();
    throw error;
  }
}
