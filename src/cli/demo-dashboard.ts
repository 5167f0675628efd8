import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { createPool } from '../db/connect.ts';
import type { Clients } from '../demo/clients.ts';
import { TandemError } from '../engine/errors.ts';
import type { Plan } from '../engine/step.ts';
import { clientsView } from '../server/clients-view.ts';
import { parseListen } from '../server/listen.ts';
import { LISTEN } from './commands/serve.ts';
import { type Serving, type ServingOptions, startServing } from './serving.ts';

export interface DemoDashboard {
  readonly url: string;
  /** Their waits are shown from now on. */
  showClients(clients: Clients): void;
  /** Wall-clock ms. */
  showCutover(at: number): void;
  /** Keeps the result as `tandem serve` does, until the signal. */
  stay(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The dashboard of the demo's own server, at the usual address where that is free. */
export async function openDemoDashboard(databaseUrl: string, plan: Plan): Promise<DemoDashboard> {
  const pool = createPool(databaseUrl, { max: 12 });
  let clients: Clients | null = null;
  let cutoverAt: number | null = null;
  const options: Omit<ServingOptions, 'listen'> = {
    pool,
    databaseUrl,
    plan,
    config: sessionsConfigSchema.parse({ environment: 'demo' }),
    readOnly: false,
    allowedHosts: [],
    affected: 0,
    env: {},
    log: () => undefined,
    clients: () => clients && clientsView(clients, cutoverAt),
  };
  const serving = await serveAt(options);
  return {
    url: serving.url,
    showClients: (writing) => {
      clients = writing;
    },
    showCutover: (at) => {
      cutoverAt = at;
    },
    stay: (signal) => serving.keep(signal),
    close: async () => {
      await serving.close();
      await pool.end();
    },
  };
}

async function serveAt(options: Omit<ServingOptions, 'listen'>): Promise<Serving> {
  const usual = parseListen(LISTEN);
  try {
    return await startServing({ ...options, listen: usual });
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== 'TD008') throw error;
    return startServing({ ...options, listen: { ...usual, port: 0 } });
  }
}
