import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/db/sql-file.ts';
import { renderMigrationFiles } from './migration-files.ts';

// `npm run generate`: writes supabase/migrations anew after a template was changed.
for (const [name, sql] of Object.entries(renderMigrationFiles())) {
  writeFileSync(join(packageRoot(), 'supabase/migrations', name), sql);
}
