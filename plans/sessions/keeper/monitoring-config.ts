import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

/** Bytes: a number, or a text such as `100GB`. */
const bytes = z.union([
  z.number().positive(),
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*(B|kB|MB|GB|TB)$/, 'a number of bytes, such as "100GB"')
    .transform((text) => {
      const [, amount, unit = 'B'] = /^([\d.]+)\s*(\w+)$/.exec(text) ?? [];
      return Number(amount) * (UNITS[unit] ?? 1);
    }),
]);

const DEFAULT_LIMIT = 100 * 1024 ** 3;
const limit = bytes.default(DEFAULT_LIMIT);

/** Section `monitoring` of the plan file. */
export const monitoringSchema = z
  .strictObject({
    /** How large a partition may become with its indexes. */
    partitionLimits: z.strictObject({ active: limit, archived: limit, deleted: limit }).prefault({}),
    /** How often figures are noted in keeper.samples, and the search is probed. */
    sampleEverySeconds: z.number().min(1).default(60),
    /** Where alerts are sent. TANDEM_WEBHOOK_URL in the environment goes before `url`, which may be a secret. */
    webhook: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).optional(),
        format: z.enum(['json', 'slack']).default('json'),
      })
      .prefault({}),
  })
  .prefault({});
export type MonitoringSettings = z.infer<typeof monitoringSchema>;

/** Section `backups` of the plan file. Left out, the keeper makes none. */
export const backupsSchema = z
  .strictObject({
    /** Holds a folder for each backup. */
    directory: z.string().min(1),
    everyHours: z.number().positive().default(24),
    /** How many good ones are kept. */
    keep: z.int().min(1).default(7),
    gzip: z.boolean().default(true),
    /** How often the newest backup is restored aside and compared; null: never. */
    drillEveryHours: z.number().positive().nullable().default(168),
    /** `server`: into a scratch database beside the one that is kept; `embedded`: into a private server of the keeper's. */
    drillIn: z.enum(['server', 'embedded']).default('server'),
  })
  .optional();
export type BackupSettings = NonNullable<z.infer<typeof backupsSchema>>;

export const defaultMonitoring: MonitoringSettings = monitoringSchema.parse(undefined);
