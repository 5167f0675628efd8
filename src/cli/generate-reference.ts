import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../db/sql-file.ts';
import { withReference } from './reference.ts';

// `npm run generate`: writes the commands into docs/cli.md anew after one of them has changed.
const path = join(packageRoot(), 'docs/cli.md');
writeFileSync(path, withReference(readFileSync(path, 'utf8')));
