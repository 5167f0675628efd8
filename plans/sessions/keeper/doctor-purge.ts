import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import { purgeReach } from './cascades.ts';
import type { Check } from './doctor.ts';
import { readPolicy } from './policy.ts';

/** What a purge does to the application's own tables; null where nothing is purged, or none refers to a session. */
export async function purging(client: Queryable, names: SessionsNames): Promise<Check | null> {
  const { purgeAfterDays, archiveDirectory } = await readPolicy(client);
  if (purgeAfterDays === null) return null;
  const { deleted, cleared, refusing, unreadable } = await purgeReach(client, names);
  const name = 'purging';
  if (archiveDirectory !== null && unreadable.length > 0)
    return {
      name,
      state: 'failed',
      message: `this role may not read and lock all rows of ${unreadable.join(', ')}, which go with a session: nothing is purged`,
      hint: 'GRANT SELECT, UPDATE on them to it; where they have row security, let it be their owner, or give it BYPASSRLS.',
    };
  if (refusing.length > 0)
    return {
      name,
      state: 'warning',
      message: `sessions to which rows of ${refusing.join(', ')} refer cannot be purged; a run leaves them out, and fails`,
      hint: 'Hold these sessions, or let the foreign keys say ON DELETE CASCADE or SET NULL.',
    };
  const parts = [
    ...(deleted.length === 0
      ? []
      : [
          `rows of ${deleted.join(', ')} go with their session, ${archiveDirectory === null ? 'and are written to no file' : 'and are written to its file'}`,
        ]),
    ...(cleared.length === 0 ? [] : [`rows of ${cleared.join(', ')} stay, and lose what they refer to`]),
  ];
  return parts.length === 0 ? null : { name, state: 'ok', message: parts.join('; '), hint: null };
}
