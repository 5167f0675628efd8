import type pg from 'pg';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { attemptsOf, type Operation, type People, relationsToTry } from './security-attempts.ts';

/** What became of one statement: it saw or wrote rows, it found none, or the server refused it. */
type Outcome = 'rows' | 'none' | 'refused' | 'impossible' | 'malformed';

/** `request.jwt.claims` and `request.jwt.claim.sub`; null where a setting was never made. */
export interface Settings {
  readonly claims: string | null;
  readonly sub: string | null;
}

export interface Column {
  readonly title: string;
  readonly role: string;
  /** Each is tried, and all of them must lead to the same. */
  readonly settings: readonly Settings[];
}

/** One line of the table: an operation on a relation or function, and what each column may do. */
export interface Line {
  readonly what: string;
  readonly operation: string;
  readonly cells: readonly string[];
}

/** Both ways of PostgREST to say who calls. */
export const bothSettings = (sub: string, role: string): Settings[] => [
  { claims: JSON.stringify({ sub, role }), sub: null },
  { claims: null, sub },
];

/** All that says nobody. */
export const nobody: readonly Settings[] = [
  { claims: null, sub: null },
  { claims: '', sub: null },
  { claims: null, sub: '' },
  { claims: '{}', sub: null },
  { claims: '{"sub":""}', sub: '' },
  { claims: '{"sub":null,"role":"authenticated"}', sub: null },
];

/** Opens a session of its own for each caller: where a setting was once made, it is empty from then on, not absent. */
type Connect = () => Promise<pg.Client>;

/** Tries every operation of every relation and function as each column; nothing of it stays. */
export async function tryMatrix(connect: Connect, columns: readonly Column[], people: People): Promise<Line[]> {
  const lines: Line[] = [];
  const operations = await relationsToTry(await connect(), people);
  const outcomes = new Map<Column, string[]>();
  for (const column of columns) outcomes.set(column, await tryColumn(connect, column, operations));
  for (const [place, { what, name }] of operations.entries()) {
    const cells = columns.map((column) => outcomes.get(column)?.[place] ?? '?');
    lines.push({ what, operation: name, cells });
  }
  return lines;
}

async function tryColumn(connect: Connect, column: Column, operations: readonly Operation[]): Promise<string[]> {
  let agreed: string[] | null = null;
  for (const settings of column.settings) {
    const client = await connect();
    const cells = await asCaller(client, column.role, settings, async () => {
      const found: string[] = [];
      for (const operation of operations) found.push(await tryOperation(client, column.role, operation));
      return found;
    });
    agreed ??= cells;
    const differing = operations.filter((_, place) => cells[place] !== agreed?.[place]);
    if (differing.length > 0) {
      const names = differing.map(({ what, name }) => `${name} on ${what}`).join(', ');
      throw new Error(`${column.title} with ${JSON.stringify(settings)} may do other things than before: ${names}`);
    }
  }
  return agreed ?? [];
}

/** Runs `work` in a transaction with the settings of a caller, and rolls it back. */
async function asCaller<T>(
  client: pg.Client,
  role: string,
  { claims, sub }: Settings,
  work: () => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  try {
    if (claims !== null) await client.query("SELECT set_config('request.jwt.claims', $1, true)", [claims]);
    if (sub !== null) await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [sub]);
    return await work();
  } catch (error) {
    throw new Error(`As ${role} with ${JSON.stringify({ claims, sub })}: ${String(error)}`, { cause: error });
  } finally {
    await client.query('ROLLBACK');
  }
}

/** The cell: `all` rows, `own` rows, `none` (allowed, but nothing is found), `–` (refused), `malformed`. */
async function tryOperation(client: pg.Client, role: string, operation: Operation): Promise<string> {
  const own = await tryAll(client, role, operation, attemptsOf(operation.own));
  const other = await tryAll(client, role, operation, attemptsOf(operation.other));
  const both = [...own, ...other];
  const always = (outcomes: readonly Outcome[]) => outcomes.every((outcome) => outcome === 'rows');
  if (both.includes('malformed')) {
    if (both.some((outcome) => outcome === 'rows' || outcome === 'none')) throw unexpected(operation, own, other);
    return 'malformed';
  }
  if (always(both)) return operation.yes;
  if (always(own) && !other.includes('rows')) return 'own';
  if (both.includes('rows')) throw unexpected(operation, own, other);
  return both.every((outcome) => outcome === 'none') ? 'none' : '–';
}

async function tryAll(
  client: pg.Client,
  role: string,
  operation: Operation,
  statements: readonly string[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const sql of statements) {
    await client.query(`SAVEPOINT attempt; SET LOCAL ROLE "${role}"`);
    try {
      const { rowCount } = await client.query(sql);
      if (operation.checkDeferred) await client.query('SET CONSTRAINTS ALL IMMEDIATE');
      outcomes.push(rowCount === 0 ? 'none' : 'rows');
    } catch (error) {
      outcomes.push(outcomeOf(error, operation));
    }
    await client.query('ROLLBACK TO attempt');
  }
  return outcomes;
}

function outcomeOf(error: unknown, operation: Operation): Outcome {
  const state = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (state === SqlState.insufficientPrivilege) return 'refused';
  if (state === '22P02') return 'malformed';
  // A materialized view, or a view that no INSERT can be rewritten for.
  if (state === '42809' || state === '55000') return 'impossible';
  // Past every check of privileges, an attempt with arguments of no meaning fails for its own reasons.
  if (operation.meaningless) return 'rows';
  throw error;
}

function unexpected({ what, name }: Operation, own: readonly Outcome[], other: readonly Outcome[]): Error {
  return new Error(`${name} on ${what}: own rows ${own.join(', ')}; other rows ${other.join(', ')}`);
}

/** The lines as a table of Markdown; functions of which the same is true share one. */
export function renderMatrix(columns: readonly Column[], lines: readonly Line[]): string {
  const rows = new Map<string, { what: string[]; rest: string }>();
  for (const { what, operation, cells } of lines) {
    const rest = `${operation} | ${cells.join(' | ')} |`;
    const key = operation === 'execute' ? rest : `${what} ${rest}`;
    const row = rows.get(key) ?? { what: [], rest };
    row.what.push(`\`${what}\``);
    rows.set(key, row);
  }
  return [
    `| on | operation | ${columns.map(({ title }) => title).join(' | ')} |`,
    `|---|---|${'---|'.repeat(columns.length)}`,
    ...[...rows.values()].map(({ what, rest }) => `| ${what.join(', ')} | ${rest}`),
  ].join('\n');
}
