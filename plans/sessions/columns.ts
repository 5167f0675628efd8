import type { Column, TableDescription } from '../../src/db/describe-table.ts';
import { quoteIdent, quoteLiteral } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { ColumnMove } from '../../src/move/table-move.ts';
import type { ColumnSource } from './config.ts';
import { enumLabels, type ShapeColumn } from './shape.ts';

export interface ColumnInput {
  readonly table: TableDescription;
  readonly display: string;
  readonly shape: readonly ShapeColumn[];
  readonly sources: Readonly<Record<string, ColumnSource | undefined>>;
  readonly values: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  /** Schema of the enums, quoted. */
  readonly enumSchema: string;
}

const TEXTUAL =
  /^(text|character varying(\(\d+\))?|character\(\d+\)|"char"|name|public\.citext|extensions\.citext|citext)$/;

/** How each column of the new table comes from the live one; columns beyond the guide's are carried over untouched. */
export function mapColumns(input: ColumnInput): { columns: ColumnMove[]; findings: Finding[]; extra: Column[] } {
  const findings: Finding[] = [];
  const columns: ColumnMove[] = [];
  const used = new Set<string>();
  for (const shape of input.shape) {
    const source = input.sources[shape.name];
    const settings = typeof source === 'string' ? { column: source } : (source ?? {});
    const name = settings.column ?? shape.name;
    const live = input.table.columns.find((c) => c.name === name);
    if (live) used.add(name);
    const idle = live ? settings.sql && 'sql' : settings.whenNull && 'whenNull';
    if (idle)
      findings.push({
        severity: 'blocks',
        subject: input.display,
        message: live
          ? `column ${name} is there, and the plan file has SQL for it as if it were not`
          : `there is no column ${name}, and the plan file says what it is where it is NULL`,
        hint: live
          ? '`sql` is for a column that the table lacks; `values` and `whenNull` say how one that it has is read.'
          : '`whenNull` is for a column that the table has; `sql` computes one that it lacks.',
      });
    if (live)
      columns.push(
        mapLive(input, shape, live, { whenNull: settings.whenNull ?? nullDefault(input, shape, live) }, findings),
      );
    else if (settings.column === undefined && (settings.sql !== undefined || shape.whenMissing)) {
      columns.push(mapMissing(input, shape, name, settings.sql));
    } else {
      findings.push({
        severity: 'blocks',
        subject: input.display,
        message: `there is no column ${name}`,
        hint: `Say in the plan file where it comes from: \`columns: { ${shape.name}: 'its_name' }\` or \`{ ${shape.name}: { sql: '…' } }\`.`,
      });
    }
  }
  const extra = input.table.columns.filter((c) => !used.has(c.name));
  for (const column of extra) columns.push(carried(column));
  return { columns, findings, extra };
}

/** SQL over `s` for the target's value. A value outside an enum gives NULL here, and `fits` says so. */
function mapLive(
  input: ColumnInput,
  shape: ShapeColumn,
  live: Column,
  settings: { whenNull?: string | undefined },
  findings: Finding[],
): ColumnMove {
  const column = `s.${quoteIdent(live.name)}`;
  const type = targetType(shape, input.enumSchema);
  const value = settings.whenNull === undefined ? column : `coalesce(${column}, ${settings.whenNull})`;
  const common = { target: live.name, source: live.name, once: false, carried: false, type, sourceType: live.type };
  const nullFits = !shape.required || live.notNull || settings.whenNull !== undefined;
  const notNull = nullFits ? null : `${value} IS NOT NULL`;
  const lossy = settings.whenNull !== undefined;
  if (live.type === type) return { ...common, forward: value, backward: column, fits: notNull, lossy };
  if (shape.kind === 'enum' && (TEXTUAL.test(live.type) || live.typeKind === 'e' || live.typeKind === 'd')) {
    return {
      ...common,
      ...enumMapping(input, shape, `${value}::text`, type, live, column),
      lossy: lossy || hasMap(input, shape),
    };
  }
  if (shape.kind === 'text' && (TEXTUAL.test(live.type) || live.typeKind === 'd')) {
    // Assigned and not cast: a cast to varchar(n) would cut a longer text off, where an assignment refuses it.
    return { ...common, forward: `${value}::text`, backward: column, fits: notNull, lossy };
  }
  if (shape.kind === 'timestamp' && live.type.startsWith('timestamp')) {
    // Without time zone: read as UTC, which is what Supabase and most ORMs write.
    const withZone = live.type.includes('with time zone');
    const back = withZone ? column : `${column} AT TIME ZONE 'UTC'`;
    const rounded = `(${back})::${live.type}`;
    return {
      ...common,
      forward: withZone ? value : `${value} AT TIME ZONE 'UTC'`,
      backward: back,
      fits: notNull,
      lossy,
      // `timestamp(3)`, as some ORMs make them.
      ...(live.type.includes('(') ? { roundTrip: withZone ? rounded : `${rounded} AT TIME ZONE 'UTC'` } : {}),
    };
  }
  if (shape.kind === 'integer' && ['smallint', 'bigint'].includes(live.type)) {
    return {
      ...common,
      forward: `CASE WHEN ${value} BETWEEN -2147483648 AND 2147483647 THEN ${value}::integer END`,
      backward: `${column}::${live.type}`,
      fits: `${nullFits && !shape.required ? `${value} IS NULL OR ` : ''}${value} BETWEEN -2147483648 AND 2147483647`,
      lossy,
    };
  }
  findings.push({
    severity: 'blocks',
    subject: input.display,
    message: `column ${live.name} is ${live.type}, and the plan needs ${type}`,
    hint: `Give it another column or an expression in the plan file, or change its type first.`,
  });
  return { ...common, forward: value, backward: column, fits: null, lossy };
}

function hasMap(input: ColumnInput, shape: ShapeColumn): boolean {
  return Object.keys(input.values[shape.name] ?? {}).length > 0;
}

function enumMapping(input: ColumnInput, shape: ShapeColumn, text: string, type: string, live: Column, column: string) {
  const map = new Map(Object.entries(input.values[shape.name] ?? {}));
  const labels = enumLabels[shape.enum ?? ''] ?? [];
  // What stands on the left of a map is read as what stands on its right, though it were a label itself.
  const read = new Map([...labels.map((label) => [label, label] as const), ...map]);
  const fitting = [...read].filter(([, label]) => labels.includes(label));
  // One constant for each text: a cast would look its label up in the catalog's cache for every row. Byte by byte: a
  // collation of the column's may call other spellings equal, which no label is.
  const bytes = `(${text}) COLLATE "C"`;
  const cases = fitting.map(([from, label]) => `WHEN ${quoteLiteral(from)} THEN ${quoteLiteral(label)}::${type}`);
  return {
    forward: `CASE ${bytes} ${cases.join(' ')} END`,
    backward: live.typeKind === 'e' ? `${column}::text::${live.type}` : `${column}::text`,
    fits: `${bytes} IN (${fitting.map(([from]) => quoteLiteral(from)).join(', ')})`,
  };
}

/** A time that was never noted is read like a column that was never there; going back, it stays NULL. */
function nullDefault(input: ColumnInput, shape: ShapeColumn, live: Column): string | undefined {
  if (shape.kind !== 'timestamp' || live.notNull || !live.type.includes('with time zone')) return undefined;
  return shape.whenMissing?.((other) => (other === shape.name ? null : liveColumn(input, other)));
}

/** `s."column"` for a guide's column that the live table has, under whatever name. */
function liveColumn(input: ColumnInput, guideName: string): string | null {
  const source = input.sources[guideName];
  const name = (typeof source === 'string' ? source : source?.column) ?? guideName;
  return input.table.columns.some((c) => c.name === name) ? `s.${quoteIdent(name)}` : null;
}

function mapMissing(input: ColumnInput, shape: ShapeColumn, name: string, sql: string | undefined): ColumnMove {
  const type = targetType(shape, input.enumSchema);
  const expression = sql ?? shape.whenMissing?.((other) => liveColumn(input, other)) ?? 'NULL';
  return {
    target: name,
    source: null,
    forward: `(${expression})::${type}`,
    backward: null,
    fits: shape.required && sql !== undefined ? `(${expression}) IS NOT NULL` : null,
    once: shape.name === 'sequence_number' && sql === undefined,
    lossy: false,
    carried: false,
    type,
    sourceType: null,
  };
}

function carried(column: Column): ColumnMove {
  const value = `s.${quoteIdent(column.name)}`;
  const generated = column.generated !== '';
  return {
    target: column.name,
    source: column.name,
    forward: generated ? null : value,
    backward: generated ? null : value,
    fits: null,
    once: false,
    lossy: false,
    carried: true,
    type: column.type,
    sourceType: column.type,
  };
}

function targetType(shape: ShapeColumn, enumSchema: string): string {
  switch (shape.kind) {
    case 'uuid':
      return 'uuid';
    case 'text':
      return 'text';
    case 'timestamp':
      return 'timestamp with time zone';
    case 'integer':
      return 'integer';
    case 'enum':
      return `${enumSchema}.${shape.enum}`;
  }
}
