import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { withClient } from './template.ts';

/** Where `psql` is installed, or null: `test.skipIf(!psqlPath)`. npm brings a server, but no client programs. */
export const psqlPath: string | null = findPsql();

/** Runs a file of SQL in one implicit transaction, on a session of its own. */
export async function runFile(url: string, file: string): Promise<void> {
  const sql = await readFile(file, 'utf8');
  await withClient(url, (client) => client.query(sql));
}

/** Runs a file through `psql`, which also knows its backslash commands. Returns what it printed. */
export async function runPsql(url: string, file: string): Promise<string> {
  if (!psqlPath) throw new Error('psql is not installed.');
  const args = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--file=${file}`, url];
  return (await promisify(execFile)(psqlPath, args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

function findPsql(): string | null {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...versions];
  return directories.map((directory) => join(directory, 'psql')).find((path) => existsSync(path)) ?? null;
}
