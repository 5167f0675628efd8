import { describe, expect, test } from 'vitest';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { tandem } from './tandem.ts';

const ESCAPE = '\u001b';

describe('in a pipe', () => {
  const database = useDatabase(fewRows, { per: 'suite' });

  test.each([
    ['nothing is coloured', {}, false],
    ['nor where a build server runs it', { CI: 'true', GITHUB_ACTIONS: 'true' }, false],
    ['nor with NO_COLOR', { NO_COLOR: '1' }, false],
    ['unless FORCE_COLOR asks for it', { FORCE_COLOR: '1' }, true],
    ['and NO_COLOR has the last word', { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('%s', async (_, env, coloured) => {
    const planned = await tandem(['plan'], { url: database.url, env });
    expect(planned.stdout.includes(ESCAPE)).toBe(coloured);
    const failed = await tandem(['rollback', '--yes'], { url: database.url, env });
    expect(failed.stderr).toContain('TD012');
    expect(failed.stderr.includes(ESCAPE)).toBe(coloured);
  });
});
