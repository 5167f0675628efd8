import type { MonitoringSettings } from '../../plans/sessions/keeper/monitoring-config.ts';
import type { Webhook } from '../../plans/sessions/keeper/notify.ts';
import { TandemError } from '../engine/errors.ts';

/**
 * Where alerts go: TANDEM_WEBHOOK_URL, else the plan file's; null where neither says. No message about it holds the
 * address: with most services, whoever knows it may post.
 *
 * @throws TD008
 */
export function webhookOf({ webhook }: MonitoringSettings, environment: NodeJS.ProcessEnv): Webhook | null {
  const url = environment['TANDEM_WEBHOOK_URL'] || webhook.url;
  if (url === undefined) return null;
  const { protocol } = URL.canParse(url) ? new URL(url) : { protocol: '' };
  if (protocol !== 'https:' && protocol !== 'http:')
    throw new TandemError('TD008', 'TANDEM_WEBHOOK_URL is no address of a webhook.', {
      hint: 'It begins with https:// or http://.',
    });
  return { url, format: webhook.format };
}
