import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import { packageRoot } from '../../src/db/sql-file.ts';
import { ensureBuilt } from '../cli/build.ts';

export interface Bundle {
  /** A script that makes one global, `bundle`, of what the entry exports. */
  readonly code: string;
  readonly modules: readonly string[];
}

/** The client out of the package as it is published, bundled for a browser as an application's is. */
export async function bundleOf(file: string): Promise<Bundle> {
  await ensureBuilt();
  const entry = fileURLToPath(new URL(file, import.meta.url));
  const built = await build({
    configFile: false,
    root: packageRoot(),
    logLevel: 'silent',
    build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'bundle' } },
  });
  const [output] = built as Rolldown.RolldownOutput[];
  const chunk = output?.output.find((file) => file.type === 'chunk');
  if (chunk?.type !== 'chunk') throw new Error('Vite made no script.');
  return { code: chunk.code, modules: chunk.moduleIds };
}
