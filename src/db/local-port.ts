import { once } from 'node:events';
import { createServer } from 'node:net';

const ATTEMPTS = 5;

/**
 * Calls `start` with a free port of 127.0.0.1. Between finding it and binding it, another program may take it: where
 * `start` fails and the port is taken, the next one is tried, unless it is the one that was asked for.
 */
export async function startOnFreePort<T>(wanted: number | undefined, start: (port: number) => Promise<T>) {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await bindOnce(0)) ?? 0;
    try {
      return { port, started: await start(port) };
    } catch (error) {
      const taken = (await bindOnce(port)) === null;
      if (!taken || wanted !== undefined || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Binds the port, 0 for any, and lets go of it again. Null where it is taken. */
async function bindOnce(port: number): Promise<number | null> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
    const address = probe.address();
    return typeof address === 'object' ? (address?.port ?? null) : null;
  } catch {
    return null;
  } finally {
    probe.close();
  }
}
