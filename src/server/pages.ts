import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Hono } from 'hono';
import { packageRoot } from '../db/sql-file.ts';
import type { Signed } from './sign-in.ts';

/** One file for all of them: the page reads its own address. */
export const pagePaths = [
  '/',
  '/migration',
  '/partitions',
  '/statistics',
  '/search',
  '/archiving',
  '/backups',
  '/alerts',
  '/sessions',
  '/sessions/:id',
  '/audit',
] as const;

const YEAR = 'public, max-age=31536000, immutable';

/** The built web application. Files whose names hold a digest of their content are kept by browsers for good. */
export function servePages(app: Hono<Signed>): void {
  const root = join(packageRoot(), 'dist', 'dashboard');
  const page = join(root, 'index.html');
  app.use(
    '/assets/*',
    serveStatic({
      root,
      onFound: (path, context) => {
        if (/-[\w-]{8}\.\w+$/.test(path)) context.header('Cache-Control', YEAR);
      },
    }),
  );
  for (const path of pagePaths)
    app.get(path, async (context) => {
      if (!existsSync(page)) return context.text('The web application is not built: `npm run build` makes it.\n', 503);
      return context.html(await readFile(page, 'utf8'));
    });
}
