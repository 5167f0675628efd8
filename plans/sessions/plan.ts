import { relationExists } from '../../src/db/describe-table.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { Plan } from '../../src/engine/step.ts';
import { orphanFindings } from '../../src/move/orphans.ts';
import { backupStep } from '../../src/steps/backup.ts';
import { buildStep } from '../../src/steps/build.ts';
import { changeLogStep } from '../../src/steps/change-log.ts';
import { copyStep } from '../../src/steps/copy.ts';
import { cutoverStep } from '../../src/steps/cutover.ts';
import { drainStep } from '../../src/steps/drain.ts';
import { enumsStep } from '../../src/steps/enums.ts';
import { foreignKeysStep } from '../../src/steps/foreign-keys.ts';
import { rehearseStep } from '../../src/steps/rehearse.ts';
import { targetsStep } from '../../src/steps/targets.ts';
import { verifyRowsStep } from '../../src/steps/verify-rows.ts';
import { applicationFindings } from './application-findings.ts';
import { carriedToTarget, isSetByPlan } from './carry.ts';
import type { SessionsConfig } from './config.ts';
import { duplicateNumbers, unfitFindings } from './findings.ts';
import { unguardedHolds } from './keeper/holds.ts';
import { type SessionsNames, sessionsNames } from './names.ts';
import { numberingIndexSql } from './numbering.ts';
import { policyFindings } from './policy-findings.ts';
import { realtimeFindings } from './realtime.ts';
import { sessionsReport } from './report.ts';
import { resolveMoves } from './resolve.ts';
import { enumLabels } from './shape.ts';
import {
  buildStatements,
  isNumbered,
  liveStatements,
  targetStatements,
  UNACCENT,
  unliveStatements,
} from './statements.ts';
import { authStep } from './steps/auth.ts';
import { indexesStep } from './steps/indexes.ts';
import { messageFeedbackStep } from './steps/message-feedback.ts';
import { migrationFilesStep, migrationHistoryStep } from './steps/migration-history.ts';
import { rowSecurityStep } from './steps/row-security.ts';
import { searchStep } from './steps/search.ts';
import { sessionStatsStep } from './steps/session-stats.ts';
import { laterMigrations } from './supabase-history.ts';
import { takenNames } from './taken-names.ts';
import { planStatements } from './templates.ts';

/** The user's guide as a plan: its ten steps, in the order in which they can be carried out on a live database. */
export function sessionsPlan(config: SessionsConfig): Plan {
  const names = sessionsNames(config);
  const enums = Object.entries(enumLabels).map(([name, labels]) => ({
    name: { schema: names.sessions.schema, name },
    labels,
  }));
  return {
    name: 'sessions',
    identity: { ...names },
    title: 'The migration guide: sessions partitioned by status, messages with feedback, search and statistics',
    tables: async (client) => {
      const feedback = { schema: names.sessions.schema, name: 'message_feedback' };
      return [names.sessions, names.messages, ...((await relationExists(client, feedback)) ? [feedback] : [])];
    },
    resolve: (client) => resolveMoves(client, config, names),
    isFinished: async (client) => {
      const { rows } = await client.query<{ there: boolean }>(
        `SELECT pg_catalog.to_regclass($2) IS NOT NULL AND EXISTS (
           SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = pg_catalog.to_regclass($1)) AS there`,
        [quoteName(names.sessions), quoteName(names.registry)],
      );
      return rows[0]?.there === true;
    },
    report: (context) => sessionsReport(names, context),
    warnings: async (client) => {
      const holds = await unguardedHolds(client, names);
      return holds === null ? [] : [holds];
    },
    steps: [
      backupStep('1', { name: 'sessions', identity: { ...names } }),
      authStep(names),
      enumsStep({ guide: '2, 3', enums, statements: () => planStatements('enums', names, 'live') }),
      messageFeedbackStep(names),
      targetsStep({
        guide: '5',
        title: `Create ${displayName(names.sessionsTarget)} and ${displayName(names.messagesTarget)}`,
        statements: async (moves, carry) => targetStatements(names, moves, carry, { noted: true }),
        carry: carriedToTarget,
        build: (move) => buildStatements(names, move),
        dropSql: () => dropStatements(names),
      }),
      changeLogStep('5'),
      copyStep({
        guide: '5',
        check: async ({ client, moves }) => [
          ...(await takenNames(client, names, moves)),
          ...(await unfitFindings(client, moves, config)),
          ...(await orphanFindings(client, moves)),
          ...(await duplicateNumbers(client, moves, names)),
          ...(await applicationFindings(client, names)),
          ...(await policyFindings(client, names)),
          ...(await realtimeFindings(client, names)),
          ...(await laterMigrations(client)),
        ],
      }),
      buildStep({ guide: '5, 9', statements: (move) => buildStatements(names, move) }),
      rowSecurityStep(names),
      drainStep('5'),
      rehearseStep({ guide: '5' }),
      verifyRowsStep('6'),
      migrationFilesStep(names),
      cutoverStep({
        guide: '5',
        live: (moves) => liveStatements(names, moves),
        unlive: (moves) => unliveStatements(names, moves),
        replaces: isSetByPlan,
        returned: () => planStatements('security-feedback-revert', names, 'live'),
        reopened: (moves) => (isNumbered(moves) ? [numberingIndexSql(names)] : []),
      }),
      foreignKeysStep('5'),
      sessionStatsStep(names),
      searchStep(names),
      indexesStep(names),
      migrationHistoryStep(),
    ],
  };
}

/** The registry and the helpers, once the tables that use them are back beside the live ones. */
function dropStatements(names: SessionsNames): string[] {
  const drop = (name: QualifiedName) => `DROP TABLE IF EXISTS ${quoteName(name)} CASCADE`;
  return [
    drop(names.sessionsTarget),
    drop(names.messagesTarget),
    drop(names.registry),
    `DO $do$ DECLARE f regprocedure; c regconfig; BEGIN
       FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = pg_catalog.to_regnamespace('private')
                   AND p.proname IN ('to_search', 'session_key_put', 'session_key_remove', 'session_key_rename', 'session_key_set_language',
                                     'message_complete', 'messages_follow_language', 'session_key_guard', 'session_keys_truncate', 'my_session_stats')
       LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP;
       FOR c IN SELECT t.oid FROM pg_catalog.pg_ts_config t WHERE t.cfgnamespace = pg_catalog.to_regnamespace('private')
                   AND t.cfgname IN ('search_en', 'search_es', 'search_fr', 'search_de', 'search_words')
       LOOP EXECUTE 'DROP TEXT SEARCH CONFIGURATION ' || c; END LOOP;
       IF EXISTS (SELECT FROM tandem.created_object WHERE name = '${UNACCENT}') THEN
         BEGIN
           DROP EXTENSION IF EXISTS unaccent;
         EXCEPTION WHEN dependent_objects_still_exist THEN
           NULL; -- Somebody has put it to use since.
         END;
       END IF;
       IF pg_catalog.to_regnamespace('private') IS NOT NULL AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
            AND refobjid = pg_catalog.to_regnamespace('private') AND deptype = 'n')
       THEN DROP SCHEMA ${quoteIdent(names.registry.schema)}; END IF;
     END $do$`,
  ];
}
