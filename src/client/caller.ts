import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { StoreError } from './store-error.ts';

/** How the tokens that `asUser` is given are verified. */
export type JwtOptions =
  /** The secret that the tokens are signed with (HS256). */
  | { readonly secret: string }
  /** Where the public keys stand: `https://…/auth/v1/.well-known/jwks.json`. */
  | { readonly jwks: string }
  /** Anything else: returns the claims, or throws. */
  | { readonly verify: (token: string) => Promise<Readonly<Record<string, unknown>>> };

/** As whom a transaction runs. */
export interface Identity {
  /** The database role; null for the pool's own. */
  readonly role: string | null;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The user's id; null for the service. */
  readonly userId: string | null;
}

/** Says as whom to run, at every call anew: a token expires while a store is kept. */
export type Caller = () => Promise<Identity>;

const uuid = z.guid();
const userClaims = z.looseObject({ sub: z.guid(), role: z.literal('authenticated') });
const ASYMMETRIC = ['ES256', 'RS256', 'EdDSA'];

/** The service: no user, and row security does not apply. */
export function serviceCaller(role: string | null): Caller {
  const identity: Identity = { role, claims: { role: role ?? 'service' }, userId: null };
  return async () => identity;
}

/**
 * The user with this id, or of this token.
 *
 * @throws StoreError `invalid_caller` at once for what is neither, and at a call for a token that does not hold
 */
export function userCaller(jwtOrId: string, jwt: JwtOptions | undefined): Caller {
  if (uuid.safeParse(jwtOrId).success) {
    const claims = { sub: jwtOrId, role: 'authenticated' };
    return async () => ({ role: 'authenticated', claims, userId: jwtOrId });
  }
  if (typeof jwtOrId !== 'string' || jwtOrId.split('.').length !== 3) {
    throw new StoreError('invalid_caller', 'This is neither the id of a user nor a token.');
  }
  if (!jwt) {
    throw new StoreError('invalid_caller', 'This store was not told how tokens are verified.', {
      hint: 'createStore(pool, { jwt: { secret } }), or { jwt: { jwks } }; or give the id of a user whom you have verified.',
    });
  }
  const verify = verifier(jwt);
  return async () => identityOf(await verify(jwtOrId));
}

function verifier(jwt: JwtOptions): (token: string) => Promise<unknown> {
  if ('verify' in jwt) {
    return async (token) => {
      try {
        return await jwt.verify(token);
      } catch (error) {
        throw refused(error);
      }
    };
  }
  if ('secret' in jwt) {
    const secret = new TextEncoder().encode(jwt.secret);
    return (token) => payloadOf(jwtVerify(token, secret, { algorithms: ['HS256'] }));
  }
  const keys = keysAt(jwt.jwks);
  return (token) => payloadOf(jwtVerify(token, keys, { algorithms: ASYMMETRIC }));
}

// One set of keys for all stores that name the same place: it caches them.
const keySets = new Map<string, JWTVerifyGetKey>();

function keysAt(url: string): JWTVerifyGetKey {
  const keys = keySets.get(url) ?? createRemoteJWKSet(new URL(url));
  keySets.set(url, keys);
  return keys;
}

async function payloadOf(verified: Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verified).payload;
  } catch (error) {
    throw error instanceof errors.JOSEError && !WITHOUT_KEYS.has(error.code) ? refused(error) : error;
  }
}

// Where the public keys cannot be had, nothing is known of the token: nobody is to be signed out because of it.
const WITHOUT_KEYS = new Set<string>([errors.JOSEError.code, errors.JWKSInvalid.code, errors.JWKSTimeout.code]);

function identityOf(payload: unknown): Identity {
  const parsed = userClaims.safeParse(payload);
  if (!parsed.success) {
    throw new StoreError('invalid_caller', 'The token is not that of a signed-in user.', {
      detail: z.prettifyError(parsed.error),
    });
  }
  return { role: parsed.data.role, claims: parsed.data, userId: parsed.data.sub };
}

function refused(error: unknown): StoreError {
  return new StoreError('invalid_caller', 'The token does not hold.', {
    cause: error,
    ...(error instanceof Error && { detail: error.message }),
  });
}
