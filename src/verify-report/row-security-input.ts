import type { QualifiedName } from '../db/identifier.ts';

/** A relation that signed-in users reach, each with their own rows. */
export interface GuardedTable {
  readonly table: QualifiedName;
  /** Boolean SQL over the row `t`: it belongs to the user whose id is `$1`. */
  readonly own: string;
  /** A view asks the policies of what it reads; all others need their own. */
  readonly isView?: true;
}

/** An INSERT in somebody else's place, which the policies must refuse. */
export interface Intrusion {
  readonly title: string;
  readonly table: QualifiedName;
  readonly sql: string;
  /** The parameters, given the id of a user who is a stranger to it. */
  readonly values: (stranger: string) => readonly unknown[];
}

export interface RowSecurityInput {
  readonly guarded: readonly GuardedTable[];
  /** Partitions, registries, materialized views: no row of them may reach an API role. */
  readonly closed: readonly QualifiedName[];
  readonly intrusions: readonly Intrusion[];
  /** Id of a user who has rows in as many of the tables as can be; null where there is none. */
  readonly user: string | null;
}
