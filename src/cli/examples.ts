import type { Command } from 'commander';

/** What to type, and what it does where that is not plain. */
export type Example = readonly [line: string, does?: string];

const examples = new WeakMap<Command, readonly Example[]>();

/** Adds examples to a command's help, and to the reference. */
export function withExamples(command: Command, lines: readonly Example[]): Command {
  examples.set(command, lines);
  return command.addHelpText(
    'after',
    () =>
      `\nExamples:\n${renderExamples(command)
        .map((line) => `  ${line}`)
        .join('\n')}`,
  );
}

/** `tandem plan --sql > plan.sql  # every statement, to be read` */
export function renderExamples(command: Command): string[] {
  const lines = examples.get(command) ?? [];
  const width = Math.max(0, ...lines.map(([line, does]) => (does ? line.length : 0)));
  return lines.map(([line, does]) => (does ? `${line.padEnd(width)}  # ${does}` : line));
}
