import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TandemError } from '../engine/errors.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { errnoOf } from './failures.ts';

export const MANIFEST_FILE = 'manifest.json';
const MANIFEST_VERSION = 1;

// A manifest may come from elsewhere: no name in it may lead out of the directory.
export const backupFile = z.string().regex(/^[^/\\]+_backup\.csv(\.gz)?$/u);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();

const manifestTable = z.strictObject({
  schema: z.string().min(1),
  name: z.string().min(1),
  file: backupFile,
  /** As `SELECT *` gave them; types as `format_type` spells them with nothing on the search path. */
  columns: z.array(z.strictObject({ name: z.string().min(1), type: z.string().min(1) })).min(1),
  rows: count,
  /** Of the file as it lies there: compressed where `compressed` says so. */
  bytes: count,
  sha256,
  /** Of the CSV; the same two values where it is not compressed. */
  csv_bytes: count,
  csv_sha256: sha256,
  compressed: z.boolean(),
});

const manifestSchema = z.strictObject({
  format: z.literal('tandem-backup'),
  version: z.literal(MANIFEST_VERSION),
  /** The time of the snapshot: all files show the database as it was then. */
  created_at: z.iso.datetime(),
  server_version: z.string(),
  database: z.string(),
  snapshot: z.string(),
  tables: z.array(manifestTable).min(1),
  /** How the tables are made again, for whoever wrote it; absent where nobody said so. */
  definitions: z.strictObject({ sha256, content: z.json() }).optional(),
});

export type ManifestTable = z.infer<typeof manifestTable>;
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestContent = Omit<Manifest, 'format' | 'version'>;

type Definitions = NonNullable<Manifest['definitions']>;

/** With its hash: a statement that was altered would be executed. */
export function sealed(content: Definitions['content']): Definitions {
  return { sha256: createHash('sha256').update(JSON.stringify(content)).digest('hex'), content };
}

/** Writes `manifest.json` as the last file of a backup: it appears whole, or not at all. */
export async function writeManifest(directory: string, content: ManifestContent): Promise<Manifest> {
  const manifest = manifestSchema.parse({ format: 'tandem-backup', version: MANIFEST_VERSION, ...content });
  await writeFileAtomically(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/**
 * Reads the manifest of a backup, and nothing else of it.
 *
 * @throws TD041 where there is none (the backup was never finished) or it is not one that Tandem wrote
 */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, MANIFEST_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw damaged(`${path} cannot be read.`, { cause });
    throw damaged(`${directory} holds no finished backup: there is no ${MANIFEST_FILE}.`, {
      cause,
      hint: 'Check the path. A backup that was interrupted has no manifest; run it again.',
    });
  }
  return parseManifest(text, path);
}

function parseManifest(text: string, path: string): Manifest {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw damaged(`${path} is cut short or altered: it is no JSON.`, { cause });
  }
  const version = z.object({ version: z.int() }).safeParse(content).data?.version ?? MANIFEST_VERSION;
  if (version > MANIFEST_VERSION) {
    throw damaged(`${path} has format version ${version}; this Tandem reads up to ${MANIFEST_VERSION}.`, {
      hint: 'Use the version of Tandem that wrote the backup, or a newer one.',
    });
  }
  const parsed = manifestSchema.safeParse(content);
  if (!parsed.success) {
    throw damaged(`${path} is not a manifest that Tandem wrote.`, { detail: z.prettifyError(parsed.error) });
  }
  const { definitions } = parsed.data;
  if (definitions && sealed(definitions.content).sha256 !== definitions.sha256)
    throw damaged(`${path} was altered: its definitions are not those that were written.`);
  return parsed.data;
}

function damaged(message: string, options: { hint?: string; detail?: string; cause?: unknown } = {}): TandemError {
  return new TandemError('TD041', message, { hint: 'Take the backup from another copy.', ...options });
}
