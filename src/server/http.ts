import { createServer } from 'node:http';
import { userInfo } from 'node:os';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { TandemError } from '../engine/errors.ts';
import { ownHostOnly, securityHeaders } from './guard.ts';
import { isLoopback, type ListenAddress, listenAt } from './listen.ts';
import { type Signed, signIn } from './sign-in.ts';

export interface HttpOptions {
  readonly listen: ListenAddress;
  /**
   * Asked for where there is one, as `Authorization: Bearer …` or in a form; there must be one beyond this machine.
   */
  readonly token: string | null;
  /** Names beside this machine's own under which it may be asked, such as those of a proxy before it. */
  readonly allowedHosts?: readonly string[];
  readonly metrics: () => Promise<string>;
  /** Rejects with the reason where the keeper cannot do its work now. */
  readonly ready: () => Promise<void>;
  /** The web application; without it there are figures only. */
  readonly dashboard?: (app: Hono<Signed>) => void;
}

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

/** A form or a change is a few lines. What is longer is read by nobody, and least of all before its sender is known. */
const LONGEST_BODY = 64 * 1024;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * Serves `/metrics`, `/healthz` and `/readyz`, and the web application. What is asked under a name that is not this
 * machine's is refused: a page in somebody's browser could have its own name point here.
 *
 * @throws TD008 for an address beyond this machine or another name without a token, and for one that cannot be listened at
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  assertGuarded(options);
  const server = createServer(getRequestListener(createApp(options).fetch));
  const url = await listenAt(server, options.listen);
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @throws TD008 for an address beyond this machine, or another name, without a token */
export function assertGuarded({
  listen,
  token,
  allowedHosts = [],
}: Pick<HttpOptions, 'listen' | 'token' | 'allowedHosts'>): void {
  if (!isLoopback(listen.host) && token === null) {
    throw new TandemError('TD008', `Anybody could read what is served at ${listen.host}.`, {
      hint: 'Set TANDEM_TOKEN to a secret that is then asked for, or listen at 127.0.0.1.',
    });
  }
  if (token === null && allowedHosts.length > 0) {
    throw new TandemError('TD008', 'Anybody whom a proxy lets through could do what this dashboard does.', {
      hint: 'With --allow-host, set TANDEM_TOKEN to a secret that is then asked for.',
    });
  }
}

function createApp({ listen, token, allowedHosts = [], metrics, ready, dashboard }: HttpOptions): Hono<Signed> {
  const app = new Hono<Signed>();
  const { guard, routes } = signIn(token, userInfo().username);
  const limit = bodyLimit({
    maxSize: LONGEST_BODY,
    onError: (context) => context.text('This is too long.\n', 413),
  });
  app.use(securityHeaders, ownHostOnly(listen, allowedHosts), guard, limit);
  app.use(async (context, next) => {
    await next();
    if (!context.res.headers.has('cache-control')) context.header('Cache-Control', 'no-store');
  });
  app.get('/metrics', async (context) => {
    const text = await metrics();
    return context.text(text, 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', (context) =>
    ready().then(
      () => context.text('ready\n'),
      (error: unknown) => context.text(`${messageOf(error)}\n`, 503),
    ),
  );
  app.on(['POST', 'PUT', 'DELETE', 'PATCH'], ['/metrics', '/healthz', '/readyz'], (context) =>
    context.text('Only GET.\n', 405),
  );
  if (token !== null) app.route('/', routes);
  dashboard?.(app);
  app.notFound((context) => context.text('There is nothing here.\n', 404));
  app.onError((error, context) => context.text(`${error.message}\n`, 500));
  return app;
}
