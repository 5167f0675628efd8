import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Hono, type MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { isSameOrigin } from './guard.ts';

/** Who asks, by what the audit calls them. */
export interface Signed {
  Variables: { actor: string };
}

const COOKIE = 'tandem_session';
const VALID_MS = 12 * 3_600_000;
const MOST_FAILURES = 10;
const FAILURES_EACH_MS = 60_000;
const OPEN = /^\/(sign-in$|assets\/)/;

/**
 * Where there is a token, everything asks for it: programs as `Authorization: Bearer …`, people once, in a form, for a
 * cookie that no script can read and no other page's request carries. `nobody` is the actor where there is no token.
 */
export function signIn(token: string | null, nobody: string) {
  const sessions = new Map<string, { actor: string; until: number }>();
  let failures: number[] = [];
  const routes = new Hono<Signed>();

  const signedIn = (cookie: string | undefined): string | null => {
    const session = cookie === undefined ? undefined : sessions.get(cookie);
    if (session === undefined || session.until < Date.now()) return null;
    return session.actor;
  };

  const guard: MiddlewareHandler<Signed> = async (context, next) => {
    if (token === null) {
      context.set('actor', nobody);
      return next();
    }
    if (isToken(context.req.header('authorization')?.replace(/^Bearer /, ''), token)) {
      context.set('actor', 'bearer of the token');
      return next();
    }
    const actor = signedIn(getCookie(context, COOKIE));
    if (actor !== null) {
      context.set('actor', actor);
      return next();
    }
    if (OPEN.test(context.req.path)) return next();
    if (context.req.method === 'GET' && context.req.header('accept')?.includes('text/html'))
      return context.redirect('/sign-in', 303);
    context.header('WWW-Authenticate', 'Bearer');
    return context.text('A token is wanted.\n', 401);
  };

  routes.get('/sign-in', (context) => context.html(signInPage(null)));
  routes.post('/sign-in', async (context) => {
    if (!isSameOrigin(context.req.header('origin'), context.req.header('host')))
      return context.text('This form is sent by its own page only.\n', 403);
    failures = failures.filter((at) => at > Date.now() - FAILURES_EACH_MS);
    if (failures.length >= MOST_FAILURES)
      return context.html(signInPage('Too many attempts. Wait for a minute, and try again.'), 429);
    const form = await context.req.parseBody();
    const name = typeof form['name'] === 'string' ? form['name'].trim().slice(0, 80) : '';
    if (token === null || typeof form['token'] !== 'string' || !isToken(form['token'], token)) {
      failures.push(Date.now());
      return context.html(signInPage('This is not the token.'), 401);
    }
    if (name === '') return context.html(signInPage('A name is wanted: the audit notes who did what.'), 400);
    const now = Date.now();
    for (const [id, { until }] of sessions) if (until < now) sessions.delete(id);
    const id = randomBytes(32).toString('base64url');
    sessions.set(id, { actor: name, until: now + VALID_MS });
    setCookie(context, COOKIE, id, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: VALID_MS / 1000,
      secure: context.req.header('x-forwarded-proto') === 'https',
    });
    return context.redirect('/', 303);
  });
  return { guard, routes };
}

/** Compared as digests: neither content nor length can be told from how long it takes. */
function isToken(given: string | undefined, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given ?? ''), digest(wanted)) && given !== undefined;
}

function signInPage(problem: string | null) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Sign in · Tandem</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/page.css" />
        <link rel="stylesheet" href="/assets/frame.css" />
        <link rel="stylesheet" href="/assets/controls.css" />
        <link rel="stylesheet" href="/assets/narrow.css" />
      </head>
      <body class="sign-in">
        <main>
          <h1>Tandem</h1>
          <form method="post" action="/sign-in">
            ${problem === null ? '' : html`<p role="alert" class="problem">${problem}</p>`}
            <label for="name">Your name, for the audit</label>
            <input id="name" name="name" autocomplete="name" required maxlength="80" />
            <label for="token">Token</label>
            <input id="token" name="token" type="password" autocomplete="current-password" required />
            <button type="submit">Sign in</button>
          </form>
        </main>
      </body>
    </html>`;
}
