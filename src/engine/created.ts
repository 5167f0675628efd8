import type { Queryable } from '../db/connect.ts';

/**
 * What a run makes in the user's schemas beside the targets, by kind and name. Going back takes away these, and nothing
 * that was there before. To be recorded in the transaction that makes them.
 */
export async function recordCreated(client: Queryable, objects: readonly string[]): Promise<void> {
  await client.query(
    'INSERT INTO tandem.created_object (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING',
    [objects],
  );
}

export async function createdObjects(client: Queryable): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>('SELECT name FROM tandem.created_object');
  return new Set(rows.map((row) => row.name));
}

/** Once it has been taken away before the rest: whoever makes it again makes it for themselves. */
export async function forgetCreated(client: Queryable, objects: readonly string[]): Promise<void> {
  await client.query('DELETE FROM tandem.created_object WHERE name = ANY ($1::text[])', [objects]);
}
