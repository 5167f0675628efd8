import type { Command, Option } from 'commander';
import { renderExamples } from './examples.ts';
import { replaceMarkedPart } from './marked-part.ts';
import { createProgram } from './program.ts';

const BEGIN = '<!-- From here on, `npm run generate` writes what the commands say of themselves. -->';

/** `document` with its part between the two marks written anew from the commands. */
export function withReference(document: string): string {
  return replaceMarkedPart(document, BEGIN, renderReference());
}

/** Every command in Markdown: what it does, its options, its examples. */
export function renderReference(): string {
  const { commands } = createProgram(async () => undefined);
  return commands
    .flatMap((command) => [command, ...command.commands])
    .map(renderCommand)
    .join('\n');
}

function renderCommand(command: Command): string {
  const visible = command.createHelp().visibleOptions(command);
  const shown = visible.filter(({ long }) => long !== '--help');
  const placed = command.registeredArguments.map(
    (argument) => `| \`<${argument.name()}>\` | ${cell(argument.description)} |`,
  );
  return [
    `### \`${pathOf(command)}\``,
    '',
    command.description(),
    '',
    '```sh',
    ...renderExamples(command),
    '```',
    '',
    '| | |',
    '|---|---|',
    ...placed,
    ...shown.map((option) => `| \`${option.flags}\` | ${cell(meaning(option))} |`),
    '',
  ].join('\n');
}

/** `tandem backup verify`: a command with those that it belongs to. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function meaning({ description, envVar, argChoices, defaultValue }: Option): string {
  const more = [
    ...(argChoices ? [`one of: ${argChoices.join(', ')}`] : []),
    ...(defaultValue === undefined ? [] : [`default: ${String(defaultValue)}`]),
    ...(envVar ? [`or the environment variable ${envVar}`] : []),
  ];
  return more.length === 0 ? description : `${description} (${more.join('; ')})`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
