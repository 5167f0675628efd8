import { z } from 'zod';
import { runbookOf } from './alert-rules.ts';

export const newsRow = z.object({
  id: z.coerce.number(),
  state: z.enum(['firing', 'resolved']),
  name: z.string(),
  label: z.string(),
  severity: z.enum(['warning', 'critical']),
  summary: z.string(),
  since: z.date(),
  firing_at: z.date(),
  resolved_at: z.date().nullable(),
});
/** Something that a webhook is told: that an alert fires, or that it is over. */
export type News = z.infer<typeof newsRow>;

/** What is sent, as JSON. `database`: which one it is of, without user and password. */
export function webhookMessage(format: 'json' | 'slack', news: News, database: string): Record<string, unknown> {
  return format === 'slack'
    ? slackMessage(news, database)
    : { version: 1, database, ...news, runbook: runbookOf(news.name) };
}

/** Slack's incoming webhooks take a text in which these three characters are markup. */
function slackMessage({ state, severity, name, summary }: News, database: string): { text: string } {
  const plain = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const mark = state === 'resolved' ? ':white_check_mark:' : severity === 'critical' ? ':red_circle:' : ':warning:';
  const over = state === 'resolved' ? 'is over' : severity;
  return { text: `${mark} *${plain(database)}* ${name} ${over}: ${plain(summary)}\n${runbookOf(name)}` };
}
