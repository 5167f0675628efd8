import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type SessionsConfig, sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { TandemError } from '../engine/errors.ts';

const NAMES = ['tandem.config.ts', 'tandem.config.js', 'tandem.config.mjs', 'tandem.config.json'];
/** `.ts` where the sources run, `.js` in dist. */
const OWN_EXTENSION = extname(import.meta.url);

/**
 * Reads the plan file: the one named, else the first of `tandem.config.{ts,js,mjs,json}` in the current folder, else
 * the defaults, which are the guide's own names.
 *
 * @throws TD007 where it is missing, does not load, or says something that the plan does not know
 */
export async function loadConfig(file: string | undefined): Promise<SessionsConfig> {
  const path = file === undefined ? NAMES.map((name) => resolve(name)).find(existsSync) : resolve(file);
  if (path === undefined) return sessionsConfigSchema.parse({});
  if (!existsSync(path))
    throw new TandemError('TD007', `There is no plan file ${path}.`, { hint: 'Check the path given with --plan.' });
  const parsed = sessionsConfigSchema.safeParse(await read(path));
  if (parsed.success) return parsed.data;
  throw new TandemError('TD007', `The plan file ${path} is not valid.`, {
    hint: 'docs/plan-file.md shows what it may say.',
    detail: z.prettifyError(parsed.error),
  });
}

async function read(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(await readFile(path, 'utf8'));
    // Loaded only where it is needed: it is a tenth of a second of every command.
    const { createJiti } = await import('jiti');
    // A plan file names its types from this package, which need not be installed where the file stands.
    const alias = {
      'pg-tandem': fileURLToPath(new URL(`../../plans/sessions/config${OWN_EXTENSION}`, import.meta.url)),
    };
    return await createJiti(import.meta.url, { moduleCache: false, alias }).import(path, { default: true });
  } catch (cause) {
    throw new TandemError('TD007', `The plan file ${path} cannot be read.`, {
      hint: 'Mend its syntax; docs/plan-file.md has an example.',
      ...(cause instanceof Error ? { detail: cause.message } : {}),
      cause,
    });
  }
}
