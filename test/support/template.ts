import pg from 'pg';
import { quoteIdent } from '../../src/db/identifier.ts';

/** What databases of a test start from. Run once per name into a template, of which each database is a clone. */
export interface Setup {
  /** Lower-case letters, digits, underscores; one name, one content. */
  readonly name: string;
  /** Works on a plain superuser's session, as a migration tool would. */
  run(client: pg.Client): Promise<void>;
}

/** Runs `work` on a session of the given database, which ends with it. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The URL of another database of the same server. */
export function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** The name of the template for the setup, which is made first where no other test has done so in this run. */
export async function ensureTemplate(serverUrl: string, runId: string, setup: Setup): Promise<string> {
  if (!/^[a-z0-9_]{1,40}$/.test(setup.name)) throw new Error(`Not a name for a setup: ${setup.name}`);
  const template = `${templatePrefix(runId)}${setup.name}`;
  const building = `${template}_new`;
  await withClient(serverUrl, async (admin) => {
    // Test files run in processes of their own, and two may want the same template at once.
    await admin.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [template]);
    const { rowCount } = await admin.query('SELECT FROM pg_catalog.pg_database WHERE datname = $1', [template]);
    if (rowCount === 1) return;
    await admin.query(`DROP DATABASE IF EXISTS ${quoteIdent(building)} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${quoteIdent(building)} TEMPLATE template0`);
    await withClient(urlOf(serverUrl, building), (client) => setup.run(client));
    // Cloning fails while anybody is connected to the template, so nobody may be.
    await admin.query(`ALTER DATABASE ${quoteIdent(building)} ALLOW_CONNECTIONS false`);
    await admin.query(`ALTER DATABASE ${quoteIdent(building)} RENAME TO ${quoteIdent(template)}`);
  });
  return template;
}

/** Drops all templates of the run. */
export async function dropTemplates(serverUrl: string, runId: string): Promise<void> {
  await withClient(serverUrl, async (admin) => {
    const { rows } = await admin.query<{ datname: string }>(
      'SELECT datname FROM pg_catalog.pg_database WHERE starts_with(datname, $1)',
      [templatePrefix(runId)],
    );
    for (const { datname } of rows) await admin.query(`DROP DATABASE ${quoteIdent(datname)} WITH (FORCE)`);
  });
}

function templatePrefix(runId: string): string {
  return `template_${runId}_`;
}
