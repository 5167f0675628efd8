import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { withReference } from '../../src/cli/reference.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { ExitCode } from '../../src/engine/errors.ts';
import { eventShapes, failureShape, migratedShape, planShape, statusShape, verifyShape } from './json-shapes.ts';

const document = readFileSync(join(packageRoot(), 'docs/cli.md'), 'utf8');

/** The JSON examples below a heading. */
function examplesBelow(heading: string): unknown[] {
  const section = document.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? '';
  return [...section.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json));
}

describe('docs/cli.md', () => {
  test('says of the commands what they say themselves; if not: npm run generate', () => {
    expect(document).toBe(withReference(document));
    const { commands } = createProgram(async () => undefined);
    for (const command of commands) {
      const section = document.split(`### \`tandem ${command.name()}\`\n`)[1]?.split('\n### ')[0] ?? '';
      for (const { flags } of command.options) expect(section).toContain(`| \`${flags}\` | `);
    }
  });

  test('has every exit code', () => {
    const table = document.split('## Exit codes')[1]?.split('\n## ')[0] ?? '';
    const listed = [...table.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(ExitCode));
  });

  test('has every event with its fields, and no other', () => {
    const table = document.split('### Events\n\n')[1]?.split('\n\n')[0] ?? '';
    const head = 'event';
    const rows = [...table.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, event, fields = '']) => ({
      event,
      fields: [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field).sort(),
    }));
    const listed = rows.filter(({ event }) => event !== head && event !== 'done');
    const shapes = eventShapes.map(({ shape }) => ({
      event: shape.event.value,
      fields: Object.keys(shape)
        .filter((field) => field !== 'event')
        .sort(),
    }));
    expect(listed).toEqual(expect.arrayContaining(shapes));
    expect(listed).toHaveLength(shapes.length);
  });

  test('shows documents that are like the ones that are printed', () => {
    expect(examplesBelow('### `tandem status --json`').map((example) => statusShape.parse(example))).toHaveLength(1);
    expect(examplesBelow('### `tandem verify --json`').map((example) => verifyShape.parse(example))).toHaveLength(1);
    expect(examplesBelow('### `tandem plan --json`').map((example) => planShape.parse(example))).toHaveLength(1);
    expect(examplesBelow('## JSON').map((example) => failureShape.parse(example))).toHaveLength(1);
    expect(examplesBelow('### Events').map((example) => migratedShape.parse(example))).toHaveLength(1);
  });
});
