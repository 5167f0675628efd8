/** A table, type or function by schema and name, both unquoted. */
export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

/** Quotes one identifier for SQL: `Weird "name` becomes `"Weird ""name"`. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`. */
export function quoteName(name: QualifiedName): string {
  return `${quoteIdent(name.schema)}.${quoteIdent(name.name)}`;
}

/** Quotes a value for the places that take no parameter (DDL: partition bounds, comments). Values elsewhere are `$n`. */
export function quoteLiteral(value: string): string {
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return value.includes('\\') ? `E${quoted}` : quoted;
}

/** The form that people read: `public.sessions`; quoted only where SQL would need it. */
export function displayName(name: QualifiedName): string {
  return [name.schema, name.name].map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteIdent(part))).join('.');
}

/** A pattern for the name as the server writes it into a definition: quoted where SQL needs it, as for `order`. */
export function asServerWrites(name: QualifiedName): string {
  return [name.schema, name.name]
    .map((part) => `(?:${[part, quoteIdent(part)].map(escapePattern).join('|')})`)
    .join('\\.');
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Reads `name`, `schema.name` or quoted forms of them; null where the text is no such name. */
export function parseName(text: string, defaultSchema = 'public'): QualifiedName | null {
  const part = '("(?:[^"]|"")+"|[^".\\s]+)';
  const match = new RegExp(`^(?:${part}\\.)?${part}$`, 'u').exec(text.trim());
  if (!match?.[2]) return null;
  const plain = (quoted: string) => (quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted);
  return { schema: match[1] ? plain(match[1]) : defaultSchema, name: plain(match[2]) };
}
