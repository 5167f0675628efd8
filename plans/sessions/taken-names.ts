import type { Queryable } from '../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import { GUIDE_INDEXES } from './carry.ts';
import type { SessionsNames } from './names.ts';
import { buildStatements, liveStatements } from './statements.ts';
import { planStatements } from './templates.ts';

/** Names that the new shape needs, and that somebody else's objects have: found before a run begins, not at its cutover. */
export async function takenNames(
  client: Queryable,
  names: SessionsNames,
  moves: readonly TableMove[],
): Promise<Finding[]> {
  const made = madeByPlan(names, moves);
  return [...(await takenRelations(client, names, made)), ...(await takenOnTables(client, moves, made))];
}

/** An index, trigger, policy or constraint that the plan's SQL makes on one of its tables. */
interface Made {
  readonly kind: 'index' | 'trigger' | 'policy' | 'constraint';
  readonly name: string;
  /** As the statement says it. */
  readonly table: string;
}

const CREATES =
  /^create (?:or replace |unique )?(index|trigger|policy) (?:if not exists )?(\w+) [\s\S]*?\bon ((?:"(?:[^"]|"")+"|\w|\.)+)/;
const ADDS = /^alter table (\S+) add (constraint) (\w+)/;

/** By the plan's own statements, so that none is forgotten. What it carries over keeps its name, and is on the table already. */
function madeByPlan(names: SessionsNames, moves: readonly TableMove[]): Made[] {
  const own = moves.flatMap((move) => buildStatements(names, { ...move, extraIndexes: [] }));
  const security = ['security-sessions', 'security-messages'].flatMap((file) => planStatements(file, names, 'beside'));
  const later = ['session-stats', 'session-changes'].flatMap((file) => planStatements(file, names, 'live'));
  const made: Made[] = [];
  for (const sql of [...own, ...security, ...liveStatements(names, moves), ...later]) {
    const text = sql.replaceAll(/^\s*--.*$/gm, '').trim();
    const [, kind, name, table] = CREATES.exec(text) ?? [];
    if (name && table && (kind === 'index' || kind === 'trigger' || kind === 'policy'))
      made.push({ kind, name, table });
    const [, altered, , constraint] = ADDS.exec(text) ?? [];
    if (altered && constraint) made.push({ kind: 'constraint', name: constraint, table: altered });
  }
  for (const move of moves)
    for (const key of move.targetForeignKeys)
      if (!move.sourceForeignKeys.some(({ name }) => name === key.name))
        made.push({ kind: 'constraint', name: key.name, table: quoteName(move.source) });
  return made;
}

/** Tables, indexes, types and functions. An index of a live table goes with it, unless it is carried over. */
async function takenRelations(client: Queryable, names: SessionsNames, made: readonly Made[]): Promise<Finding[]> {
  const beside = (name: string): QualifiedName => ({ schema: names.sessions.schema, name });
  const partitions = Object.values(names.partitions).map(beside);
  const relations = [
    ...partitions,
    beside('session_stats'),
    beside('my_session_stats'),
    beside('message_match'),
    names.registry,
    ...['session_changes', 'session_rollup', 'session_rollup_state', 'session_counts'].map((name) => ({
      ...names.registry,
      name,
    })),
  ];
  const ofPlan = (kind: Made['kind'], isWanted: (made: Made) => boolean) =>
    made.filter((m) => m.kind === kind && isWanted(m)).map(({ name }) => beside(name));
  const indexes = [
    ...ofPlan('index', ({ table }) => !table.startsWith('private.')),
    // The primary key's, by which it is called.
    ...ofPlan('constraint', ({ name }) => /^(?:sessions|messages)_pkey$/.test(name)),
  ];
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.name FROM unnest($1::text[]) WITH ORDINALITY AS n (name, place)
      WHERE pg_catalog.to_regclass(n.name) IS NOT NULL OR pg_catalog.to_regtype(n.name) IS NOT NULL
      UNION ALL
     SELECT n.name FROM unnest($3::text[]) WITH ORDINALITY AS n (name, place)
       JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name) LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
      WHERE i.indrelid IS NULL OR i.indrelid <> ALL ($4::text[]::regclass[]) OR c.relname <> ALL ($5::text[]) AND NOT i.indisprimary
      UNION ALL
     SELECT pg_catalog.format('%I.%I(%s)', $2::text, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
       FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $2 AND p.proname = 'search_messages'`,
    [
      relations.map(quoteName),
      names.sessions.schema,
      indexes.map(quoteName),
      [names.sessions, names.messages].map(quoteName),
      [...GUIDE_INDEXES],
    ],
  );
  return rows.map(({ name }) => ({
    severity: 'blocks',
    subject: displayName(names.sessions),
    message: `the name ${name.replaceAll('"', '')} is taken, which the new shape needs`,
    hint: 'Rename or drop what has it.',
  }));
}

/** What the live tables have of their own, comes along, and would meet something of the plan's by the same name. */
async function takenOnTables(
  client: Queryable,
  moves: readonly TableMove[],
  made: readonly Made[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { source, target } of moves) {
    const on = made.filter(({ table }) => [source, target].some((name) => quoteName(name) === table));
    const { rows } = await client.query<{ kind: Made['kind']; name: string }>(
      `SELECT o.kind, o.name FROM (
         SELECT 'trigger' AS kind, tgname AS name FROM pg_catalog.pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal
          UNION ALL SELECT 'policy', polname FROM pg_catalog.pg_policy WHERE polrelid = $1::regclass
          UNION ALL SELECT 'constraint', conname FROM pg_catalog.pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'f', 'u', 'x')) o
         JOIN unnest($2::text[], $3::text[]) AS m (kind, name) ON m.kind = o.kind AND m.name = o.name ORDER BY 1, 2`,
      [quoteName(source), on.map(({ kind }) => kind), on.map(({ name }) => name)],
    );
    for (const { kind, name } of rows)
      findings.push({
        severity: 'blocks',
        subject: displayName(source),
        message: `has a ${kind} ${name}, a name that the new table needs for a ${kind} of its own`,
        hint: 'Rename or drop it.',
      });
  }
  return findings;
}
