import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { packageVersion } from '../../src/cli/version.ts';
import { failureShape } from './json-shapes.ts';
import { tandem } from './tandem.ts';

const commands = createProgram(async () => undefined).commands.map((command) => command.name());

describe('help', () => {
  test('of the program lists every command', async () => {
    const { code, stdout, stderr } = await tandem(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(stdout).toContain('4 interrupted and resumable');
  });

  test.each(commands)('of %s has examples that can be typed', async (name) => {
    let help = '';
    const program = createProgram(async () => undefined);
    const command = program.commands.find((known) => known.name() === name);
    command?.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toMatch(new RegExp(`^Usage: tandem ${name} `));
    const examples = help.split('Examples:\n')[1]?.trimEnd().split('\n') ?? [];
    expect(examples.some((line) => line.startsWith(`  tandem ${name}`))).toBe(true);
    // Each example is a command line that the program takes: nothing in it is unknown or missing.
    for (const example of examples) {
      const line = example.split(/ # | \| | > /)[0]?.trim() ?? '';
      const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '').slice(1);
      const parsed = createProgram(async () => undefined).parseAsync(args, { from: 'user' });
      await expect(parsed.then(() => line)).resolves.toBe(line);
    }
  });

  test('is what `tandem help migrate` prints, too', async () => {
    const [byWord, byOption] = await Promise.all([tandem(['help', 'migrate']), tandem(['migrate', '--help'])]);
    expect(byWord).toEqual(byOption);
  });

  test('is printed where no command is given, which is no success', async () => {
    const { code, stdout, stderr } = await tandem([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: tandem');
  });

  test('the version', async () => {
    expect(await tandem(['--version'])).toEqual({ code: 0, stdout: `${packageVersion()}\n`, stderr: '' });
  });
});

describe('what is wrong on the command line is one sentence, a hint, and exit code 2:', () => {
  test.each([
    [['pln'], "Unknown command 'pln'.", 'Did you mean plan?'],
    [['plan', '--jsn'], "Unknown option '--jsn'.", 'Did you mean --json?'],
    [['plan', 'everything'], "Too many arguments for 'plan'", '`tandem plan --help`'],
    [['backup'], "Missing required argument 'dir'.", '`tandem backup --help`'],
    [['migrate', '--stop-before', 'lunch'], 'Allowed choices are cutover', '`tandem migrate --help`'],
    [['migrate', '--workers', '0'], '--workers takes a whole number from 1 to 32, not `0`', '--workers 2'],
    [['migrate', '--workers', '1e1'], 'not `1e1`', '--workers 2'],
    [['demo', '--clients', 'many'], '--clients takes a whole number', '--clients 2'],
    [['throttle', 'max-active=lots', '--database-url', 'postgres://localhost/x'], 'max-active', 'max-active=20'],
    [['plan'], 'No database is named.', 'DATABASE_URL'],
    [
      ['status', '--database-url', 'localhost/app'],
      'The database URL cannot be read.',
      'postgres://user:password@host',
    ],
    [['status', '--database-url', 'postgres://u:a#b@h/app'], 'The database URL cannot be read.', '%23'],
  ])('tandem %j', async (args, sentence, hint) => {
    const { code, stdout, stderr } = await tandem(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const [error, ...rest] = stderr.trimEnd().split('\n');
    expect(error).toMatch(/^error TD008: /);
    expect(error).toContain(sentence);
    expect(rest).toHaveLength(1);
    expect(rest[0]).toMatch(/^hint: /);
    expect(rest[0]).toContain(hint);
  });

  test('an empty DATABASE_URL names no database', async () => {
    expect((await tandem(['status'], { env: { DATABASE_URL: '' } })).stderr).toContain('No database is named.');
  });

  test('--debug alone brings a stack trace', async () => {
    expect((await tandem(['plan'])).stderr).not.toMatch(/^\s+at /m);
    expect((await tandem(['plan', '--debug'])).stderr).toMatch(/^\s+at /m);
  });

  test.each([
    [['plan', '--json']],
    [['plan', '--sql', '--json']],
    [['migrate', '--json', '--jsn']],
    [['demo', '--sessions', '1', '--json']],
  ])('with --json also on the last line of standard output: %j', async (args) => {
    const { code, stdout, stderr } = await tandem(args);
    const failure = failureShape.parse(JSON.parse(stdout));
    expect(failure).toMatchObject({ code: 'TD008', name: 'invalid_option', cutover_lock_ms: null, sqlstate: null });
    expect(code).toBe(2);
    expect(stderr).toBe(`error TD008: ${failure.message}\nhint: ${failure.hint}\n`);
  });
});

describe('nobody can be asked in a pipe:', () => {
  test.each([['migrate'], ['rollback'], ['finish'], ['cutover'], ['recycle'], ['restore', './backup']])(
    'tandem %s without --yes is refused before it looks at the database',
    async (...args) => {
      // There is no server at this address: whoever tried it would say so.
      const url = 'postgres://localhost:1/app';
      const plain = await tandem(args, { url });
      expect(plain.code).toBe(3);
      expect(plain.stderr).toMatch(
        /^error TD013: Nobody can be asked here, and --yes was not given\.\nhint: Add --yes/,
      );
      const json = await tandem([...args, '--json'], { url });
      expect(json.code).toBe(3);
      expect(failureShape.parse(JSON.parse(json.stdout)).code).toBe('TD013');
    },
  );

  test('and with --yes it goes on to the database', async () => {
    expect((await tandem(['migrate', '--yes'], { url: 'postgres://localhost:1/app' })).stderr).toContain('TD001');
  });
});

describe('a password in a URL is in no output', () => {
  const secret = 'corr3ct-horse';
  test.each([
    [['plan', '--database-url', `postgres://ann:${secret}@localhost:1/app`]],
    [['plan', '--database-url', `postgres://ann:${secret}@localhost:x/app`]],
    [['plan', '--database-url', `postgres://ann:${secret}#@localhost/app`]],
    [['plan', '--database-url', `postgres://localhost:1/app?user=ann&password=${secret}`]],
    [['plan', `postgres://ann:${secret}@localhost:1/app`]],
    [[`postgres://ann:${secret}@localhost:1/app`]],
    [['plan', `--database-ulr=postgres://ann:${secret}@localhost:1/app`]],
    [['backup', './x', `postgres://ann:${secret}@localhost:1/app`]],
    [['migrate', '--stop-before', `postgres://ann:${secret}@localhost:1/app`]],
    [['migrate', '--workers', `postgres://ann:${secret}@localhost:1/app`]],
  ])('tandem %j', async (args) => {
    for (const more of [['--debug'], ['--json', '--debug', '--yes']]) {
      const { code, stdout, stderr } = await tandem([...args, ...more]);
      expect(code).toBe(2);
      expect(stdout + stderr).toContain('TD0');
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});
