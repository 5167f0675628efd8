import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keepColumns } from '../../src/backup/csv-columns.ts';

async function kept(keep: boolean[], text: string, chunk = 1_000): Promise<string> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, at) =>
    bytes.subarray(at * chunk, (at + 1) * chunk),
  );
  return (await buffer(Readable.from(chunks).pipe(keepColumns(keep)))).toString();
}

test('leaves out fields at the start, between and at the end', async () => {
  expect(await kept([false, true, true], 'a,b,c\n1,2,3\n')).toBe('b,c\n2,3\n');
  expect(await kept([true, false, true], 'a,b,c\n1,2,3\n')).toBe('a,c\n1,3\n');
  expect(await kept([true, true, false], 'a,b,c\n1,2,3\n')).toBe('a,b\n1,2\n');
  expect(await kept([false, true, false], 'a,b,c\n1,2,3\n')).toBe('b\n2\n');
});

test('keeps NULL and the empty string apart', async () => {
  expect(await kept([true, false, true], ',"",\n"",,""\n')).toBe(',\n"",""\n');
});

test('any fields, cut anywhere, pass byte for byte', async () => {
  const plain = fc.stringMatching(/^[a-z\\.]{0,4}$/u);
  const quoted = fc.string().map((value) => `"${value.replaceAll('"', '""')}\n,"`);
  const row = fc.array(fc.oneof(plain, quoted), { minLength: 4, maxLength: 4 });
  const keeps = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }).filter((keep) => keep.includes(true));
  await fc.assert(
    fc.asyncProperty(fc.array(row), keeps, fc.integer({ min: 1, max: 9 }), async (rows, keep, chunk) => {
      const lines = (fields: string[][]) => fields.map((one) => `${one.join()}\n`).join('');
      expect(await kept(keep, lines(rows), chunk)).toBe(lines(rows.map((one) => one.filter((_, at) => keep[at]))));
    }),
  );
});
