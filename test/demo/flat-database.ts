import { createFlatTables } from '../../src/demo/flat-tables.ts';
import type { Setup } from '../support/database.ts';

/** The demo's tables, empty. */
export const flatTables: Setup = { name: 'demo_flat', run: (client) => createFlatTables(client) };

/** The end of the generated history in tests. */
export const NOW = new Date('2026-03-01T12:00:00Z');
