import { isLoopback } from './listen.ts';

/** Which of the databases this is, for the badge that every page shows. */
export interface Environment {
  readonly name: string;
  /** `production` is shown in another colour than all others. */
  readonly production: boolean;
}

/** What somebody says, else what the address tells: a database on this machine is `local`. */
export function environmentOf(said: string | undefined, databaseUrl: string): Environment {
  const name = said?.trim() || derived(databaseUrl);
  return { name, production: /^prod(uction)?$/i.test(name) };
}

function derived(databaseUrl: string): string {
  const { hostname, searchParams } = new URL(databaseUrl);
  const host = hostname || searchParams.get('host') || 'localhost';
  return isLoopback(host) || host.startsWith('/') ? 'local' : 'unnamed';
}
