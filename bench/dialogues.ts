import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../src/db/sql-file.ts';

const dialogue = z.object({
  language: z.enum(['en', 'es', 'fr', 'de']),
  topic: z.string(),
  turns: z.array(z.string()),
});
export type Dialogue = z.infer<typeof dialogue>;

/** Where real dialogues lie, a JSON object a line: TANDEM_DIALOGUES, or a folder `shared` beside the repository. */
export function dialoguesPath(): string {
  return process.env['TANDEM_DIALOGUES'] ?? join(packageRoot(), '../shared/data/dialogues.jsonl');
}

/** The dialogues, or null where the file is missing: it is no part of the repository. */
export async function readDialogues(): Promise<Dialogue[] | null> {
  try {
    const lines = (await readFile(dialoguesPath(), 'utf8')).trimEnd().split('\n');
    return lines.map((line) => dialogue.parse(JSON.parse(line)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
