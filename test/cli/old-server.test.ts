import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runtimeBinaries } from '../../src/db/local-binaries.ts';
import { startLocalServer } from '../../src/db/local-server.ts';
import { inProcess } from './in-process.ts';

/** The npm package of a PostgreSQL 14, which `.ci/run` brings: beside the project, where npm has one version of it. */
const directory = process.env.TANDEM_TEST_PG14 ?? '';

test('every command refuses a PostgreSQL 14, and leaves nothing there', async (context) => {
  if (!existsSync(directory)) return context.skip('TANDEM_TEST_PG14 names no package of PostgreSQL 14');
  const binDir = await runtimeBinaries({ directory: join(directory, 'native'), label: '14' }, tmpdir());
  const server = await startLocalServer({ binDir });
  try {
    for (const command of ['plan', 'migrate --yes', 'status', 'verify', 'rollback --yes', 'finish --yes', 'serve']) {
      const { code, stderr } = await inProcess(command.split(' '), { url: server.url });
      expect({ command, code, stderr }).toEqual({
        command,
        code: 2,
        stderr: expect.stringMatching(
          /^error TD004: The server at 127\.0\.0\.1:\d+\/postgres is PostgreSQL 14; Tandem needs 15 or newer\.\n *hint: .+\n$/,
        ),
      });
    }
    const { code } = await inProcess(['backup', join(tmpdir(), 'of-14')], { url: server.url });
    expect({ code, there: existsSync(join(tmpdir(), 'of-14')) }).toEqual({ code: 2, there: false });
  } finally {
    await server.stop();
  }
});
