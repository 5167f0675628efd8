import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { migrationFileNames } from '../../plans/sessions/migration-files.ts';
import { packageRoot, readSqlFile } from '../../src/db/sql-file.ts';
import { renderedTemplate } from '../plans/sessions/fixtures.ts';

const require = createRequire(import.meta.url);
const squawk = findSquawk();
if (!squawk) console.warn('NOT TESTED: squawk. npm brought no binary of it for this machine.');

const problems = z.array(z.object({ rule_name: z.string() }));

/** The rules that files break, under the project's configuration. */
async function lint(files: readonly string[], ...options: string[]): Promise<string[]> {
  const args = [
    squawk ?? '',
    '--config',
    join(packageRoot(), '.squawk.toml'),
    '--reporter',
    'json',
    ...options,
    ...files,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => error);
  return [...new Set(problems.parse(JSON.parse(stdout)).map((problem) => problem.rule_name))].sort();
}

describe.skipIf(!squawk)('squawk', () => {
  test('passes on the migration files', async () => {
    expect(await lint(migrationFileNames.map((name) => join(packageRoot(), 'supabase/migrations', name)))).toEqual([]);
  });

  test('says of what phase 5 does inside its one statement nothing but what does not matter for new tables', async () => {
    const frame = readSqlFile('plans/sessions/sql/migrations/20240102000000_phase5_improvements.sql');
    const inside = [...frame.matchAll(/^\{\{> ([a-z-]+)\}\}$/gmu)].map(([, name]) => renderedTemplate(name ?? ''));
    expect(inside.length).toBeGreaterThan(10);
    const directory = await mkdtemp(join(tmpdir(), 'tandem-squawk-'));
    try {
      const file = join(directory, 'phase5.sql');
      await writeFile(file, inside.join('\n'));
      expect((await lint([file])).filter((rule) => !OF_NEW_TABLES.includes(rule))).toEqual([]);
      // And it does look.
      await writeFile(file, 'ALTER TABLE public.messages ALTER COLUMN content TYPE varchar(10);');
      expect(await lint([file])).toContain('changing-column-type');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/**
 * What these rules guard against is a scan under a lock that keeps readers and writers out. Nobody knows the new tables before the file's
 * one transaction commits, and the flat ones are locked for its whole length by intention.
 */
const OF_NEW_TABLES = [
  'adding-foreign-key-constraint',
  'adding-serial-primary-key-field',
  'constraint-missing-not-valid',
  'disallowed-unique-constraint',
  'require-concurrent-index-creation',
];

function findSquawk(): string | null {
  try {
    require.resolve(`@squawk-cli/${process.platform}-${process.arch}/package.json`);
    return join(dirname(require.resolve('squawk-cli/package.json')), 'js/bin/squawk');
  } catch {
    return null;
  }
}
