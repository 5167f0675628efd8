import { z } from 'zod';
import type { JwtOptions } from './caller.ts';
import { defaultLimits, type Limits } from './inputs.ts';
import type { Retries } from './run-as.ts';
import type { StoreOptions } from './store.ts';
import { StoreError } from './store-error.ts';

const MINUTE_MS = 60_000;
/** The server counts intervals, and more of them would be beyond its timestamps. */
const CENTURY_MS = 100 * 365 * 86_400_000;

const defaultRetries: Retries = {
  attempts: 5,
  // 10, 20, 40, … ms, and at random up to half of it less: those who got into each other's way do not meet again.
  backoff: (attempt) => 10 * 2 ** (attempt - 1) * (1 - Math.random() / 2),
};

const most = z.int32().min(1);
const called = z.custom<never>((value) => typeof value === 'function', 'is no function');

/** Read as unknown: options come from settings and environments, where a name may be missing or no number. */
const shape = z.strictObject({
  jwt: z
    .union([
      z.strictObject({ secret: z.string().min(1) }),
      z.strictObject({ jwks: z.url() }),
      z.strictObject({ verify: called }),
    ])
    .optional(),
  serviceRole: z.string().min(1).nullish(),
  touchInterval: z.number().min(0).max(CENTURY_MS).optional(),
  limits: z
    .strictObject({
      title: most.optional(),
      content: most.optional(),
      comment: most.optional(),
      query: most.optional(),
      page: most.optional(),
    })
    .optional(),
  retries: z.strictObject({ attempts: most.optional(), backoff: called.optional() }).optional(),
  prepare: z.boolean().optional(),
  plan: z.unknown().optional(),
});

/** Every option, with its default where it was not given: undefined counts as not given. */
export interface Settings {
  readonly jwt: JwtOptions | undefined;
  readonly serviceRole: string | null;
  readonly touchIntervalMs: number;
  readonly limits: Limits;
  readonly retries: Retries;
  readonly prepare: boolean;
}

/** @throws StoreError `invalid_value` that names each option and what is wrong with it */
export function settingsOf(options: StoreOptions): Settings {
  const parsed = shape.safeParse(options);
  if (!parsed.success) {
    throw new StoreError('invalid_value', 'An option of the store is refused.', {
      detail: z.prettifyError(parsed.error),
    });
  }
  return {
    jwt: options.jwt,
    serviceRole: options.serviceRole === undefined ? 'service_role' : options.serviceRole,
    touchIntervalMs: options.touchInterval ?? MINUTE_MS,
    limits: { ...defaultLimits, ...given(options.limits) },
    retries: { ...defaultRetries, ...given(options.retries) },
    prepare: options.prepare ?? false,
  };
}

function given<T extends object>(values: T | undefined): Partial<T> {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
