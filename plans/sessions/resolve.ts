import type { Queryable } from '../../src/db/connect.ts';
import {
  outgoingForeignKeys,
  ownedSequences,
  secondaryIndexes,
  userTriggers,
} from '../../src/db/describe-dependents.ts';
import { describeTable, type TableDescription } from '../../src/db/describe-table.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import { TandemError } from '../../src/engine/errors.ts';
import type { Finding } from '../../src/engine/events.ts';
import { indexOnTarget } from '../../src/move/carry.ts';
import { orWithoutCasts } from '../../src/move/dependents.ts';
import type { ForeignKey, TableMove } from '../../src/move/table-move.ts';
import { redirected } from '../../src/steps/cutover.ts';
import { GUIDE_INDEXES } from './carry.ts';
import { mapColumns } from './columns.ts';
import type { SessionsConfig } from './config.ts';
import { unfitDefaults } from './defaults.ts';
import { nonUuidValues, tooManyColumns } from './findings.ts';
import { hangingFindings } from './hanging.ts';
import type { SessionsNames } from './names.ts';
import { numberingSql } from './numbering.ts';
import { messagesShape, sessionsShape } from './shape.ts';
import { suitability } from './suitability.ts';
import { unsteadySql } from './unsteady-sql.ts';

/** Columns that the new messages have and the flat ones do not: the session's language, and what is searched. */
const ADDED_TO_MESSAGES = ['language', 'content_search'];

/** Reads the live tables and works out their moves; what stands in the way is a finding. */
export async function resolveMoves(
  client: Queryable,
  config: SessionsConfig,
  names: SessionsNames,
): Promise<{ moves: TableMove[]; findings: Finding[] }> {
  const sessions = await liveTable(client, names.sessions, 'sessions');
  const messages = await liveTable(client, names.messages, 'messages');
  const findings: Finding[] = [];
  const moved = [names.sessions, names.messages];
  const enumSchema = displayName({ schema: names.sessions.schema, name: 'x' }).slice(0, -2);
  const sessionsColumns = mapColumns({
    table: sessions,
    display: displayName(names.sessions),
    shape: sessionsShape,
    sources: config.sessions.columns,
    values: config.sessions.values,
    enumSchema,
  });
  const messagesColumns = mapColumns({
    table: messages,
    display: displayName(names.messages),
    shape: messagesShape,
    sources: config.messages.columns,
    values: config.messages.values,
    enumSchema,
  });
  findings.push(...sessionsColumns.findings, ...messagesColumns.findings);
  findings.push(...(await unsteadySql(client, displayName(names.sessions), config.sessions.columns)));
  findings.push(...(await unsteadySql(client, displayName(names.messages), config.messages.columns)));
  findings.push(...(await nonUuidValues(client, sessions, sessionsShape, names.sessionsColumns)));
  findings.push(...(await nonUuidValues(client, messages, messagesShape, names.messagesColumns)));
  findings.push(...(await suitability(client, sessions, moved, names.sessionsColumns['status'] ?? 'status')));
  findings.push(...(await suitability(client, messages, moved, null)));
  const partitioned = { table: names.sessions, by: names.sessionsColumns['status'] ?? 'status' };
  findings.push(...(await hangingFindings(client, moved, partitioned)));
  for (const { name } of messagesColumns.extra.filter((c) => ADDED_TO_MESSAGES.includes(c.name))) {
    findings.push({
      severity: 'blocks',
      subject: displayName(names.messages),
      message: `has a column ${name}, a name that the new table needs for a column of its own`,
      hint: 'Rename the column, here and in the application.',
    });
  }
  findings.push(
    ...(await unfitDefaults(client, sessions, sessionsColumns.columns)),
    ...(await unfitDefaults(client, messages, messagesColumns.columns)),
  );
  findings.push(...tooManyColumns(sessions, sessionsColumns.columns.length));
  findings.push(...tooManyColumns(messages, messagesColumns.columns.length + ADDED_TO_MESSAGES.length));
  if (findings.some((f) => f.severity === 'blocks')) return { moves: [], findings };

  const language = sessionsColumns.columns.find((c) => c.target === names.sessionsColumns['language']);
  // A message takes the language of its session: the same reading, of the joined row. Said without the enum, so that it
  // can be asked before the enum exists.
  const ofSession = (sql: string) => sql.replaceAll(/\bs\./g, 'p.');
  const joined = ofSession(language?.forward ?? 'NULL');
  const numbered = messagesColumns.columns.find((c) => c.once);
  const sessionsId = names.sessionsColumns['id'] ?? 'id';
  const messagesId = names.messagesColumns['id'] ?? 'id';
  const messagesSession = names.messagesColumns['session_id'] ?? 'session_id';
  const base = {
    once: false,
    lossy: false,
    carried: false,
    backward: null,
    source: null,
    sourceType: null,
  };
  const sessionsMove = await assemble(client, sessions, {
    name: 'sessions',
    source: names.sessions,
    target: names.sessionsTarget,
    retired: names.sessionsRetired,
    targetKey: [sessionsId, names.sessionsColumns['status'] ?? 'status'],
    identity: { table: names.registry, columns: ['id'] },
    columns: sessionsColumns.columns,
    joins: '',
    settle: [],
    insertOrder: [],
    dependents: [
      {
        move: 'messages',
        source: names.messages,
        sourceKey: messagesId,
        column: messagesSession,
        when: [names.sessionsColumns['language'] ?? 'language'],
      },
    ],
    userForeignKey: names.sessionsColumns['user_id'] ?? 'user_id',
    userForeignKeyName: 'sessions_user_id_fkey',
  });
  const messagesMove = await assemble(client, messages, {
    name: 'messages',
    source: names.messages,
    target: names.messagesTarget,
    retired: names.messagesRetired,
    targetKey: [messagesId],
    identity: { table: names.messages, columns: [messagesId] },
    columns: [
      ...messagesColumns.columns,
      {
        ...base,
        target: 'language',
        forward: joined,
        fits: language?.fits ? ofSession(language.fits) : `p.${quoteIdent(sessionsId)} IS NOT NULL`,
        type: `${enumSchema}.session_language`,
      },
    ],
    joins: `LEFT JOIN ${quoteName(names.sessions)} p ON p.${quoteIdent(sessionsId)} = s.${quoteIdent(messagesSession)}`,
    settle: numbered ? numberingSql(names) : [],
    insertOrder: [],
    dependents: [],
    userForeignKey: names.messagesColumns['user_id'] ?? 'user_id',
    userForeignKeyName: 'messages_user_id_fkey',
  });
  const moves = linkMoves([sessionsMove, messagesMove], messagesSession);
  return { moves, findings };
}

async function liveTable(client: Queryable, name: QualifiedName, role: string): Promise<TableDescription> {
  const table = await describeTable(client, name);
  if (table === null) {
    throw new TandemError('TD005', `There is no table ${displayName(name)}.`, {
      hint: `Name the table that holds the ${role} in a plan file: tandem.config.json with {"${role}": {"table": "schema.name"}}.`,
    });
  }
  return table;
}

type Assembly = Pick<
  TableMove,
  | 'name'
  | 'source'
  | 'target'
  | 'retired'
  | 'targetKey'
  | 'identity'
  | 'columns'
  | 'joins'
  | 'settle'
  | 'insertOrder'
  | 'dependents'
> & { userForeignKey: string; userForeignKeyName: string };

async function assemble(client: Queryable, table: TableDescription, input: Assembly): Promise<TableMove> {
  const { userForeignKey, userForeignKeyName, ...move } = input;
  const column = (name: string) => table.columns.find((c) => c.name === name);
  const sourceForeignKeys = await outgoingForeignKeys(client, table.name);
  const indexes = await secondaryIndexes(client, table.name);
  const targetForeignKeys = [...sourceForeignKeys];
  if (!sourceForeignKeys.some((key) => key.columns.join() === userForeignKey) && (await realAuthUsers(client))) {
    targetForeignKeys.push({
      name: userForeignKeyName,
      table: table.name,
      columns: [userForeignKey],
      references: { schema: 'auth', name: 'users' },
      referencedColumns: ['id'],
      rules: 'ON DELETE CASCADE',
      validated: true,
      comment: null,
    });
  }
  return {
    ...move,
    key: table.primaryKey.map(({ column: name, equals }) => {
      const type = column(name)?.type ?? 'uuid';
      return { source: name, target: name, type, targetType: type, equals };
    }),
    sourceForeignKeys,
    targetForeignKeys: targetForeignKeys.map((key) => ({ ...key, validated: true })),
    incoming: [],
    userTriggers: await userTriggers(client, table.name),
    ownedSequences: await ownedSequences(client, table.name),
    alwaysIdentity: table.columns.filter((c) => c.identity === 'a').map((c) => c.name),
    identityColumns: table.columns.filter((c) => c.identity !== '').map((c) => c.name),
    extraIndexes: indexes
      .filter((index) => !GUIDE_INDEXES.has(index.name))
      .map((index) =>
        orWithoutCasts(
          index.constraint === null
            ? indexOnTarget(index.definition, move.source, move.target)
            : `ALTER TABLE ${quoteName(move.target)} ADD CONSTRAINT ${quoteIdent(index.name)} ${index.constraint}`,
        ),
      ),
  };
}

/** Where auth.users holds the application's users, the guide's foreign key is added; an empty stand-in would refuse every row. */
async function realAuthUsers(client: Queryable): Promise<boolean> {
  // Without a look at the users nobody can say before the cutover whether each row has one.
  const { rows } = await client.query<{ readable: boolean }>(
    `SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'auth' AND c.relname = 'users'`,
  );
  if (rows[0]?.readable !== true) return false;
  const { rowCount } = await client.query('SELECT FROM auth.users LIMIT 1');
  return rowCount === 1;
}

/** Foreign keys between moved tables, and from outside, point at what identifies the rows after cutover. */
function linkMoves(moves: TableMove[], messagesSession: string): TableMove[] {
  const byName = new Map(moves.map((move) => [quoteName(move.source), move]));
  return moves.map((move) => {
    const keys: ForeignKey[] = move.targetForeignKeys.map((key) => {
      const referenced = byName.get(quoteName(key.references));
      return referenced ? redirected(key, referenced) : key;
    });
    const sessions = moves.find((m) => m.name === 'sessions');
    if (move.name === 'messages' && sessions && !keys.some((key) => key.columns.join() === messagesSession)) {
      keys.push({
        name: 'messages_session_id_fkey',
        table: move.source,
        columns: [messagesSession],
        references: sessions.identity.table,
        referencedColumns: [...sessions.identity.columns],
        rules: 'ON DELETE CASCADE',
        validated: true,
        comment: null,
      });
    }
    return { ...move, targetForeignKeys: keys };
  });
}
