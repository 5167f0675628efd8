/** The guide's own ten steps, by its own titles; a step of the plan says which of them it carries out. */
export const guideSteps = [
  'Backup existing data',
  'Create enums',
  'Verify enum creation',
  'Create message feedback table',
  'Create partitioned sessions table',
  'Verify data migration',
  'Create materialized views',
  'Set up RLS policies',
  'Create indexes',
  'Test full-text search',
] as const;
