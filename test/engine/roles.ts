import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { quoteIdent } from '../../src/db/identifier.ts';
import { withClient } from '../support/template.ts';

/**
 * Roles of each test's own, or of all tests of a file (`{ per: 'suite' }`), since roles belong to the whole server. To be
 * called before `useDatabase`: they can be dropped only once the databases are gone in which they own or may do something.
 *
 * @returns the names, by what they are for
 */
export function useRoles<Name extends string>(
  attributes: Readonly<Record<Name, string>>,
  options: { per?: 'test' | 'suite' } = {},
): Readonly<Record<Name, string>> {
  const names: Record<string, string> = {};
  let failed = false;
  const create = async () => {
    failed = false;
    for (const [role, how] of Object.entries<string>(attributes)) {
      names[role] = `${role}_${randomBytes(4).toString('hex')}`;
      await withClient(inject('serverUrl'), (admin) =>
        admin.query(`CREATE ROLE ${quoteIdent(names[role] ?? '')} ${how} PASSWORD 'test'`),
      );
    }
  };
  const remove = async () => {
    // The database of a failed test is kept, and its roles with it.
    if (failed) return;
    for (const name of Object.values(names).reverse()) {
      await withClient(inject('serverUrl'), (admin) => admin.query(`DROP ROLE ${quoteIdent(name)}`));
    }
  };
  const perSuite = options.per === 'suite';
  if (perSuite) beforeAll(create);
  else beforeEach(create);
  if (perSuite) afterAll(remove);
  afterEach(async ({ task }) => {
    failed ||= task.result?.state === 'fail';
    if (!perSuite) await remove();
  });
  return names as Record<Name, string>;
}

/** The URL of the database for another role. */
export function urlAs(databaseUrl: string, role: string): string {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = 'test';
  return url.href;
}
