import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, inject } from 'vitest';
import { quoteIdent } from '../../src/db/identifier.ts';
import { withClient } from '../support/template.ts';

/**
 * Roles of a test's own, since roles belong to the whole server. To be called before `useDatabase`: they can be dropped
 * only once the databases are gone in which they own or may do something.
 *
 * @returns the names, by what they are for
 */
export function useRoles<Name extends string>(
  attributes: Readonly<Record<Name, string>>,
): Readonly<Record<Name, string>> {
  const names: Record<string, string> = {};
  beforeEach(async () => {
    for (const [role, how] of Object.entries<string>(attributes)) {
      names[role] = `${role}_${randomBytes(4).toString('hex')}`;
      await withClient(inject('serverUrl'), (admin) =>
        admin.query(`CREATE ROLE ${quoteIdent(names[role] ?? '')} ${how} PASSWORD 'test'`),
      );
    }
  });
  afterEach(async ({ task }) => {
    // The database of a failed test is kept, and its roles with it.
    if (task.result?.state === 'fail') return;
    for (const name of Object.values(names).reverse()) {
      await withClient(inject('serverUrl'), (admin) => admin.query(`DROP ROLE ${quoteIdent(name)}`));
    }
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
