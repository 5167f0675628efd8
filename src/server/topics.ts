/** What a page can be told to read anew. */
export const topics = [
  'migration',
  'archiving',
  'statistics',
  'alerts',
  'backups',
  'audit',
  'holds',
  'samples',
] as const;
export type Topic = (typeof topics)[number];
