import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvRows } from '../../src/backup/csv-rows.ts';

/** Feeds the text in pieces that end at the given offsets. */
function count(text: string, cuts: readonly number[] = []): CsvRows {
  const bytes = Buffer.from(text);
  const rows = new CsvRows();
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  for (let at = 1; at < edges.length; at++) rows.push(bytes.subarray(edges[at - 1], edges[at]));
  return rows;
}

test('a newline inside quotes ends no record', () => {
  expect(count('id,text\n1,"two\nlines, ""quoted""\n"\n2,\n').rows).toBe(2);
});

test('a header alone is no row, and neither is nothing', () => {
  expect(count('id,text\n')).toMatchObject({ rows: 0, records: 1, complete: true });
  expect(count('')).toMatchObject({ rows: 0, records: 0 });
});

test('an empty line is the NULL of a table with one column', () => {
  expect(count('text\n\n""\n').rows).toBe(2);
});

test('a text that ends inside a record is not complete', () => {
  expect(count('id\n1').complete).toBe(false);
  expect(count('id\n"1\n').complete).toBe(false);
  expect(count('id\n"1"\n').complete).toBe(true);
});

test('a NUL character is found with its line, wherever the text was cut', () => {
  expect(count('id\n1\n2\n').nulLine).toBeNull();
  expect(count('id\n1\n2\0\n').nulLine).toBe(3);
  expect(count('id\n"1\n\n"\n\0\n', [3, 5, 9]).nulLine).toBe(5);
});

test('any values, cut anywhere, are counted as written', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('"', '""', '\n', '\r\n', ',', '', '"\n"', '🧵\n'));
  fc.assert(
    fc.property(fc.array(fc.array(value, { minLength: 2, maxLength: 2 })), fc.array(fc.nat()), (rows, cuts) => {
      const text = ['a,b', ...rows.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join())].join('\n');
      expect(count(`${text}\n`, cuts).rows).toBe(rows.length);
    }),
  );
});
