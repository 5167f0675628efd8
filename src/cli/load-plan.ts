import type { SessionsConfig } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import { sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { Plan } from '../engine/step.ts';
import { loadConfig } from './config-file.ts';

/**
 * The plan `sessions`, as the plan file wants it. What the server says against the SQL of the plan file is said of the
 * plan file: TD007.
 */
export async function loadPlan(options: { plan?: string }): Promise<Plan> {
  const config = await loadConfig(options.plan);
  const plan = sessionsPlan(config);
  const expressions = expressionsOf(config);
  if (expressions.length === 0) return plan;
  const blamed = <T>(reading: Promise<T>): Promise<T> =>
    reading.catch((error: unknown) => {
      throw refusesStatement(error) ? refused(error, expressions) : error;
    });
  return {
    ...plan,
    resolve: (...input) => blamed(plan.resolve(...input)),
    steps: plan.steps.map((step) => {
      const { check } = step;
      return check ? { ...step, check: (context) => blamed(check(context)) } : step;
    }),
  };
}

function expressionsOf({ sessions, messages }: SessionsConfig): string[] {
  return Object.entries({ sessions, messages }).flatMap(([table, { columns }]) =>
    Object.entries(columns).flatMap(([column, source]) => {
      if (typeof source === 'string') return [];
      const named = { sql: source.sql, whenNull: source.whenNull };
      return Object.entries(named).flatMap(([key, sql]) =>
        sql === undefined ? [] : [`${table}.columns.${column}.${key}: ${sql}`],
      );
    }),
  );
}

/** Class 42, syntax error or access rule violation, but for privileges: the statement itself cannot be right. */
function refusesStatement(error: unknown): error is Error {
  const state = sqlStateOf(error);
  return state?.startsWith('42') === true && state !== '42501';
}

function refused(error: Error, expressions: readonly string[]): TandemError {
  return new TandemError('TD007', `The SQL in the plan file is refused: ${error.message}.`, {
    hint: 'It is SQL over one row `s` of the live table; --debug shows the statement that it stands in.',
    detail: expressions.join('\n'),
    cause: error,
  });
}
