import type { QualifiedName } from '../../../src/db/identifier.ts';

/** Where the keeper's tasks are told to pause, or to mind a throttle. */
export const keeperControl: QualifiedName = { schema: 'keeper', name: 'control' };
