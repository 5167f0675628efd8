/** The guide's columns, as the plan reads them from the flat tables and writes them to the new ones. */
export interface ShapeColumn {
  readonly name: string;
  readonly kind: 'uuid' | 'text' | 'timestamp' | 'integer' | 'enum';
  /** Name of the enum, without schema. */
  readonly enum?: string;
  readonly required: boolean;
  /** SQL for a flat table that lacks the column, over `s` with `{column}` for other columns; absent: it must be there. */
  readonly whenMissing?: (column: (name: string) => string | null) => string;
}

/** The first of some columns that is there and not NULL, else now. */
const first = (...candidates: (string | null)[]) =>
  `coalesce(${[...candidates.filter((c) => c !== null), 'now()'].join(', ')})`;

export const sessionsShape: readonly ShapeColumn[] = [
  { name: 'id', kind: 'uuid', required: true },
  { name: 'user_id', kind: 'uuid', required: true },
  { name: 'language', kind: 'enum', enum: 'session_language', required: true },
  { name: 'level', kind: 'enum', enum: 'session_level', required: true },
  { name: 'status', kind: 'enum', enum: 'session_status', required: true },
  { name: 'title', kind: 'text', required: false, whenMissing: () => 'NULL' },
  { name: 'created_at', kind: 'timestamp', required: true },
  {
    name: 'updated_at',
    kind: 'timestamp',
    required: true,
    whenMissing: (c) => first(c('last_accessed'), c('created_at')),
  },
  {
    name: 'last_accessed',
    kind: 'timestamp',
    required: true,
    whenMissing: (c) => first(c('updated_at'), c('created_at')),
  },
];

export const messagesShape: readonly ShapeColumn[] = [
  { name: 'id', kind: 'uuid', required: true },
  { name: 'session_id', kind: 'uuid', required: true },
  { name: 'user_id', kind: 'uuid', required: true },
  { name: 'type', kind: 'enum', enum: 'message_type', required: true },
  // 0 marks a row that the settling numbers by creation time; see `numberingSql`.
  { name: 'sequence_number', kind: 'integer', required: true, whenMissing: () => '0' },
  { name: 'content', kind: 'text', required: true },
  { name: 'created_at', kind: 'timestamp', required: true },
];

export const enumLabels: Readonly<Record<string, readonly string[]>> = {
  session_language: ['en', 'es', 'fr', 'de'],
  session_level: ['beginner', 'intermediate', 'advanced'],
  session_status: ['active', 'archived', 'deleted'],
  message_type: ['text', 'audio', 'system'],
};
