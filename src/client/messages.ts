import type { z } from 'zod';
import { id as anId, type Inputs, parseInput, parseOne, parseRows } from './inputs.ts';
import { type Page, pageOf, positionOf } from './page.ts';
import { type Message, message } from './rows.ts';
import type { Run } from './run-as.ts';
import type { Tables } from './tables.ts';

export interface Messages {
  /** With the next number of its session: without a gap, however many write at once. */
  append(input: z.input<Inputs['newMessage']>): Promise<Message>;
  /** Messages of one session by their numbers. */
  list(page: z.input<Inputs['messagePage']>): Promise<Page<Message>>;
  edit(id: string, change: z.input<Inputs['messageEdit']>): Promise<Message>;
}

export function messagesOf(run: Run, tables: Tables, inputs: Inputs): Messages {
  const { messages, sessions } = tables;
  const columns = tables.messageColumns('m');
  const [key, of, number] = ['id', 'session_id', 'sequence_number'].map(tables.message);

  return {
    async append(input) {
      const given = parseInput(inputs.newMessage, input);
      // Out of the session itself: one that is not there, or not the caller's, gives no row. The number is left to the
      // trigger, which lets one writer at a time count the messages of a session.
      const text = `INSERT INTO ${messages} AS m (${['id', 'session_id', 'user_id', 'type', 'content'].map(tables.message).join(', ')})
        SELECT coalesce($1::uuid, gen_random_uuid()), s.${tables.session('id')}, coalesce($3::uuid, s.${tables.session('user_id')}), $4::${tables.type('message_type')}, $5::text
          FROM ${sessions} s WHERE s.${tables.session('id')} = $2::uuid
        RETURNING ${columns}`;
      const values = [given.id ?? null, given.session_id, given.user_id ?? null, given.type, given.content];
      return parseOne(message, await run(() => ({ text, values })), 'session');
    },

    async list(page) {
      const wanted = parseInput(inputs.messagePage, page);
      const after = positionOf(wanted.after);
      const values: unknown[] = [wanted.session_id, wanted.limit + 1];
      const later = after ? `AND (m.${number}, m.${key}) > ($${values.push(after[0])}, $${values.push(after[1])})` : '';
      const text = `SELECT ${columns} FROM ${messages} m WHERE m.${of} = $1 ${later} ORDER BY m.${number}, m.${key} LIMIT $2`;
      const rows = parseRows(message, await run(() => ({ text, values })));
      return pageOf(
        rows,
        rows.map((row) => String(row.sequence_number)),
        wanted.limit,
      );
    },

    async edit(id, change) {
      const { content } = parseInput(inputs.messageEdit, change);
      const text = `UPDATE ${messages} m SET ${tables.message('content')} = $2 WHERE m.${key} = $1 RETURNING ${columns}`;
      const values = [parseInput(anId, id), content];
      return parseOne(message, await run(() => ({ text, values })), 'message');
    },
  };
}
