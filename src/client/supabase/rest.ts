import type { Inputs } from '../inputs.ts';
import type { Ask } from './ask.ts';
import type { Names } from './names.ts';
import type { Supabase } from './recognise.ts';

/** What each part of the store works with. */
export interface Rest {
  /** Of the schema that the tables are in. */
  readonly client: Pick<Supabase, 'from' | 'rpc'>;
  readonly names: Names;
  readonly inputs: Inputs;
  readonly ask: Ask;
  /** The id of the user who is signed in; null for nobody, and for the service. */
  readonly caller: () => Promise<string | null>;
}
