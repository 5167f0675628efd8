import { displayName } from '../db/identifier.ts';
import { withoutCasts } from '../move/dependents.ts';
import { readFunctions } from './read-functions.ts';
import { rehearseFunction } from './rehearse-functions.ts';
import { rehearseStatement, type Work } from './rehearse-statements.ts';
import type { Origin } from './result.ts';
import { dependentPolicies } from './views.ts';

/** The bodies of functions that concern the tables. */
export async function rehearseFunctions(work: Work): Promise<void> {
  const { session, parser, landscape, paths } = work;
  await session.setSearchPath('');
  const sources = await readFunctions(
    session.client,
    landscape.tables.map((table) => table.move.source),
    landscape.names,
  );
  const unread: string[] = [];
  for (const source of sources) {
    if (work.signal.aborted) break;
    const { statements, read } = await rehearseFunction(session, parser, landscape, source, paths.own, work);
    work.reports.push(...statements);
    if (!read) unread.push(source.name);
  }
  if (sources.length === 0) return;
  work.notes.push(
    `Functions: ${sources.length - unread.length} bodies read${unread.length > 0 ? `; ${unread.length} cannot be: ${unread.join(', ')}` : ''}.`,
  );
}

/** Views and policies: where one of them does not stand on the new shape, the cutover itself would fail. */
export async function rehearseDefinitions(work: Work): Promise<void> {
  const { session, parser, landscape } = work;
  await session.setSearchPath('');
  const policies = await dependentPolicies(
    session.client,
    landscape.tables.map((table) => table.move.source),
  );
  const definitions = [
    ...landscape.views.map((view) => ({ what: `view ${displayName(view.name)}`, sql: view.definition })),
    ...policies,
  ];
  for (const { what, sql: printed } of definitions) {
    // As the cutover makes it again where the server's own text is refused.
    const sql = withoutCasts(printed);
    const origin: Origin = { kind: 'definition', name: what };
    const statement = parser.parse(sql);
    if (statement === null) {
      work.reports.push({
        origin,
        sql,
        verdict: 'not understood',
        obstacle: { sqlstate: null, message: 'the parser does not take it' },
        problems: [],
      });
      continue;
    }
    await rehearseStatement(work, {
      origin,
      sql,
      statement,
      searchPath: '',
      types: [],
      normalised: false,
      kept: false,
    });
  }
  if (definitions.length > 0) work.notes.push(`${definitions.length} views and policies that the cutover makes again.`);
}
