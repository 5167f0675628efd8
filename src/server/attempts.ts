import { isIP, isIPv6 } from 'node:net';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';
import { isLoopback } from './listen.ts';

/** So many wrong tokens at once from one network, and after them one each six seconds: whoever mistypes waits for seconds. */
const ONE = { most: 10, eachMs: 6_000 } as const;
/** From all networks together. Those that have sent the right one before are not held up by what others send. */
const ALL = { most: 100, eachMs: 600 } as const;
const MOST_KNOWN = 1_000;

interface Wrong {
  readonly count: number;
  readonly at: number;
}

export interface Attempts {
  /** Seconds until this network may try a token again; 0: now. The right one waits, too: else it could be guessed in a hurry. */
  wait(network: string): number;
  wrong(network: string): void;
  right(network: string): void;
}

/** How many wrong tokens are taken, by where they come from: somebody who guesses keeps nobody out who is elsewhere. */
export function createAttempts(now: () => number = Date.now): Attempts {
  const wrongOf = new Map<string, Wrong>();
  let wrongOfAll: Wrong = { count: 0, at: 0 };
  const known = new Set<string>();

  const left = ({ count, at }: Wrong, { eachMs }: typeof ONE | typeof ALL) =>
    Math.max(0, count - (now() - at) / eachMs);
  const msUntil = (wrong: Wrong, limit: typeof ONE | typeof ALL) =>
    Math.max(0, (left(wrong, limit) - limit.most + 1) * limit.eachMs);

  return {
    wait(network) {
      const own = msUntil(wrongOf.get(network) ?? { count: 0, at: 0 }, ONE);
      return Math.ceil((known.has(network) ? own : Math.max(own, msUntil(wrongOfAll, ALL))) / 1_000);
    },
    wrong(network) {
      for (const [other, wrong] of wrongOf) if (left(wrong, ONE) === 0) wrongOf.delete(other);
      wrongOf.set(network, { count: left(wrongOf.get(network) ?? { count: 0, at: 0 }, ONE) + 1, at: now() });
      wrongOfAll = { count: left(wrongOfAll, ALL) + 1, at: now() };
    },
    right(network) {
      if (known.size < MOST_KNOWN) known.add(network);
    },
  };
}

/** Where a request comes from: an address, or of IPv6 the network that one customer has. A proxy on this machine says whom it asks for. */
export function networkOf(context: Context): string {
  const peer = plain(getConnInfo(context).remote.address ?? '');
  const told = isLoopback(peer) ? context.req.header('x-forwarded-for')?.split(',').at(-1)?.trim() : undefined;
  const address = told !== undefined && isIP(told) !== 0 ? plain(told) : peer;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(':');
}

const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
