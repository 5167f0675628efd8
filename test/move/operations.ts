import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { quoteIdent, quoteLiteral } from '../../src/db/identifier.ts';
import { type KeyKind, OWNERS, ROWS } from './key-kinds.ts';

/** What an application does to a table: to the live one, and to the oracle's. */
export interface Operation {
  readonly name: string;
  /** `rows`: numbers of rows that nothing else touches, one early in the table and one late. `place`: of the phase. */
  readonly run: (client: pg.ClientBase, table: string, rows: readonly number[], place: number) => Promise<void>;
  /** It touches what both tables refer to, and is done once. */
  readonly shared?: true;
  /** It makes sense only within a transaction. */
  readonly transaction?: true;
}

/** Far from the rows that there are: the place's new keys. */
const fresh = (rows: readonly number[], place: number, i: number) => 10_000 + place * 1_000 + (rows[0] ?? 0) * 2 + i;

export function operations(kind: KeyKind): Operation[] {
  const columns = kind.columns.map((c) => quoteIdent(c.name));
  const literals = (values: readonly string[]) => values.map((v) => quoteLiteral(v)).join(', ');
  const isRow = (n: number) => `(${columns.join(', ')}) = (${literals(kind.value(n))})`;
  const setKey = (values: readonly string[]) =>
    columns.map((c, i) => `${c} = ${quoteLiteral(values[i] ?? '')}`).join(', ');
  const insert = (table: string, n: number, note: string) =>
    `INSERT INTO ${table} (${columns.join(', ')}, status, amount, note, owner, at_time, extra) OVERRIDING SYSTEM VALUE
     VALUES (${literals(kind.value(n))}, 'active', 1.25, ${quoteLiteral(note)}, NULL, '2025-01-01 00:00:00+00', '{"a": 1}')`;
  const each = async (rows: readonly number[], work: (n: number, i: number) => Promise<unknown>) => {
    for (const [i, n] of rows.entries()) await work(n, i);
  };
  const list: Operation[] = [
    {
      name: 'insert',
      run: (client, table, rows, place) =>
        each(rows, (_, i) => client.query(insert(table, fresh(rows, place, i), 'inserted'))),
    },
    {
      name: 'update',
      run: (client, table, rows, place) =>
        each(rows, (n) =>
          client.query(
            `UPDATE ${table} SET note = 'updated in ${place}', amount = NULL, extra = '[${n}]' WHERE ${isRow(n)}`,
          ),
        ),
    },
    {
      name: 'update twice',
      run: (client, table, rows, place) =>
        each(rows, async (n) => {
          await client.query(`UPDATE ${table} SET note = 'first' WHERE ${isRow(n)}`);
          await client.query(`UPDATE ${table} SET note = 'second in ${place}' WHERE ${isRow(n)}`);
        }),
    },
    {
      name: 'delete',
      run: (client, table, rows) => each(rows, (n) => client.query(`DELETE FROM ${table} WHERE ${isRow(n)}`)),
    },
    {
      name: 'delete and insert again',
      run: (client, table, rows, place) =>
        each(rows, async (n) => {
          await client.query(`DELETE FROM ${table} WHERE ${isRow(n)}`);
          await client.query(insert(table, n, `again in ${place}`));
        }),
    },
    {
      name: 'insert and delete',
      run: (client, table, rows, place) =>
        each(rows, async (_, i) => {
          await client.query(insert(table, fresh(rows, place, i), 'for a moment'));
          await client.query(`DELETE FROM ${table} WHERE ${isRow(fresh(rows, place, i))}`);
        }),
    },
    {
      name: 'move to another status',
      run: (client, table, rows) =>
        each(rows, (n) =>
          client.query(
            `UPDATE ${table} SET status = CASE status::text WHEN 'active' THEN 'archived'::text ELSE 'active' END::public.state WHERE ${isRow(n)}`,
          ),
        ),
    },
    {
      name: 'move there and back',
      run: (client, table, rows) =>
        each(rows, async (n) => {
          const { rows: was } = await client.query<{ status: string }>(
            `SELECT status::text FROM ${table} WHERE ${isRow(n)}`,
          );
          for (const status of ['deleted', 'active', was[0]?.status])
            await client.query(`UPDATE ${table} SET status = '${status}' WHERE ${isRow(n)}`);
        }),
    },
    {
      name: 'copy from',
      run: async (client, table, rows, place) => {
        const lines = rows.map((_, i) => {
          const values = kind.value(fresh(rows, place, i)).map((v) => v.replaceAll('\\', '\\\\'));
          return `${[...values, 'archived', '\\N', 'copied', '\\N', '2025-02-02 00:00:00+00', '\\N'].join('\t')}\n`;
        });
        const stream = client.query(
          copyFrom(`COPY ${table} (${columns.join(', ')}, status, amount, note, owner, at_time, extra) FROM STDIN`),
        );
        stream.end(lines.join(''));
        await once(stream, 'finish');
      },
    },
    {
      name: 'write as a replica',
      run: async (client, table, rows, place) => {
        await client.query('SET session_replication_role = replica');
        await client.query(insert(table, fresh(rows, place, 0), 'replicated'));
        const [early, late] = rows;
        if (early) await client.query(`UPDATE ${table} SET note = 'replicated in ${place}' WHERE ${isRow(early)}`);
        if (late) await client.query(`DELETE FROM ${table} WHERE ${isRow(late)}`);
        await client.query('SET session_replication_role = origin');
      },
    },
    {
      name: 'roll back to a savepoint',
      transaction: true,
      run: async (client, table, rows, place) => {
        await client.query('SAVEPOINT application');
        await each(rows, (n) => client.query(`UPDATE ${table} SET note = 'never' WHERE ${isRow(n)}`));
        await client.query('ROLLBACK TO SAVEPOINT application');
        await each(rows, (n) => client.query(`UPDATE ${table} SET note = 'kept in ${place}' WHERE ${isRow(n)}`));
      },
    },
    {
      name: 'delete what it refers to',
      shared: true,
      run: async (client, _table, _rows, place) => {
        await client.query('DELETE FROM public.owners WHERE id = $1', [OWNERS - place]);
      },
    },
  ];
  if (!kind.cannotChange) {
    list.push({
      name: 'change the key',
      run: (client, table, rows, place) =>
        each(rows, (n, i) =>
          client.query(`UPDATE ${table} SET ${setKey(kind.value(fresh(rows, place, i)))} WHERE ${isRow(n)}`),
        ),
    });
  }
  const { respelled } = kind;
  if (respelled) {
    list.push({
      name: 'spell the key anew',
      run: (client, table, rows) =>
        each(rows, (n) => client.query(`UPDATE ${table} SET ${setKey(respelled(n))} WHERE ${isRow(n)}`)),
    });
  }
  return list;
}

/** The rows that an operation has for itself in a phase: one from the first blocks of the table, one from the last. */
export function rowsOf(place: number, operation: number, all: number): readonly [number, number] {
  const i = OWNERS + place * all + operation + 1;
  if (i > ROWS / 2 - 1) throw new Error('The table is too small for so many operations.');
  return [i, ROWS - i];
}
