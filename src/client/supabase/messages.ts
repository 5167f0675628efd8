import { z } from 'zod';
import { id as anId, parseInput, parseOne, parseRows } from '../inputs.ts';
import type { Messages } from '../messages.ts';
import { pageOf, positionOf } from '../page.ts';
import { message } from '../rows.ts';
import { behind } from './keyset.ts';
import { refusedOrAbsent } from './refused.ts';
import type { Rest } from './rest.ts';

const owned = z.object({ user_id: z.guid() });

export function restMessages({ client, names, inputs, ask, caller }: Rest): Messages {
  const messages = () => client.from(names.messages);
  const columns = names.messageColumns;
  const key = names.message('id');
  const number = names.message('sequence_number');
  const ownersOf = (id: string) =>
    ask(() =>
      client
        .from(names.sessions)
        .select(`user_id:${names.session('user_id')}`)
        .eq(names.session('id'), id),
    );

  return {
    async append(input) {
      const given = parseInput(inputs.newMessage, input);
      const user = given.user_id ?? (await caller());
      // The service writes in the name of whose session it is. The number is left to the trigger, as over `pg`.
      const user_id = user ?? parseOne(owned, await ownersOf(given.session_id), 'session').user_id;
      const row = names.messageRow({ ...given, user_id });
      const inserted = ask(() => messages().insert(row).select(columns));
      return parseOne(message, await refusedOrAbsent(inserted, () => ownersOf(given.session_id), 'session'), 'session');
    },

    async list(page) {
      const wanted = parseInput(inputs.messagePage, page);
      const after = positionOf(wanted.after);
      const rows = await ask(() => {
        let request = messages().select(columns).eq(names.message('session_id'), wanted.session_id);
        if (after) request = request.gte(number, after[0]).or(behind(number, key, after));
        return request
          .order(number)
          .order(key)
          .limit(wanted.limit + 1);
      });
      const found = parseRows(message, rows);
      return pageOf(
        found,
        found.map((row) => String(row.sequence_number)),
        wanted.limit,
      );
    },

    async edit(id, change) {
      const given = parseInput(anId, id);
      const set = names.messageRow(parseInput(inputs.messageEdit, change));
      return parseOne(message, await ask(() => messages().update(set).eq(key, given).select(columns)), 'message');
    },
  };
}
