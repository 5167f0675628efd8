import type { Client } from '../../src/db/connect.ts';

/** What the client reads, by the name of its type: relation or composite type, and what it is. */
const SHAPES = [
  { type: 'Session', of: 'sessions', what: 'A row of `sessions`.' },
  { type: 'Message', of: 'messages', what: 'A row of `messages`, without its search vector.' },
  { type: 'Feedback', of: 'message_feedback', what: 'A row of `message_feedback`.' },
  { type: 'SearchMatch', of: 'message_match', what: 'A message that `search_messages` found.' },
  { type: 'SessionStats', of: 'session_stats', what: 'A row of `session_stats`, as of its last refresh.' },
] as const;

const ENUMS = {
  SessionLanguage: 'session_language',
  SessionLevel: 'session_level',
  SessionStatus: 'session_status',
  MessageType: 'message_type',
};

/** Columns of a view, a materialized view or a composite type never carry NOT NULL: these may be null in fact. */
const MAY_BE_NULL = /^average_|^(first|last)_activity$|^session_title$|^snippet$|^correction$/;

const PARSERS: Readonly<Record<string, string>> = {
  uuid: 'z.guid()',
  text: 'z.string()',
  'timestamp with time zone': 'timestamp',
  smallint: 'z.number().int()',
  integer: 'z.number().int()',
  // `pg` gives these two as strings, which hold more digits than a number does.
  bigint: 'z.coerce.number().int()',
  numeric: 'z.coerce.number()',
  real: 'z.number()',
  jsonb: 'z.json()',
};

const lowerFirst = (text: string) => `${text.charAt(0).toLowerCase()}${text.slice(1)}`;

/** The source of src/client/rows.ts, read from the catalog of a migrated database. */
export async function rowTypesSource(client: Client): Promise<string> {
  const parts = [
    '// Written from the catalog by `npm run generate:client`; a test compares the two.',
    "import { z } from 'zod';\nimport { timestamp } from './timestamp.ts';\n",
  ];
  const enumOf = new Map<string, string>();
  for (const [type, name] of Object.entries(ENUMS)) {
    const { rows } = await client.query<{ labels: string[] }>(
      'SELECT array_agg(enumlabel::text ORDER BY enumsortorder) AS labels FROM pg_enum WHERE enumtypid = $1::regtype',
      [`public.${name}`],
    );
    enumOf.set(name, lowerFirst(type));
    parts.push(
      `export const ${lowerFirst(type)} = z.enum([${rows[0]?.labels.map((label) => `'${label}'`).join(', ')}]);`,
      `export type ${type} = z.infer<typeof ${lowerFirst(type)}>;\n`,
    );
  }
  for (const { type, of, what } of SHAPES) {
    const { rows } = await client.query<{ name: string; type: string; required: boolean; table: boolean }>(
      `SELECT a.attname::text AS name, regexp_replace(format_type(a.atttypid, NULL), '^public\\.', '') AS type, a.attnotnull AS required,
              c.relkind IN ('r', 'p') AS table
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid <> 'tsvector'::regtype
        ORDER BY a.attnum`,
      [of],
    );
    const fields = rows.map((column) => {
      const parser = enumOf.get(column.type) ?? PARSERS[column.type];
      if (!parser) throw new Error(`How is ${of}.${column.name} to be read, which is ${column.type}?`);
      const nullable = column.table ? !column.required : MAY_BE_NULL.test(column.name);
      return `  ${column.name}: ${parser}${nullable ? '.nullable()' : ''},`;
    });
    parts.push(
      `export const ${lowerFirst(type)} = z.object({\n${fields.join('\n')}\n});`,
      `/** ${what} */`,
      `export type ${type} = z.infer<typeof ${lowerFirst(type)}>;\n`,
    );
  }
  parts.push(await searchOptionsSource(client, enumOf));
  return parts.join('\n');
}

async function searchOptionsSource(client: Client, enumOf: ReadonlyMap<string, string>): Promise<string> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT a.name, regexp_replace(format_type(a.type, NULL), '^public\\.', '') AS type
       FROM pg_proc p CROSS JOIN LATERAL unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, place)
      WHERE p.proname = 'search_messages' AND p.pronamespace = 'public'::regnamespace AND a.place > 1 ORDER BY a.place`,
  );
  const fields = rows.map(({ name, type }) => {
    const parser = LABELS[name] ?? enumOf.get(type) ?? OPTION_PARSERS[type];
    if (!parser) throw new Error(`How is ${name} of search_messages to be checked, which is ${type}?`);
    return `  ${name}: ${parser}.optional(),`;
  });
  return `/** What \`search_messages\` takes besides the query. */\nexport const searchOptions = z.strictObject({\n${fields.join('\n')}\n});\n`;
}

/** What a text may be, which the catalog cannot say; a test asks the function itself. */
const LABELS: Readonly<Record<string, string>> = { sort: "z.enum(['rank', 'newest'])" };

const OPTION_PARSERS: Readonly<Record<string, string>> = {
  uuid: 'z.guid()',
  boolean: 'z.boolean()',
  integer: 'z.int32()',
  'timestamp with time zone': 'z.date()',
};
