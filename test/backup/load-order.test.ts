import { expect, test } from 'vitest';
import { loadOrder } from '../../src/backup/load-order.ts';
import { TandemError } from '../../src/engine/errors.ts';
import { named } from './fixtures.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name, at) => ({ name: named(name), oid: at + 1 }));
if (!a || !b || !c) throw new Error('three tables');
const key = (from: number, to: number, deferrable = false) => ({ from, to, name: `fk_${from}_${to}`, deferrable });
const names = (order: ReturnType<typeof loadOrder>) => order.tables.map((table) => table.name.name).join('');

test('a table comes after all that it references', () => {
  expect(names(loadOrder([c, b, a], [key(2, 1), key(3, 2)]))).toBe('abc');
  expect(names(loadOrder([c, a, b], []))).toBe('cab');
});

test('a circle is entered where a key can be deferred, and only then is anything deferred', () => {
  expect(loadOrder([a, b], [key(1, 2, true), key(2, 1)])).toMatchObject({ deferred: true, tables: [a, b] });
  expect(loadOrder([a, b], [key(2, 1, true)])).toMatchObject({ deferred: false, tables: [a, b] });
});

test('a circle of keys that cannot be deferred is told with what would help', () => {
  try {
    loadOrder([a, b, c], [key(1, 2), key(2, 1), key(3, 1)]);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    expect(error.code).toBe('TD044');
    expect(error.detail).toContain('ALTER TABLE "public"."a" ALTER CONSTRAINT "fk_1_2" DEFERRABLE;');
  }
});
