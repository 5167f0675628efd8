import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TandemError } from '../engine/errors.ts';

/** The directory of package.json, found from this module's own place: the same from src/ and from dist/. */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory;
    if (directory === dirname(directory)) throw new TandemError('TD099', `No package.json stands above ${start}.`);
  }
}

/** Reads a file by its path below the package root: `plans/sessions/sql/enums.sql`. */
export function readSqlFile(relativePath: string): string {
  return readFileSync(join(packageRoot(), relativePath), 'utf8');
}

const PLACEHOLDER = /\{\{([^{}]*)\}\}/gu;

/**
 * Puts names in place of `{{placeholders}}`. The values are identifiers as SQL wants them (`"public"."sessions"`), and
 * nothing else: TD007 for a value that is none, and for a placeholder that `names` does not have.
 */
export function renderSql(text: string, names: Readonly<Record<string, string>>): string {
  return text.replace(PLACEHOLDER, (_, placeholder: string) => {
    const name = Object.hasOwn(names, placeholder) ? names[placeholder] : undefined;
    if (name === undefined) throw new TandemError('TD007', `No name is given for {{${placeholder}}} in the SQL.`);
    if (!isIdentifier(name)) {
      throw new TandemError('TD007', `${name} cannot stand for {{${placeholder}}} in the SQL.`, {
        hint: 'A quoted identifier is wanted, qualified or not, without dollar signs side by side or around a word.',
      });
    }
    return name;
  });
}

const IDENTIFIER = /^(?:[a-z_][a-z0-9_]*|"(?:[^"\0]|"")+")(?:\.(?:[a-z_][a-z0-9_]*|"(?:[^"\0]|"")+"))?$/u;
// The templates hold names inside dollar-quoted bodies, which such a name would end.
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/u;

function isIdentifier(name: string): boolean {
  return IDENTIFIER.test(name) && !DOLLAR_QUOTE.test(name);
}

// One token of SQL that may hold a semicolon of its own, in the order in which they are tried. Sticky: matched in place.
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/uy;
const LINE_COMMENT = /--[^\n]*/uy;
const PLAIN_STRING = /'(?:[^']|'')*'/uy;
const ESCAPE_STRING = /'(?:[^'\\]|''|\\[\s\S])*'/uy;
const QUOTED_IDENTIFIER = /"(?:[^"]|"")*"/uy;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/uy;
const NUMBER_OR_PARAMETER = /\$?\d[\w$.]*/uy;

/**
 * Cuts SQL into its statements, without the semicolons between them. Semicolons in strings, quoted identifiers, dollar
 * quotes, comments (nested, too), parentheses and `BEGIN ATOMIC` bodies do not cut. A comment stays with the statement
 * that follows it; a piece that has nothing but comments is left out. psql's backslash commands are not SQL.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let position = 0;
  let hasTokens = false;
  let depth = 0;
  /** BEGIN ATOMIC and CASE, each of which an END closes. */
  let blocks = 0;
  let previousWord = '';

  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(sql)?.[0] ?? null;
  };
  const cut = () => {
    if (hasTokens) statements.push(sql.slice(start, position).trim());
    start = position + 1;
    hasTokens = false;
    depth = 0;
    blocks = 0;
    previousWord = '';
  };

  while (position < sql.length) {
    const char = sql.charAt(position);
    if (/\s/u.test(char)) {
      position += 1;
      continue;
    }
    const lineComment = match(LINE_COMMENT);
    if (lineComment !== null) {
      position += lineComment.length;
      continue;
    }
    if (sql.startsWith('/*', position)) {
      position = endOfBlockComment(sql, position);
      continue;
    }
    if (char === ';' && depth === 0 && blocks === 0) {
      cut();
      position += 1;
      continue;
    }
    hasTokens = true;

    const word = match(WORD);
    if (word !== null) {
      position += word.length;
      const upper = word.toUpperCase();
      if (upper === 'E' && sql.charAt(position) === "'") {
        position += (match(ESCAPE_STRING) ?? sql.slice(position)).length;
      } else if (upper === 'ATOMIC' && previousWord === 'BEGIN') {
        blocks += 1;
      } else if (upper === 'CASE' && blocks > 0) {
        blocks += 1;
      } else if (upper === 'END' && blocks > 0) {
        blocks -= 1;
      }
      previousWord = upper;
      continue;
    }
    previousWord = '';
    if (char === '(') depth += 1;
    if (char === ')') depth = Math.max(0, depth - 1);
    const dollarTag = match(DOLLAR_TAG);
    if (dollarTag !== null) {
      const end = sql.indexOf(dollarTag, position + dollarTag.length);
      position = end === -1 ? sql.length : end + dollarTag.length;
      continue;
    }
    const token =
      match(NUMBER_OR_PARAMETER) ??
      (char === "'" ? (match(PLAIN_STRING) ?? sql.slice(position)) : null) ??
      (char === '"' ? (match(QUOTED_IDENTIFIER) ?? sql.slice(position)) : null);
    position += token === null ? 1 : token.length;
  }
  cut();
  return statements;
}

function endOfBlockComment(sql: string, start: number): number {
  const edge = /\/\*|\*\//gu;
  edge.lastIndex = start;
  let depth = 0;
  for (let found = edge.exec(sql); found !== null; found = edge.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return sql.length;
}
