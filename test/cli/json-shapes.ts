import { z } from 'zod';
import { errorCodes } from '../../src/engine/errors.ts';
import { phases } from '../../src/engine/events.ts';

// What docs/cli.md promises of `--json`, field by field: a field that goes, or comes without a word in it, fails here.

const phase = z.enum(phases);
const timestamp = z.iso.datetime();
const milliseconds = z.number().min(0);
const stepState = z.enum(['pending', 'running', 'done', 'failed', 'reverted']);
const lockMs = z.number().positive().nullable();

export const findingShape = z.strictObject({
  severity: z.enum(['blocks', 'warning', 'note']),
  subject: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});

export const statusShape = z.strictObject({
  version: z.literal(1),
  phase,
  plan: z.string(),
  started_at: timestamp.nullable(),
  cutover_at: timestamp.nullable(),
  cutover_lock_ms: lockMs,
  cutover_attempts: z.int(),
  steps: z.array(
    z.strictObject({
      name: z.string(),
      guide: z.string(),
      title: z.string(),
      state: stepState,
      note: z.string().nullable(),
      elapsed_ms: milliseconds.nullable(),
    }),
  ),
  tables: z.array(
    z.strictObject({
      source: z.string(),
      target: z.string(),
      rows: z.int(),
      copied: z.int(),
      rate: z.int().nullable(),
      eta_seconds: z.int().nullable(),
      lag: z.int(),
    }),
  ),
  paused: z.boolean(),
  waiting_for: z.string().nullable(),
  lock_attempt: z
    .object({ purpose: z.string(), attempt: z.number(), attempts: z.number(), reason: z.string(), at: z.string() })
    .nullable(),
  quarantined: z.array(z.strictObject({ table: z.string(), key: z.array(z.string()), reason: z.string() })),
  older_backends: z
    .strictObject({ idle: z.int(), active: z.int(), idle_in_transaction: z.int(), hidden: z.int() })
    .nullable(),
  way_back: z.array(z.string()).nullable(),
  warnings: z.array(z.string()),
  holder: z.strictObject({ command: z.string(), host: z.string(), pid: z.int(), since: timestamp }).nullable(),
});

export const verifyShape = z.strictObject({
  version: z.literal(1),
  ok: z.boolean(),
  phase,
  tables: z.array(
    z.strictObject({
      table: z.string(),
      rows: z.int(),
      left_out: z.int(),
      differences: z.array(
        z.strictObject({
          key: z.string(),
          kind: z.enum(['missing', 'extra', 'changed']),
          columns: z.array(z.string()),
        }),
      ),
      truncated: z.boolean(),
      partitions: z.record(z.string(), z.int()),
      elapsed_ms: milliseconds,
    }),
  ),
  findings: z.array(findingShape),
  report: z
    .array(
      z.strictObject({
        section: z.string(),
        title: z.string(),
        guide: z.string(),
        rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))),
        details: z.array(z.strictObject({ title: z.string(), text: z.string() })),
        findings: z.array(findingShape),
        elapsed_ms: milliseconds,
      }),
    )
    .nullable(),
});

export const planShape = z.strictObject({
  version: z.literal(1),
  ok: z.boolean(),
  plan: z.string(),
  title: z.string(),
  run: z.strictObject({ phase, started_at: timestamp }).nullable(),
  tables: z.array(z.strictObject({ source: z.string(), target: z.string(), rows: z.int(), bytes: z.int() })),
  steps: z.array(
    z.strictObject({
      name: z.string(),
      guide: z.string(),
      title: z.string(),
      state: stepState.nullable(),
      statements: z.array(
        z.strictObject({
          sql: z.string(),
          lock: z.string().nullable(),
          cost: z.string(),
          alone: z.literal(true).optional(),
        }),
      ),
    }),
  ),
  findings: z.array(findingShape),
  disk_bytes: z.int(),
  estimated_seconds: z.int(),
});

export const failureShape = z.strictObject({
  event: z.literal('done'),
  ok: z.literal(false),
  code: z.enum(Object.keys(errorCodes)),
  name: z.enum(Object.values(errorCodes).map(({ name }) => name)),
  message: z.string().min(1),
  hint: z.string().min(1),
  detail: z.string().nullable(),
  sqlstate: z.string().length(5).nullable(),
  cutover_lock_ms: lockMs,
});

export const migratedShape = z.strictObject({
  event: z.literal('done'),
  ok: z.literal(true),
  cutover_lock_ms: lockMs,
  phase,
  rows: z.int(),
  elapsed_ms: milliseconds,
});

export const recycledShape = z.strictObject({
  event: z.literal('done'),
  ok: z.literal(true),
  cutover_lock_ms: lockMs,
  ended: z.int(),
  left: z.array(z.strictObject({ reason: z.string(), backends: z.int().positive() })),
});

export const eventShapes = [
  z.strictObject({ event: z.literal('phase'), phase }),
  z.strictObject({
    event: z.literal('step'),
    name: z.string(),
    guide: z.string(),
    title: z.string(),
    state: stepState,
    detail: z.string().optional(),
    elapsed_ms: milliseconds.optional(),
  }),
  z.strictObject({
    event: z.literal('progress'),
    step: z.string(),
    subject: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.enum(['rows', 'bytes', 'statements']),
    elapsed_ms: milliseconds,
  }),
  z.strictObject({
    event: z.literal('drained'),
    table: z.string(),
    taken: z.int(),
    written: z.int(),
    removed: z.int(),
    unfit: z.int(),
  }),
  z.strictObject({
    event: z.literal('verified'),
    table: z.string(),
    rows: z.int(),
    left_out: z.int(),
    differences: z.int(),
    elapsed_ms: milliseconds,
  }),
  z.strictObject({
    event: z.literal('lock_attempt'),
    purpose: z.string(),
    attempt: z.int(),
    attempts: z.int(),
    obtained: z.boolean(),
    reason: z.string().optional(),
  }),
  z.strictObject({
    event: z.literal('cutover'),
    direction: z.enum(['forward', 'back']),
    lock_ms: z.number(),
    attempts: z.int(),
  }),
  z.strictObject({ event: z.literal('throttle'), reason: z.string().nullable() }),
  z.strictObject({ event: z.literal('finding'), ...findingShape.shape }),
  z.strictObject({ event: z.literal('note'), message: z.string() }),
  z.strictObject({ event: z.literal('stage'), stage: z.string() }),
] as const;

/** Everything that `--json` prints but its last line. */
export const eventShape = z.discriminatedUnion('event', eventShapes);
