import { displayName, type QualifiedName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';

/**
 * The file of each table, in the order given: `sessions_backup.csv`, or `public.sessions_backup.csv` for names that
 * occur in two schemas, with `.gz` where they are compressed. Letters that a file system may refuse become `%2F`.
 *
 * Names that differ in case only count as the same: not every file system tells them apart.
 *
 * @throws TD008 where two tables would still share one file
 */
export function backupFileNames(tables: readonly QualifiedName[], gzip: boolean): string[] {
  const occurrences = countBy(tables.map((table) => table.name.toLowerCase()));
  const names = tables.map((table) => {
    const name = occurrences.get(table.name.toLowerCase()) === 1 ? [table.name] : [table.schema, table.name];
    return `${name.map(fileSafe).join('.')}_backup.csv${gzip ? '.gz' : ''}`;
  });
  const files = countBy(names.map((name) => name.toLowerCase()));
  const clash = tables.find((_, at) => files.get(names[at]?.toLowerCase() ?? '') !== 1);
  if (clash) {
    throw new TandemError('TD008', `The backup of ${displayName(clash)} would share its file with another table.`, {
      hint: 'Back the two tables up into two directories.',
    });
  }
  return names;
}

function fileSafe(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a file name
  return name.replaceAll(/^\.|[%/\\:*?"<>|\u0000-\u001f\u007f]/gu, (letter) => {
    return `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

function countBy(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
