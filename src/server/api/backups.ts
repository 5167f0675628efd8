import { hostname } from 'node:os';
import { Hono } from 'hono';
import { z } from 'zod';
import { type BackupRow, listBackups, listDrills } from '../../../plans/sessions/keeper/backup-records.ts';
import { type Manifest, readManifest } from '../../backup/manifest.ts';
import { TandemError } from '../../engine/errors.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';

const SHOWN = 100;

export function backupsRoutes({ pool, config }: Dashboard) {
  return new Hono<Signed>()
    .get('/', async (context) => {
      const [backups, drills] = (await hasTable(pool, 'backups'))
        ? await Promise.all([listBackups(pool, SHOWN), listDrills(pool, SHOWN)])
        : [[], []];
      const here = hostname();
      return context.json({ settings: config.backups ?? null, here, backups, drills });
    })
    .get('/:id/manifest', async (context) => {
      const id = z.coerce.number().int().parse(context.req.param('id'));
      const all = (await hasTable(pool, 'backups')) ? await listBackups(pool, SHOWN) : [];
      return context.json(await manifestOf(all.find((backup) => backup.id === id)));
    });
}

/** Of a backup that is noted, and so was made here: a path out of a request is read nowhere. */
async function manifestOf(backup: BackupRow | undefined): Promise<Manifest> {
  const why =
    backup === undefined
      ? 'There is no such backup.'
      : backup.host !== hostname()
        ? `The backup is on ${backup.host}, and so is its manifest.`
        : backup.removed_at !== null
          ? 'The backup was removed when newer ones had been made.'
          : null;
  if (backup === undefined || why !== null) throw new TandemError('TD061', why ?? '');
  return readManifest(backup.directory);
}
