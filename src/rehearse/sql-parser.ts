import { buildNodes, isRecord, type Statement, type Token } from './syntax.ts';

/** PostgreSQL's own parser, as WebAssembly. */
export interface SqlParser {
  /** One statement; null where the text is none. */
  parse(text: string): Statement | null;
  /** The tree of a CREATE FUNCTION in plpgsql; null where it cannot be read. */
  parsePlpgsql(definition: string): unknown;
}

let loaded: Promise<SqlParser> | null = null;

/** Loaded on first use: 1.7 MB that only a rehearsal needs. */
export function loadParser(): Promise<SqlParser> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<SqlParser> {
  const { loadModule, parsePlPgSQLSync, parseSync, scanSync } = await import('libpg-query');
  await loadModule();
  return {
    parse(text) {
      if (text.trim() === '') return null;
      try {
        const { stmts } = parseSync(text);
        const [only, ...more] = stmts ?? [];
        if (only?.stmt === undefined || more.length > 0) return null;
        const toIndex = indexOfByte(text);
        const nodes = buildNodes(only.stmt, toIndex);
        const [root] = nodes;
        if (root === undefined) return null;
        return { text, root, nodes, tokens: tokensOf(scanSync(text).tokens, toIndex) };
      } catch {
        // Whatever the parser does not take is counted as not understood; the server has the last word on what is SQL.
        return null;
      }
    },
    parsePlpgsql(definition) {
      try {
        return parsePlPgSQLSync(definition);
      } catch {
        return null;
      }
    },
  };
}

function tokensOf(scanned: readonly unknown[], toIndex: (byte: number) => number): Token[] {
  return scanned.filter(isRecord).flatMap(({ start, end, text, tokenName }) => {
    if (tokenName === 'C_COMMENT' || tokenName === 'SQL_COMMENT' || typeof end !== 'number') return [];
    return [{ start: toIndex(typeof start === 'number' ? start : 0), end: toIndex(end), text: String(text) }];
  });
}

/** UTF-8 byte offset → string offset. */
function indexOfByte(text: string): (byte: number) => number {
  if (Buffer.byteLength(text) === text.length) return (byte) => byte;
  const bytes = Buffer.from(text);
  return (byte) => bytes.toString('utf8', 0, byte).length;
}

/** A position as the server gives it (characters, from 1) → string offset; null where it gives none. */
export function indexOfPosition(text: string, position: string | number | undefined): number | null {
  const place = Number(position);
  if (position === undefined || !Number.isInteger(place) || place < 1) return null;
  let index = 0;
  for (let characters = 1; characters < place && index < text.length; characters++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return index;
}
