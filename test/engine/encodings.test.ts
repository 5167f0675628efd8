import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { plainFlat } from '../cli/fixtures.ts';
import { urlOf, withClient } from '../support/template.ts';
import { tandemOn } from './tandem.ts';

/** The first lacks the quotes and dashes of typography, the second knows of no letters at all. */
test.each(['LATIN1', 'SQL_ASCII'])(
  'a database of encoding %s goes there and back: whatever is sent to it can be written in it',
  async (encoding) => {
    const server = inject('serverUrl');
    const name = `test_encoding_${randomBytes(5).toString('hex')}`;
    await withClient(server, (admin) =>
      admin.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`),
    );
    const url = urlOf(server, name);
    const pool = createPool(url);
    try {
      await withClient(url, (client) => plainFlat.run(client));
      await pool.query("UPDATE public.messages SET content = 'ßß ÷ é'");
      const tandem = tandemOn({ pool }, {}, { createAuth: true });
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      await tandem.rollback();
      const { rows } = await pool.query('SELECT DISTINCT content FROM public.messages');
      expect(rows).toEqual([{ content: 'ßß ÷ é' }]);
    } finally {
      await pool.end();
      await withClient(server, (admin) => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
    }
  },
);
