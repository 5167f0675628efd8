import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TandemError } from '../engine/errors.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface HttpOptions {
  readonly listen: ListenAddress;
  /** Asked for as `Authorization: Bearer …` where there is one; there must be one beyond this machine. */
  readonly token: string | null;
  readonly metrics: () => Promise<string>;
  /** Rejects with the reason where the keeper cannot do its work now. */
  readonly ready: () => Promise<void>;
}

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** Reads `host:port`, `[::1]:port` or a port alone. @throws TD008 */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9a-f:]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/i.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new TandemError('TD008', `\`${text}\` is no address to listen at.`, { hint: 'For example 127.0.0.1:9787.' });
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`. What is asked under a name that is not this machine's is refused: a page
 * in somebody's browser could have its own name point here.
 *
 * @throws TD008 for an address beyond this machine without a token, and for one that cannot be listened at
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { listen, token } = options;
  if (!LOOPBACK.test(listen.host) && token === null) {
    throw new TandemError('TD008', `Anybody could read what is served at ${listen.host}.`, {
      hint: 'Set TANDEM_TOKEN to a secret that is then asked for, or listen at 127.0.0.1.',
    });
  }
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      reply(response, 500, `${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  const address = await bind(server, listen);
  const host = address.address.includes(':') ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { listen, token, metrics, ready }: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (!isOwnName(request.headers.host, listen))
    return reply(response, 421, 'This is not the host that was asked for.\n');
  if (token !== null && !isToken(request.headers.authorization, token)) {
    response.setHeader('WWW-Authenticate', 'Bearer');
    return reply(response, 401, 'A token is wanted.\n');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return reply(response, 405, 'Only GET.\n');
  switch (new URL(request.url ?? '/', 'http://localhost').pathname) {
    case '/metrics':
      return reply(response, 200, await metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    case '/healthz':
      return reply(response, 200, 'ok\n');
    case '/readyz':
      return ready().then(
        () => reply(response, 200, 'ready\n'),
        (error: unknown) => reply(response, 503, `${error instanceof Error ? error.message : String(error)}\n`),
      );
    default:
      return reply(response, 404, 'There are /metrics, /healthz and /readyz.\n');
  }
}

function reply(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {
    'Content-Type': type,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

/** Beyond this machine the token decides: whatever name leads there is a name of its own. */
function isOwnName(header: string | undefined, { host }: ListenAddress): boolean {
  if (!LOOPBACK.test(host)) return true;
  const name = (header ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return LOOPBACK.test(name);
}

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function bind(server: Server, { host, port }: ListenAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new TandemError('TD008', `${host}:${port} cannot be listened at.`, {
          hint:
            error.code === 'EADDRINUSE'
              ? 'Something listens there already: give --listen another port.'
              : 'Give --listen another address.',
          detail: error.message,
          cause: error,
        }),
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address);
    });
  });
}
