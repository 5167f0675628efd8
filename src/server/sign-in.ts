import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Hono, type MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { createAttempts, networkOf } from './attempts.ts';
import { isSameOrigin } from './guard.ts';
import { signInPage } from './sign-in-page.ts';

export interface Signed {
  Variables: {
    /** Who asks, by what the audit calls them. */
    actor: string;
    /** Fires once this person has signed out, or twelve hours are over; none for whoever never signed in. */
    signedOut?: AbortSignal;
  };
}

const COOKIE = 'tandem_session';
const VALID_MS = 12 * 3_600_000;
const OPEN = /^\/(sign-in$|sign-out$|assets\/)/;
/** Where a page of ours is. Anything else could lead to another site. */
const PAGE = /^\/[\w-]*(\/[\w-]+)?$/;

interface Session {
  readonly actor: string;
  readonly ended: AbortController;
}

/**
 * Where there is a token, everything asks for it: programs as `Authorization: Bearer …`, people once, in a form, for a
 * cookie that no script can read and no other page's request carries. `nobody` is the actor where there is no token.
 */
export function signIn(token: string | null, nobody: string, attempts = createAttempts()) {
  const sessions = new Map<string, Session>();
  const routes = new Hono<Signed>();

  const end = (id: string) => {
    sessions.get(id)?.ended.abort();
    sessions.delete(id);
  };
  const begin = (actor: string): string => {
    const id = randomBytes(32).toString('base64url');
    sessions.set(id, { actor, ended: new AbortController() });
    setTimeout(() => end(id), VALID_MS).unref();
    return id;
  };

  const guard: MiddlewareHandler<Signed> = async (context, next) => {
    if (token === null) {
      context.set('actor', nobody);
      return next();
    }
    const session = sessions.get(getCookie(context, COOKIE) ?? '');
    if (session !== undefined) {
      context.set('actor', session.actor);
      context.set('signedOut', session.ended.signal);
      return next();
    }
    const offered = /^Bearer +(.*)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    if (offered !== undefined) {
      const network = networkOf(context);
      const wait = attempts.wait(network);
      if (wait > 0) {
        context.header('Retry-After', String(wait));
        return context.text(`${tooMany(wait)}\n`, 429);
      }
      if (isToken(offered, token)) {
        attempts.right(network);
        context.set('actor', 'bearer of the token');
        return next();
      }
      attempts.wrong(network);
    }
    if (OPEN.test(context.req.path)) return next();
    if (context.req.method === 'GET' && context.req.header('accept')?.includes('text/html'))
      return context.redirect(`/sign-in?to=${encodeURIComponent(context.req.path)}`, 303);
    context.header('WWW-Authenticate', 'Bearer');
    return context.text('A token is wanted.\n', 401);
  };

  routes.get('/sign-in', (context) => context.html(signInPage(null, pageOf(context.req.query('to')))));
  routes.post('/sign-in', async (context) => {
    if (!isSameOrigin(context.req.header('origin'), context.req.header('host')))
      return context.text('This form is sent by its own page only.\n', 403);
    const form = await context.req.parseBody();
    const said = (field: string) => (typeof form[field] === 'string' ? form[field] : '');
    const to = pageOf(said('to'));
    const network = networkOf(context);
    const wait = attempts.wait(network);
    if (wait > 0) {
      context.header('Retry-After', String(wait));
      return context.html(signInPage(tooMany(wait), to), 429);
    }
    if (token === null || !isToken(said('token'), token)) {
      attempts.wrong(network);
      return context.html(signInPage('This is not the token.', to), 401);
    }
    attempts.right(network);
    const name = said('name').trim().slice(0, 80);
    if (name === '') return context.html(signInPage('A name is wanted: the audit notes who did what.', to), 400);
    setCookie(context, COOKIE, begin(name), {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: VALID_MS / 1000,
      secure: context.req.header('x-forwarded-proto') === 'https',
    });
    return context.redirect(to, 303);
  });
  // Without a session, too: that one may have ended by itself.
  routes.post('/sign-out', (context) => {
    if (!isSameOrigin(context.req.header('origin'), context.req.header('host')))
      return context.text('This form is sent by its own page only.\n', 403);
    end(getCookie(context, COOKIE) ?? '');
    deleteCookie(context, COOKIE, { path: '/' });
    return context.redirect('/sign-in', 303);
  });
  return { guard, routes };
}

const tooMany = (wait: number) => `Too many wrong tokens. Try again in ${wait} ${wait === 1 ? 'second' : 'seconds'}.`;

const pageOf = (asked: string | undefined) => (asked !== undefined && PAGE.test(asked) ? asked : '/');

/** Compared as digests: neither content nor length can be told from how long it takes. */
function isToken(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
