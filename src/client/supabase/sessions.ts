import { id as anId, notFound, parseInput, parseOne, parseRows } from '../inputs.ts';
import { pageOf, positionOf } from '../page.ts';
import { type SessionStatus, session } from '../rows.ts';
import { ownerOf, positioned, type Sessions } from '../sessions.ts';
import { before } from './keyset.ts';
import type { Values } from './names.ts';
import type { Rest } from './rest.ts';

/** PostgreSQL's own word for the beginning of the transaction: the server's clock, not that of a browser. */
const NOW = 'now';

const WHO = 'A client with a token of its own is told who it is: createStore(supabase, { userId }).';

export function restSessions({ client, names, inputs, ask, caller }: Rest, touchIntervalMs: number): Sessions {
  const sessions = () => client.from(names.sessions);
  const columns = names.sessionColumns;
  const key = names.session('id');
  const used = names.session('last_accessed');

  const update = async (id: string, values: Values) => {
    const given = parseInput(anId, id);
    const set = names.sessionRow({ ...values, updated_at: NOW });
    return parseOne(session, await ask(() => sessions().update(set).eq(key, given).select(columns)), 'session');
  };
  const move = (to: SessionStatus) => (id: string) => update(id, { status: to });
  const rowsOf = (id: string, what: string) => ask(() => sessions().select(what).eq(key, id));

  return {
    async create(input) {
      const given = parseInput(inputs.newSession, input);
      const row = names.sessionRow({
        ...given,
        user_id: ownerOf(given.user_id, await caller(), WHO),
        title: given.title ?? null,
      });
      return parseOne(session, await ask(() => sessions().insert(row).select(columns)), 'session');
    },

    get: async (id) => parseRows(session, await rowsOf(parseInput(anId, id), columns))[0] ?? null,

    async list(page = {}) {
      const wanted = parseInput(inputs.sessionPage, page);
      const after = positionOf(wanted.after);
      const of = wanted.user_id ?? (await caller());
      const rows = await ask(() => {
        let request = sessions().select(`${columns},position:${used}`).eq(names.session('status'), wanted.status);
        if (of !== null) request = request.eq(names.session('user_id'), of);
        // The first of the two conditions is what an index can be searched by.
        if (after) request = request.lte(used, after[0]).or(before(used, key, after));
        return request
          .order(used, { ascending: false })
          .order(key, { ascending: false })
          .limit(wanted.limit + 1);
      });
      const found = parseRows(positioned, rows);
      const positions = found.map(({ position }) => position);
      return pageOf(
        found.map(({ position: _, ...row }) => row),
        positions,
        wanted.limit,
      );
    },

    async touch(id) {
      const given = parseInput(anId, id);
      const since = new Date(Date.now() - touchIntervalMs).toISOString();
      const set = names.sessionRow({ last_accessed: NOW });
      const touched = await ask(() => sessions().update(set).eq(key, given).lt(used, since).select(key));
      if (touched.length > 0) return true;
      if ((await rowsOf(given, key)).length === 0) throw notFound('session');
      return false;
    },

    rename: async (id, to) => update(id, { title: parseInput(inputs.title, to) }),
    archive: move('archived'),
    restore: move('active'),
    delete: move('deleted'),

    async purge(id) {
      const given = parseInput(anId, id);
      if ((await ask(() => sessions().delete().eq(key, given).select(key))).length === 0) throw notFound('session');
    },
  };
}
