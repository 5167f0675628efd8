import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hasPseudoTerminal, onTerminal } from './pseudo-terminal.ts';

const program = fileURLToPath(new URL('task-list-driver.js', import.meta.url));

// What was compared is compared again after a wait, which may be long, and its line has its mark by then.
describe.skipIf(!hasPseudoTerminal)('a task that is done again', () => {
  const comparedOnce = async () => {
    const session = await onTerminal([], { program, env: { NO_COLOR: '1' } });
    // What is typed is echoed: what the list draws is told from it by its indentation and its marks.
    session.type('show compare half of it\n');
    await session.until('    half of it');
    session.type('done compare Compared\n');
    await session.until('✔ Compared');
    session.type('show compare half again\n');
    await session.until('    half again');
    return session;
  };
  // Each once: what is echoed pushes the list down.
  const marked = (lines: readonly string[]) => [...new Set(lines.filter((line) => /^[✔✖·] /.test(line)))];

  test('tells of it below the one that comes next', async () => {
    const session = await comparedOnce();
    session.type('done compare Compared twice\ndone swap Swapped\n');
    await session.until('✔ Swapped');
    session.type('close\n');
    const { code, lines } = await session.ended;
    expect({ code, marked: marked(lines) }).toEqual({ code: 0, marked: ['✔ Compared', '✔ Swapped'] });
  });

  test('and fails as the one that comes next', async () => {
    const session = await comparedOnce();
    session.type('failed compare\nclose\n');
    const { code, lines } = await session.ended;
    expect({ code, marked: marked(lines) }).toEqual({ code: 0, marked: ['✔ Compared', '✖ Swap'] });
  });
});
