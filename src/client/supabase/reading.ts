import { parseInput, parseRows } from '../inputs.ts';
import { searchMatch, searchOptions, sessionStats } from '../rows.ts';
import type { Search } from '../search.ts';
import type { Stats } from '../stats.ts';
import type { Rest } from './rest.ts';

const ownStats = sessionStats.omit({ user_id: true });

export function restSearch({ client, names, inputs, ask }: Rest): Search {
  return async (query, options = {}) => {
    const given = { query: parseInput(inputs.query, query), ...parseInput(searchOptions, options) };
    return parseRows(searchMatch, await ask(() => client.rpc('search_messages', given).select(names.searchColumns)));
  };
}

/** As a user from `my_session_stats`, which has no column that says whose they are; as the service from `session_stats`. */
export function restStats({ client, names, inputs, ask, caller }: Rest): Stats {
  return async (of = {}) => {
    const { user_id } = parseInput(inputs.statsOf, of);
    const user = await caller();
    if (user !== null) {
      if (user_id !== undefined && user_id !== user) return [];
      const rows = await ask(() => client.from('my_session_stats').select(names.ownStatsColumns).order('status'));
      return parseRows(ownStats, rows).map((row) => ({ user_id: user, ...row }));
    }
    const rows = await ask(() => {
      const request = client.from('session_stats').select(names.statsColumns);
      return (user_id === undefined ? request : request.eq('user_id', user_id)).order('user_id').order('status');
    });
    return parseRows(sessionStats, rows);
  };
}
