import type pg from 'pg';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import { runOptions } from '../../src/cli/connection.ts';
import { createPool } from '../../src/db/connect.ts';
import { createDashboard, type DashboardOptions } from '../../src/server/dashboard.ts';
import { type HttpServer, startHttp } from '../../src/server/http.ts';

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** The dashboard in this process, as `tandem serve` has it, without the keeper's tasks. */
export async function serveDashboard(
  database: { url: string },
  options: Partial<Omit<DashboardOptions, 'pool'>> & { token?: string; config?: unknown } = {},
): Promise<Served & { pool: pg.Pool }> {
  const config = sessionsConfigSchema.parse(options.config ?? {});
  const readOnly = options.readOnly ?? false;
  const pool = createPool(database.url, { max: 12, readOnly });
  const dashboard = await createDashboard({
    options: runOptions({}),
    database: decodeURIComponent(new URL(database.url).pathname.slice(1)),
    environment: { name: 'test', production: false },
    plan: sessionsPlan(config),
    ...options,
    config,
    readOnly,
    pool,
  });
  const http: HttpServer = await startHttp({
    listen: { host: '127.0.0.1', port: 0 },
    token: options.token ?? null,
    dashboard: dashboard.mount,
    metrics: async () => '',
    ready: async () => undefined,
  });
  return {
    url: http.url,
    pool,
    close: async () => {
      await dashboard.close();
      await http.close();
      await pool.end();
    },
  };
}
