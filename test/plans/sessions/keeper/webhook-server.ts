import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface WebhookServer {
  readonly url: string;
  /** What it was sent, in this order. */
  readonly received: readonly Record<string, unknown>[];
  /** What it answers from now on. */
  answer(status: number): void;
  close(): Promise<void>;
}

/** A webhook on this machine that takes JSON by POST. */
export async function startWebhookServer(): Promise<WebhookServer> {
  const received: Record<string, unknown>[] = [];
  let status = 200;
  const take = async (request: IncomingMessage) => {
    const body: unknown = JSON.parse(await text(request));
    if (request.method === 'POST' && request.headers['content-type'] === 'application/json' && status < 300)
      received.push(Object(body));
  };
  const server = createServer((request, response) => {
    // Where it redirects to, everything is taken.
    if (request.url === '/elsewhere') return response.end();
    take(request).then(
      () => response.writeHead(status, status === 302 ? { Location: '/elsewhere' } : {}).end('a secret answer'),
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hooks/s3cret-path`,
    received,
    answer: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
