// A process of its own for the test that kills it: node run-backup.ts <url> <directory>
import { backupTables } from '../../src/backup/backup.ts';
import { createPool } from '../../src/db/connect.ts';

const named = (name: string) => ({ schema: 'public', name });

const [, , url = '', directory = ''] = process.argv;
await backupTables({ pool: createPool(url), tables: [named('large'), named('small')], directory, workers: 1 });
