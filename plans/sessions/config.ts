import { z } from 'zod';
import { backupsSchema, monitoringSchema } from './keeper/monitoring-config.ts';

/** Where a column comes from: the name it has in the live table, or an expression over the live row `s`. */
const columnSource = z.union([
  z.string().min(1),
  z.strictObject({
    /** Name in the live table. */
    column: z.string().min(1).optional(),
    /** SQL over the live row `s`, for a column that the live table lacks: `'beginner'`, `s.meta->>'lang'`. */
    sql: z.string().min(1).optional(),
    /** SQL for rows where the live column is NULL and the new one may not be. */
    whenNull: z.string().min(1).optional(),
  }),
]);
export type ColumnSource = z.infer<typeof columnSource>;

const valueMap = z.record(z.string(), z.string());

const days = z.number().positive().nullable();

/** The plan file: `tandem.config.ts`, `.js`, `.mjs` or `.json`. Everything has a default, so that it may say very little. */
export const sessionsConfigSchema = z.strictObject({
  plan: z.literal('sessions').default('sessions'),
  sessions: z
    .strictObject({
      /** Name of the live table, with schema where it is not `public`. */
      table: z.string().min(1).default('public.sessions'),
      columns: z
        .partialRecord(
          z.enum([
            'id',
            'user_id',
            'language',
            'level',
            'status',
            'title',
            'created_at',
            'updated_at',
            'last_accessed',
          ]),
          columnSource,
        )
        .default({}),
      /** Values of the live table that mean one of the enum's labels: `{ status: { done: 'archived' } }`. */
      values: z
        .strictObject({ language: valueMap.optional(), level: valueMap.optional(), status: valueMap.optional() })
        .default({}),
    })
    .prefault({}),
  messages: z
    .strictObject({
      table: z.string().min(1).default('public.messages'),
      columns: z
        .partialRecord(
          z.enum(['id', 'session_id', 'user_id', 'type', 'sequence_number', 'content', 'created_at']),
          columnSource,
        )
        .default({}),
      values: z.strictObject({ type: valueMap.optional() }).default({}),
    })
    .prefault({}),
  /** When the keeper moves idle sessions on, in days; null: never. Left out, the policy in the database stays as it is. */
  archiving: z
    .strictObject({
      archiveAfterDays: days.default(90),
      deleteAfterDays: days.default(null),
      purgeAfterDays: days.default(null),
      /** For so long `tandem undo` works, and what was soft-deleted is not purged. */
      graceDays: z.number().nonnegative().default(7),
      /** Where purged sessions are written to before they are deleted, on the machine that runs `tandem`. */
      archiveDirectory: z.string().min(1).nullable().default(null),
    })
    .optional(),
  /** How the keeper keeps session_stats. Left out, the policy in the database stays as it is. */
  statistics: z
    .strictObject({
      refreshEverySeconds: z.number().positive().default(60),
      /** At most this share of the time goes into folding and refreshing: what costs more is done less often. */
      share: z.number().positive().max(1).default(0.05),
      /** How often every session is counted anew, to find figures that are wrong; null: never. */
      recountEveryHours: z.number().positive().nullable().default(24),
    })
    .optional(),
  /** Which of the databases this is, for the badge of the dashboard: `production`, `staging`. */
  environment: z.string().trim().min(1).max(40).optional(),
  /** What the keeper watches, and whom it tells. */
  monitoring: monitoringSchema,
  /** Backups that the keeper makes by itself; left out, it makes none. */
  backups: backupsSchema,
});
export type SessionsConfig = z.infer<typeof sessionsConfigSchema>;

/** Gives a `tandem.config.ts` its types: `export default defineConfig({ sessions: { table: 'chats' } })`. */
export function defineConfig(config: z.input<typeof sessionsConfigSchema>): z.input<typeof sessionsConfigSchema> {
  return config;
}
