import { z } from 'zod';
import { type Inputs, parseInput, parseOne } from './inputs.ts';
import { type Feedback, feedback } from './rows.ts';
import type { Run } from './run-as.ts';
import type { Tables } from './tables.ts';

const SCORES = ['overall_score', 'grammar_score', 'vocabulary_score', 'fluency_score', 'pronunciation_score'] as const;

const averages = z.object({
  /** Rows of feedback that were counted. */
  feedback: z.number().int(),
  overall_score: z.number().nullable(),
  grammar_score: z.number().nullable(),
  vocabulary_score: z.number().nullable(),
  fluency_score: z.number().nullable(),
  pronunciation_score: z.number().nullable(),
});
/** Means of what was scored; null where nothing was. */
export type Averages = z.infer<typeof averages>;

export interface FeedbackActions {
  record(input: z.input<Inputs['newFeedback']>): Promise<Feedback>;
  /** Of a message, a session or a user; of everything that the caller may see where none is named. */
  average(of?: z.input<Inputs['feedbackOf']>): Promise<Averages>;
}

export function feedbackOf(run: Run, tables: Tables, inputs: Inputs): FeedbackActions {
  const message = tables.message('id');
  return {
    async record(input) {
      const { message_id, comment, corrections, ...scores } = parseInput(inputs.newFeedback, input);
      const text = `INSERT INTO ${tables.feedback} AS f (message_id, ${SCORES.join(', ')}, comment, corrections)
        SELECT m.${message}, $2::smallint, $3::smallint, $4::smallint, $5::smallint, $6::smallint, $7::text, $8::jsonb
          FROM ${tables.messages} m WHERE m.${message} = $1
        RETURNING ${tables.feedbackColumns}`;
      const values = [
        message_id,
        ...SCORES.map((score) => scores[score] ?? null),
        comment ?? null,
        // The driver would make a PostgreSQL array of a list.
        corrections === undefined || corrections === null ? null : JSON.stringify(corrections),
      ];
      return parseOne(feedback, await run(() => ({ text, values })), 'message');
    },

    async average(of = {}) {
      const { message_id, session_id, user_id } = parseInput(inputs.feedbackOf, of);
      const means = SCORES.map((score) => `avg(f.${score})::float8 AS ${score}`).join(', ');
      const rows = await run(({ userId }) => ({
        text: `SELECT count(*)::integer AS feedback, ${means}
                 FROM ${tables.feedback} f JOIN ${tables.messages} m ON m.${message} = f.message_id
                WHERE ($1::uuid IS NULL OR m.${message} = $1) AND ($2::uuid IS NULL OR m.${tables.message('session_id')} = $2)
                  AND ($3::uuid IS NULL OR m.${tables.message('user_id')} = $3)`,
        values: [message_id ?? null, session_id ?? null, user_id ?? userId],
      }));
      return parseOne(averages, rows, 'feedback');
    },
  };
}
