import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import type { TableDescription } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { ManifestTable } from './manifest.ts';
import { describeWholeTables } from './whole-tables.ts';

export interface Target extends TableDescription {
  readonly entry: ManifestTable;
}

/**
 * The tables that the files are to be loaded into. A table may have further columns, which take their defaults.
 *
 * @throws TD005 for a table that is not there; TD044 for one that lacks a column or has it in another type, in which a
 * value could be read as another value
 */
export async function restoreTargets(db: Queryable, entries: readonly ManifestTable[]): Promise<Target[]> {
  const described = await describeWholeTables(db, entries);
  return described.map((target, at) => {
    const entry = entries[at];
    if (!entry) throw new TandemError('TD099', 'A table was described that nobody asked for.');
    const types = new Map(target.columns.map((column) => [column.name, column.type]));
    const differences = entry.columns.flatMap(({ name, type }) => {
      const now = types.get(name);
      if (now === type) return [];
      return now === undefined ? `${name} ${type}: missing` : `${name} ${type}: now ${now}`;
    });
    if (differences.length > 0) {
      throw new TandemError('TD044', `${displayName(entry)} does not have the columns that were backed up.`, {
        hint: 'Create the table as it was, under this name, and restore into that.',
        detail: differences.join('\n'),
      });
    }
    return { ...target, entry };
  });
}

const existsSchema = z.tuple([z.object({ filled: z.boolean() })]);

/** @throws TD043, naming all tables that hold rows: a restore adds to none and removes none */
export async function assertEmpty(db: Queryable, targets: readonly Target[]): Promise<void> {
  const filled: string[] = [];
  for (const { name } of targets) {
    const { rows } = await db.query(`SELECT EXISTS (SELECT FROM ${quoteName(name)}) AS filled`);
    if (existsSchema.parse(rows)[0].filled) filled.push(displayName(name));
  }
  if (filled.length === 0) return;
  throw new TandemError('TD043', `${filled.join(', ')} ${filled.length === 1 ? 'is' : 'are'} not empty.`, {
    hint: 'Restore into empty tables: rename the ones that are there, or TRUNCATE them once their rows are safe elsewhere.',
  });
}

const countSchema = z.tuple([z.object({ rows: z.string() })]);

/** @throws TD044 where a table does not hold as many rows as its file */
export async function assertRowCount(db: Queryable, { name, entry }: Target): Promise<void> {
  const { rows } = await db.query(`SELECT count(*)::text AS rows FROM ${quoteName(name)}`);
  const found = Number(countSchema.parse(rows)[0].rows);
  if (found === entry.rows) return;
  throw new TandemError('TD044', `${displayName(name)} holds ${found} rows after the load, not ${entry.rows}.`, {
    hint: 'Nothing was restored.',
  });
}
