import { parseInput, parseOne } from '../inputs.ts';
import { feedback } from '../rows.ts';
import { StoreError } from '../store-error.ts';
import { refusedOrAbsent } from './refused.ts';
import type { Rest } from './rest.ts';
import type { SupabaseStore } from './store-types.ts';

export function restFeedback({ client, names, inputs, ask }: Rest): SupabaseStore['feedback'] {
  const key = names.message('id');
  const actions: SupabaseStore['feedback'] = {
    async record(input) {
      const given = parseInput(inputs.newFeedback, input);
      const inserted = ask(() => client.from('message_feedback').insert(given).select(names.feedbackColumns));
      const message = () => ask(() => client.from(names.messages).select(key).eq(key, given.message_id));
      return parseOne(feedback, await refusedOrAbsent(inserted, message, 'message'), 'message');
    },
  };
  // Not in the type. From JavaScript it would otherwise be no function at all.
  return Object.assign(actions, { average });
}

async function average(): Promise<never> {
  throw new StoreError(
    'not_allowed',
    'Averages cannot be asked for through PostgREST, which counts nothing together unless it is told to.',
    {
      hint: 'stats() has the averages of each status; createStore(pool) has feedback.average.',
    },
  );
}
