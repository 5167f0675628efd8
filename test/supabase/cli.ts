import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { renderMigrationFiles } from '../../plans/sessions/migration-files.ts';

const require = createRequire(import.meta.url);

/** The Supabase CLI's own start file; null where npm has no binary of it for this machine. */
const cli: string | null = findCli();
if (!cli) console.warn('NOT TESTED: the Supabase CLI. npm brought no binary of it for this machine.');

/** `test.skipIf(noCli)` */
export const noCli = cli === null;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with `supabase/migrations`, as a project's repository has it. */
export interface Project {
  readonly directory: string;
  readonly migrations: string;
  /** Runs `supabase …`, always against the given database and never against a project of Supabase's. */
  run(url: string, ...args: string[]): Promise<Outcome>;
  remove(): Promise<void>;
}

/** @param files by name; default: those of supabase/migrations */
export async function createProject(
  files: Readonly<Record<string, string>> = renderMigrationFiles(),
): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-supabase-'));
  const migrations = join(directory, 'supabase', 'migrations');
  await mkdir(migrations, { recursive: true });
  for (const [name, sql] of Object.entries(files)) await writeFile(join(migrations, name), sql);
  return {
    directory,
    migrations,
    run: (url, ...args) => runCli(directory, [...args, `--remote=${url}`]),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function runCli(directory: string, args: readonly string[]): Promise<Outcome> {
  if (!cli) throw new Error('The Supabase CLI is not installed.');
  const env = {
    PATH: process.env.PATH,
    // What it remembers of its user is that of the project; it reports to nobody.
    HOME: directory,
    SUPABASE_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PGSSLMODE: 'disable',
  };
  const call = promisify(execFile)(process.execPath, [cli, ...args], { cwd: directory, env, maxBuffer: 2 ** 26 });
  return call.then(
    (output) => ({ code: 0, ...output }),
    (error: Outcome) => {
      if (typeof error.code !== 'number') throw error;
      return { code: error.code, stdout: error.stdout, stderr: error.stderr };
    },
  );
}

function findCli(): string | null {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const hasBinary = [platform, `${platform}-musl`].some((name) => {
    try {
      return require.resolve(`@supabase/cli-${name}/package.json`);
    } catch {
      return false;
    }
  });
  return hasBinary ? join(dirname(require.resolve('supabase/package.json')), 'dist/supabase.js') : null;
}
