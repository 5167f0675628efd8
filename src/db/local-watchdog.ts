import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Account } from './local-account.ts';

/**
 * A shell that reads a pipe which only the caller's process holds open. The pipe ends with that process, however it
 * dies; then the shell ends the server and removes its directory, $1.
 */
const SCRIPT = `
cat > /dev/null
file=$1/data/postmaster.pid
pid=$(head -n 1 "$file" 2> /dev/null)
case $pid in
  # Empty while no server runs, negative while initdb works: that one ends by itself.
  '' | *[!0-9]*) ;;
  *)
    kill -QUIT "$pid"
    tries=0
    while [ -e "$file" ] && kill -0 "$pid" && [ $tries -lt 100 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    if [ -e "$file" ]; then kill -KILL "$pid"; fi ;;
esac
rm -rf -- "$1" || { sleep 3; rm -rf -- "$1"; }
`;

/** Watches over the server in `home` until `dismiss` is called, which must come after the server ended. */
export function startWatchdog(home: string, account: Account | null): { dismiss(): Promise<void> } {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'tandem-watchdog', home], {
    cwd: '/',
    env: { PATH: process.env.PATH },
    stdio: ['pipe', 'ignore', 'ignore'],
    // Signals to the caller's whole group must not reach it: it is needed most when the caller dies.
    detached: true,
    ...account,
  });
  const ended = once(child, 'exit').catch(() => undefined);
  child.unref();
  child.stdin.on('error', () => undefined);
  return {
    async dismiss() {
      child.ref();
      child.stdin.end();
      await ended;
    },
  };
}
