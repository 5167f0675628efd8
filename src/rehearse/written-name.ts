import { quoteIdent } from '../db/identifier.ts';

/** A name as people write it: quoted only where SQL would read it otherwise. What it is put into is tried anyway. */
export function writtenName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdent(name);
}
