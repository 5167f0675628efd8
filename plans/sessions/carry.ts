import type { Attachment } from '../../src/db/attachments.ts';
import type { Queryable } from '../../src/db/connect.ts';
import { describeTable } from '../../src/db/describe-table.ts';
import { quoteIdent, quoteName } from '../../src/db/identifier.ts';
import { addColumnSql } from '../../src/move/add-column.ts';
import { carriedSql, triggerOnTarget } from '../../src/move/carry.ts';
import { orWithoutCasts, ownPolicies } from '../../src/move/dependents.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import { carriedDefaults } from './defaults.ts';

/** Indexes that the guide makes itself: one of the same name on the flat table is replaced. */
export const GUIDE_INDEXES = new Set([
  'messages_session_id_idx',
  'messages_sequence_number_idx',
  'messages_content_search_idx',
  'messages_user_id_created_at_idx',
  'messages_newest_idx',
]);

/** The guide sets these roles' privileges itself; what they had on the flat table is not carried over. */
const API_ROLES = ['anon', 'authenticated', 'service_role'];

/** What the flat tables have and the guide has its own of: privileges of the API's roles and of PUBLIC, and its indexes. */
export function isSetByPlan({ kind, what, table, grantee }: Attachment): boolean {
  if (table === null) return false;
  if (kind === 'grant') return ['PUBLIC', ...API_ROLES].includes(grantee ?? '');
  return kind === 'index' && GUIDE_INDEXES.has(what.replace(/^index /, ''));
}

/**
 * Columns beyond the guide's, and everything else that the flat table has and the new one is to have too; and what is only
 * tried, since it comes later.
 */
export async function carriedToTarget(client: Queryable, move: TableMove): Promise<string[]> {
  const target = quoteName(move.target);
  return [
    ...(await carriedOver(client, move)),
    // Policies and the user's triggers come with the cutover, when the names in them mean the new tables; that the new shape accepts them is tried here, where failing costs nothing.
    ...(await tried(client, move)),
    // Indexes are built after the copy; on the empty target they are tried in an instant.
    ...(move.extraIndexes.length === 0
      ? []
      : ['SAVEPOINT indexes', ...move.extraIndexes, 'ROLLBACK TO SAVEPOINT indexes']),
    ...move.userTriggers.flatMap((trigger) => [
      orWithoutCasts(triggerOnTarget(trigger.definition, move.source, move.target)),
      `DROP TRIGGER ${quoteIdent(trigger.name)} ON ${target}`,
    ]),
  ];
}

/** The same without what is only tried. */
export async function carriedOver(client: Queryable, move: TableMove): Promise<string[]> {
  const source = await describeTable(client, move.source);
  if (source === null) return [];
  const retyped = move.columns.filter((c) => c.source !== null && c.type !== c.sourceType).map((c) => c.source ?? '');
  const carried = new Set(move.columns.filter((c) => c.carried).map((c) => c.target));
  const extra = source.columns.filter((c) => carried.has(c.name));
  return [
    // GENERATED ALWAYS comes with the cutover: until then the drain must be able to update the column.
    ...extra.map((column) =>
      addColumnSql(move.target, column.identity === 'a' ? { ...column, identity: 'd' } : column),
    ),
    ...(await carriedDefaults(client, source, move)),
    ...(await carriedSql(client, move.source, move.target, { retyped, exceptRoles: API_ROLES })),
    ...(await keepAccess(client, move)),
  ];
}

/**
 * The flat table's policies, made on the target and taken away again. Under the table's own name: where a policy has a
 * subquery, its columns are written with it.
 */
async function tried(client: Queryable, move: TableMove): Promise<string[]> {
  const renamed = { schema: move.target.schema, name: move.source.name };
  const policies = await ownPolicies(client, move.source, renamed);
  if (policies.length === 0) return [];
  return [
    'SAVEPOINT policies',
    `ALTER TABLE ${quoteName(move.target)} RENAME TO ${quoteIdent(renamed.name)}`,
    ...policies.map(orWithoutCasts),
    'ROLLBACK TO SAVEPOINT policies',
  ];
}

/**
 * Row security is new to the table: a role that an application connects as, and that has privileges but no policy, would
 * see no row any more. Where the flat table had none, such roles keep what they had.
 */
async function keepAccess(client: Queryable, move: TableMove): Promise<string[]> {
  const { rows } = await client.query<{ role: string }>(
    `SELECT DISTINCT pg_catalog.pg_get_userbyid(a.grantee) AS role
       FROM pg_catalog.pg_class c
      CROSS JOIN LATERAL (
        SELECT grantee FROM pg_catalog.aclexplode(c.relacl)
         UNION SELECT g.grantee FROM pg_catalog.pg_attribute t CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) g WHERE t.attrelid = c.oid) a
       JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
      WHERE c.oid = $1::regclass AND NOT c.relrowsecurity AND a.grantee <> c.relowner AND NOT r.rolsuper AND NOT r.rolbypassrls
        AND NOT pg_catalog.pg_has_role(a.grantee, c.relowner, 'USAGE') AND r.rolname <> ALL ($2::text[]) ORDER BY 1`,
    [quoteName(move.source), API_ROLES],
  );
  return rows.map(
    ({ role }) =>
      `CREATE POLICY ${quoteIdent(`${move.name}_${role}_all`)} ON ${quoteName(move.target)} TO ${quoteIdent(role)} USING (true) WITH CHECK (true)`,
  );
}
