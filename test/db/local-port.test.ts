import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startOnFreePort } from '../../src/db/local-port.ts';

async function occupy(port: number): Promise<Server> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

test('tries another port where somebody took the first one meanwhile', async () => {
  const tried: number[] = [];
  const { port, started } = await startOnFreePort(undefined, async (free) => {
    tried.push(free);
    if (tried.length > 1) return 'started';
    await occupy(free);
    throw new Error('cannot bind');
  });
  expect(started).toBe('started');
  expect(tried).toEqual([expect.any(Number), port]);
  expect(tried[0]).not.toBe(port);
});

test('does not try again where the port was not the cause', async () => {
  let tries = 0;
  const start = async () => {
    tries++;
    throw new Error('bad setting');
  };
  await expect(startOnFreePort(undefined, start)).rejects.toThrow('bad setting');
  expect(tries).toBe(1);
});
