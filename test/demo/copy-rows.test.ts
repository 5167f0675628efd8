import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inTransaction } from '../../src/db/connect.ts';
import { copyRows } from '../../src/demo/copy-rows.ts';
import { useDatabase } from '../support/database.ts';

const table = { schema: 'public', name: 'Odd "table"' };

describe('copying rows', () => {
  const database = useDatabase(undefined, { per: 'suite' });

  test('keeps every text that PostgreSQL can hold', async () => {
    await database.pool.query('CREATE TABLE public."Odd ""table""" ("n o" int, text text)');
    const anyText = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
    const texts = ['', '\\N', '\\.', 'a\tb\nc\rd\\', '\\t', ...fc.sample(anyText, 500)];
    const rows = texts.map((text, i) => [i, text] as const);
    await inTransaction(database.pool, (client) => copyRows(client, table, ['n o', 'text'], rows));
    const read = await database.pool.query('SELECT "n o" AS i, text FROM public."Odd ""table""" ORDER BY 1');
    expect(read.rows).toEqual(texts.map((text, i) => ({ i, text })));
  });

  test('draws rows only as the server takes them, and stops where it refuses one', async () => {
    await database.pool.query('CREATE TABLE public.small (n int CHECK (n < 1000))');
    let drawn = 0;
    function* numbers() {
      for (; drawn < 20_000_000; drawn++) yield [drawn];
    }
    const copying = inTransaction(database.pool, (client) =>
      copyRows(client, { schema: 'public', name: 'small' }, ['n'], numbers()),
    );
    await expect(copying).rejects.toMatchObject({ code: '23514' });
    expect(drawn).toBeLessThan(1_000_000);
  });
});
