import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { isLoopback, type ListenAddress } from './listen.ts';

/** What a page of this server may load, and who may show it: nothing but its own files, and nobody. */
export const securityHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    objectSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: 'DENY',
  // With `no-referrer` a browser would keep the origin of the form by which people sign in to itself.
  referrerPolicy: 'same-origin',
  permissionsPolicy: { camera: [], microphone: [], geolocation: [] },
  // Whether there is TLS in front of this server, and for which names, is not for it to say.
  strictTransportSecurity: false,
});

/**
 * A name that somebody else's DNS points here is refused: their page would then be of this server's origin. An address
 * is no name, but on this machine only its own are asked for.
 */
export function ownHostOnly(listen: ListenAddress, allowed: readonly string[]): MiddlewareHandler {
  const told = new Set(allowed.map((name) => name.toLowerCase()));
  const names = new Set([hostname(), listen.host].map((name) => name.toLowerCase()));
  const local = isLoopback(listen.host);
  const isOwn = (host: string) =>
    isLoopback(host) || told.has(host) || (!local && (isIP(host) !== 0 || names.has(host)));
  return async (context, next) => {
    if (isOwn(hostOf(context.req.header('host')))) return next();
    return context.text('This is not the host that was asked for.\n', 421);
  };
}

function hostOf(header: string | undefined): string {
  return (header ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
}

/** What nobody on another site may so much as ask for: its page could not read the answer, but have the work done. */
export const ownPagesOnly: MiddlewareHandler = async (context, next) => {
  const from = context.req.header('sec-fetch-site') ?? 'none';
  if (from === 'same-origin' || from === 'none') return next();
  return context.json(
    { code: 'TD062', message: 'This is told to a page of this server only.', hint: null, detail: null },
    403,
  );
};

const READS = new Set(['GET', 'HEAD']);

/** A change is asked for by a page of this server, in JSON: no form of another page can do that. */
export const changesFromOwnPagesOnly: MiddlewareHandler = async (context, next) => {
  if (READS.has(context.req.method)) return next();
  if (!/^application\/json(;|$)/i.test(context.req.header('content-type') ?? ''))
    return context.json({ code: 'TD062', message: 'A change is asked for in JSON.', hint: null, detail: null }, 415);
  if (!isSameOrigin(context.req.header('origin'), context.req.header('host')))
    return context.json(
      { code: 'TD062', message: 'A change is asked for by a page of this server only.', hint: null, detail: null },
      403,
    );
  return next();
};

/** Browsers send `Origin` with every POST; the scheme may differ behind a proxy that ends TLS. */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || host === undefined || !URL.canParse(origin)) return false;
  return new URL(origin).host === host.toLowerCase();
}
