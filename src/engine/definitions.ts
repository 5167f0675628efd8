import { z } from 'zod';
import type { Manifest } from '../backup/manifest.ts';
import { inTransaction, type Pool } from '../db/connect.ts';
import { retiredDefinition } from '../move/retired-definition.ts';
import { type TableMove, tableMoveSchema } from '../move/table-move.ts';
import { TandemError } from './errors.ts';
import type { Plan, RunOptions } from './step.ts';

const definitionsSchema = z.object({
  plan: z.string(),
  identity: z.record(z.string(), z.unknown()),
  moves: z.array(tableMoveSchema).min(1),
  create: z.array(z.string()),
  complete: z.array(z.string()),
});

/** What a backup of flat tables says of them besides their rows, so that a rollback can stand on it once they are gone. */
export type Definitions = z.infer<typeof definitionsSchema>;

/** For the manifest of a backup that a run takes. */
export async function readDefinitions(
  pool: Pool,
  plan: Pick<Plan, 'name' | 'identity'>,
  moves: readonly TableMove[],
): Promise<z.infer<ReturnType<typeof z.json>>> {
  const definition = await inTransaction(
    pool,
    (client) => retiredDefinition(client, moves),
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  return asJson({ plan: plan.name, identity: plan.identity, moves, ...definition });
}

/** The same without a run: nothing where the tables are not those that the plan moves, or could not be moved. */
export async function maybeDefinitions(
  pool: Pool,
  plan: Plan,
  options: RunOptions,
): Promise<z.infer<ReturnType<typeof z.json>> | undefined> {
  if (await plan.isFinished(pool)) return undefined;
  const moves = await inTransaction(
    pool,
    async (client) => (await plan.resolve(client, options)).moves,
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  return moves.length === 0 ? undefined : readDefinitions(pool, plan, moves);
}

/** @throws TD044 where the backup has none */
export function definitionsOf(manifest: Manifest, directory: string): Definitions {
  if (manifest.definitions === undefined) {
    throw new TandemError('TD044', `The backup in ${directory} does not say how its tables were made.`, {
      hint: 'It was taken of tables that the plan could not move. Make the flat tables yourself, under other names, and load it with `tandem restore`.',
    });
  }
  return definitionsSchema.parse(manifest.definitions.content);
}

/** As it comes back from a file. */
function asJson(value: unknown): z.infer<ReturnType<typeof z.json>> {
  return z.json().parse(JSON.parse(JSON.stringify(value)));
}
