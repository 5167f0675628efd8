import type { z } from 'zod';
import { quoteIdent } from '../db/identifier.ts';
import { type Inputs, parseInput, parseRows } from './inputs.ts';
import { type SearchMatch, searchMatch, searchOptions } from './rows.ts';
import type { Run } from './run-as.ts';
import type { Tables } from './tables.ts';

export type SearchOptions = z.input<typeof searchOptions>;

/** Messages that match what an end user typed. */
export type Search = (query: string, options?: SearchOptions) => Promise<readonly SearchMatch[]>;

export function searchOf(run: Run, tables: Tables, inputs: Inputs): Search {
  return async (query, options = {}) => {
    const given = Object.entries(parseInput(searchOptions, options)).filter(([, value]) => value !== undefined);
    const named = given.map(([name], place) => `, ${quoteIdent(name)} => $${place + 2}`).join('');
    const text = `SELECT ${tables.searchColumns} FROM ${tables.searchFunction}($1${named})`;
    const values = [parseInput(inputs.query, query), ...given.map(([, value]) => value)];
    return parseRows(searchMatch, await run(() => ({ text, values })));
  };
}
