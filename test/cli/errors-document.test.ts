import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/db/sql-file.ts';
import { errorCodes } from '../../src/engine/errors.ts';

const document = readFileSync(join(packageRoot(), 'docs/errors.md'), 'utf8');

const sections = document
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [, code = '', name = ''] = /^(TD\d{3}) `(\w+)`$/m.exec(section) ?? [];
    const exit = Number(/^Exit code (\d)\. \S/m.exec(section)?.[1] ?? Number.NaN);
    return { code, name, exit, advice: /^\*\*Do:\*\* \S/m.test(section) };
  });

test('docs/errors.md has every code with its name and its exit code, what it means and what to do, and no other', () => {
  const expected = Object.entries(errorCodes).map(([code, { name, exit }]) => ({ code, name, exit, advice: true }));
  const byCode = (a: { code: string }, b: { code: string }) => a.code.localeCompare(b.code);
  expect(sections.toSorted(byCode)).toEqual(expected.toSorted(byCode));
});

test('every code is one that somebody can meet', () => {
  const sources = ['src', 'plans'].flatMap((folder) =>
    readdirSync(join(packageRoot(), folder), { recursive: true, withFileTypes: true })
      .filter(({ name }) => name.endsWith('.ts') && name !== 'errors.ts')
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')),
  );
  const thrown = new Set(sources.flatMap((text) => [...text.matchAll(/'(TD\d{3})'/g)].map(([, code]) => code)));
  expect(Object.keys(errorCodes).filter((code) => !thrown.has(code))).toEqual([]);
});

test('links to an error in other pages lead somewhere', () => {
  const folder = join(packageRoot(), 'docs');
  const anchors = new Set(sections.map(({ code, name }) => `${code.toLowerCase()}-${name}`));
  const links = readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/errors\.md#([\w-]+)/g)].map(([, to]) => to),
    );
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((to) => !anchors.has(to ?? ''))).toEqual([]);
});
