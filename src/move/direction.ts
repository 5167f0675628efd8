import { type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { TableMove } from './table-move.ts';

/** One column written by a drain, and the SQL over row `s` of the side that is read. */
export interface DirectedColumn {
  readonly column: string;
  readonly expression: string;
  readonly type: string;
  /** Written on insert only, and not compared. */
  readonly once: boolean;
  /** SQL over a row `s` of the side written: what its value reads as. Where that equals the new value, it stays. */
  readonly readsAs: string | null;
  /** SQL over a row `s` of the side written that is compared in the place of its column. */
  readonly comparedAs?: string | undefined;
}

/**
 * The same mechanism runs both ways: before cutover from the source to the target, after it from the new table to the
 * retired one. A direction is all that copy, drain, digest and quarantine know.
 */
export interface Direction {
  readonly name: string;
  readonly from: QualifiedName;
  readonly to: QualifiedName;
  readonly log: QualifiedName;
  readonly joins: string;
  /** Key as the change log stores it: column on the side read, column on the side written, and how they compare. */
  readonly key: readonly { log: string; from: string; to: string; type: string; equals: string }[];
  /** Primary key of the side written. */
  readonly conflict: readonly string[];
  readonly columns: readonly DirectedColumn[];
  /** Boolean SQL over `s`, with the reason for which a row would not fit. */
  readonly fits: readonly { column: string; condition: string }[];
  readonly insertOrder: readonly string[];
  readonly dependents: TableMove['dependents'];
  /**
   * What stands on the side written for a row that it refuses: nothing, or the last state that it could hold. Going back,
   * an old state is better than none; going forward, it would only be in the way of others.
   */
  readonly keepsRefused: boolean;
  /**
   * Logs of tables that this one's computed columns look at, and the columns that hold those tables' keys on either
   * side: a row whose counterpart there is waiting is waiting too.
   */
  readonly parents: readonly { log: QualifiedName; from: string; to: string; equals: string }[];
}

export function changeLogName(move: Pick<TableMove, 'name'>): QualifiedName {
  return { schema: 'tandem', name: `changes_${move.name}` };
}

/** Source to target: the direction before cutover. `moves` are those that are drained together with this one. */
export function forward(move: TableMove, moves: readonly TableMove[] = []): Direction {
  return {
    name: move.name,
    from: move.source,
    to: move.target,
    log: changeLogName(move),
    joins: move.joins,
    key: move.key.map((k, i) => ({ log: `k${i + 1}`, from: k.source, to: k.target, type: k.type, equals: k.equals })),
    conflict: move.targetKey,
    columns: move.columns.flatMap((c) =>
      c.forward === null
        ? []
        : [{ column: c.target, expression: c.forward, type: c.type, once: c.once, readsAs: null }],
    ),
    fits: move.columns.flatMap((c) => (c.fits === null ? [] : [{ column: c.source ?? c.target, condition: c.fits }])),
    insertOrder: move.insertOrder,
    dependents: move.dependents,
    keepsRefused: false,
    parents: moves.flatMap((parent) =>
      parent.dependents
        .filter((d) => d.move === move.name)
        .map((d) => ({
          log: changeLogName(parent),
          from: d.column,
          to: move.columns.find((c) => c.source === d.column)?.target ?? d.column,
          equals: parent.key[0]?.equals ?? '=',
        })),
    ),
  };
}

/** New table (which has the source's name now) to the retired one: the direction of the bake. */
export function backward(move: TableMove): Direction {
  return {
    name: move.name,
    from: move.source,
    to: move.retired,
    log: changeLogName(move),
    joins: '',
    // By then, the log stores the key as the new table has it: see `cutoverSql`.
    key: move.key.map((k, i) => ({
      log: `k${i + 1}`,
      from: k.target,
      to: k.source,
      type: k.targetType,
      equals: k.equals,
    })),
    conflict: move.key.map((k) => k.source),
    columns: move.columns.flatMap((c) =>
      c.source === null || c.backward === null
        ? []
        : [
            {
              column: c.source,
              expression: c.backward,
              type: c.sourceType ?? c.type,
              once: false,
              readsAs: c.lossy ? c.forward : null,
            },
          ],
    ),
    fits: [],
    insertOrder: [],
    dependents: [],
    keepsRefused: true,
    parents: [],
  };
}

/** Which of the two versions is live: the old one, the new one, or the old one again. */
export type ComparedState = 'before cutover' | 'baking' | 'swapped back';

/**
 * What `verify` compares: always the old shape, read as the new one, against the new shape. From the cutover on, only
 * columns that the old table has can be compared: the others have gone their own way since.
 */
export function comparison(move: TableMove, moves: readonly TableMove[], state: ComparedState): Direction {
  const direction = forward(move, moves);
  const compared = (column: string) => {
    const mapping = move.columns.find((c) => c.target === column);
    if (mapping === undefined || mapping.once) return false;
    return state === 'before cutover' || (mapping.source !== null && mapping.backward !== null);
  };
  return {
    ...direction,
    ...(state === 'before cutover' ? {} : { joins: '' }),
    ...(state === 'baking' ? { from: move.retired, to: move.source } : {}),
    columns: direction.columns
      .filter((c) => compared(c.column))
      // The old table may hold a value less exactly, and that is no difference.
      .map((c) =>
        state !== 'before cutover'
          ? { ...c, comparedAs: move.columns.find((m) => m.target === c.column)?.roundTrip }
          : c,
      ),
  };
}

/** `a."id" OPERATOR(pg_catalog.=) b."k1" AND …` over the key's columns. */
export function keyMatch(
  direction: Direction,
  left: { alias: string; side: 'from' | 'to' | 'log' },
  right: { alias: string; side: 'from' | 'to' | 'log' },
): string {
  return direction.key
    .map((k) => `${left.alias}.${quoteIdent(k[left.side])} ${k.equals} ${right.alias}.${quoteIdent(k[right.side])}`)
    .join(' AND ');
}

/** `FROM "public"."sessions" s LEFT JOIN …`: what every read of the side that is read starts with. */
export function fromClause(direction: Direction): string {
  return `FROM ${quoteName(direction.from)} s ${direction.joins}`.trimEnd();
}

/** The key of alias `alias` as jsonb, `["0b1c…"]`: how quarantine and reports name a row. */
export function keyAsJson(direction: Direction, alias: string, side: 'from' | 'to' | 'log'): string {
  return `pg_catalog.jsonb_build_array(${direction.key.map((k) => `${alias}.${quoteIdent(k[side])}::text`).join(', ')})`;
}

/** True where every value fits, as SQL over `s`; a condition that is unknown (NULL) counts as not fitting. */
export function fitsCondition(direction: Direction): string {
  if (direction.fits.length === 0) return 'true';
  return direction.fits.map((f) => `coalesce(${f.condition}, false)`).join(' AND ');
}

/** SQL text array over `s`: the columns whose values do not fit. */
export function unfitColumns(direction: Direction): string {
  if (direction.fits.length === 0) return "'{}'::text[]";
  const cases = direction.fits.map(
    (f) => `CASE WHEN NOT coalesce(${f.condition}, false) THEN ${quoteText(f.column)} END`,
  );
  return `pg_catalog.array_remove(ARRAY[${cases.join(', ')}]::text[], NULL)`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'::text`;
}
