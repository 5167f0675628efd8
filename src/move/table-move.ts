import { z } from 'zod';

const qualifiedName = z.object({ schema: z.string(), name: z.string() });

/** One column of the target, and how its value comes from the source row and goes back to it. */
const columnMove = z.object({
  /** Column of the target. */
  target: z.string(),
  /** Column of the source that it stands for; null where the source has none. */
  source: z.string().nullable(),
  /** SQL over the source row `s` (and the move's joins) that gives the target's value, in its type; null: the target's default fills it. */
  forward: z.string().nullable(),
  /** SQL over the target row `s` that gives the source column's value; null: nothing goes back. */
  backward: z.string().nullable(),
  /** Boolean SQL over `s`: does this row's value fit the target? null: every value fits. */
  fits: z.string().nullable(),
  /** Written when a row first reaches the target and never again, nor compared: the target numbers such rows itself. */
  once: z.boolean(),
  /** Beyond the plan's own columns: carried over with its definition, untouched. */
  carried: z.boolean(),
  /** Several source values read as one (a value map, a default for NULL): going back, a source value that still reads as the target's stays. */
  lossy: z.boolean(),
  /** SQL over the target row `s`: what its value is once it has gone back and come again, where that is less exact. */
  roundTrip: z.string().optional(),
  /** Type in the target, as format_type writes it. */
  type: z.string(),
  /** Type in the source, as format_type writes it; null where the source has no such column. */
  sourceType: z.string().nullable(),
});

const keyColumn = z.object({
  source: z.string(),
  target: z.string(),
  /** Type in the source: what the change log stores. */
  type: z.string(),
  /** Type in the target. */
  targetType: z.string(),
  /** The equality of the primary key's operator class, e.g. `OPERATOR(pg_catalog.=)`: search_path is empty. */
  equals: z.string(),
});

/** A foreign key by what it says, so that it can be dropped on one side and made again on the other. */
export const foreignKeySchema = z.object({
  name: z.string(),
  /** The referencing table. */
  table: qualifiedName,
  columns: z.array(z.string()),
  references: qualifiedName,
  referencedColumns: z.array(z.string()),
  /** What follows the column list: `ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED`, or nothing. */
  rules: z.string(),
  validated: z.boolean(),
  comment: z.string().nullable().default(null),
});
export type ForeignKey = z.infer<typeof foreignKeySchema>;

/**
 * Everything the mechanism needs to know to move one table. It is resolved once from the plan and the live catalog, is
 * stored with the run, and is not read from the catalog again: after cutover the catalog tells another story.
 */
export const tableMoveSchema = z.object({
  /** Short name used for Tandem's own objects: `tandem.changes_<name>`. */
  name: z.string().regex(/^[a-z_][a-z0-9_]{0,40}$/),
  /** The live table's name before and after cutover. */
  source: qualifiedName,
  /** Where the target stands until cutover. */
  target: qualifiedName,
  /** Where the source stands after cutover, kept up to date until `finish`. */
  retired: qualifiedName,
  key: z.array(keyColumn).min(1),
  /** Target columns of the target's primary key: the conflict target of the drain; holds the partition key too. */
  targetKey: z.array(z.string()).min(1),
  columns: z.array(columnMove).min(1),
  /** SQL joined to the source row `s` for computed columns; empty where none. */
  joins: z.string(),
  /** What other tables' foreign keys refer to after cutover: a plain target itself, or the registry of a partitioned one. */
  identity: z.object({
    table: qualifiedName,
    /** Its columns, in the order of `key`. */
    columns: z.array(z.string()).min(1),
  }),
  /** Statements run on the target after each drain, and under the cutover's lock: cheap where little has changed. */
  settle: z.array(z.string()),
  /** Drained rows are inserted in this order (SQL over the target's columns); matters where a trigger numbers them. */
  insertOrder: z.array(z.string()),
  /** Rows of another moved table whose computed columns depend on this one's columns. */
  dependents: z.array(
    z.object({
      /** `name` of the other move. */
      move: z.string(),
      /** The other source, its (one-column) key, and its column that holds this source's key. */
      source: qualifiedName,
      sourceKey: z.string(),
      column: z.string(),
      /** Target columns of this table: a change in one of them makes the other rows due. */
      when: z.array(z.string()),
    }),
  ),
  /** Foreign keys of the source, as they stood. */
  sourceForeignKeys: z.array(foreignKeySchema),
  /** The same, as the target will have them under its live name. */
  targetForeignKeys: z.array(foreignKeySchema),
  /** Foreign keys of tables that are not moved, before and after. */
  incoming: z.array(z.object({ before: foreignKeySchema, after: foreignKeySchema })),
  /** CREATE TRIGGER statements of the user's triggers on the source, and their pg_trigger.tgenabled. */
  userTriggers: z.array(z.object({ name: z.string(), definition: z.string(), enabled: z.enum(['O', 'A', 'R', 'D']) })),
  /** Sequences owned by a column of the source. */
  ownedSequences: z.array(z.object({ sequence: qualifiedName, column: z.string() })),
  /** Identity columns of the source: the target's own sequence takes over at cutover. */
  identityColumns: z.array(z.string()),
  /** Those of them that are GENERATED ALWAYS on the live table. */
  alwaysIdentity: z.array(z.string()).default([]),
  /** Indexes of the source that the target gets under the same name; CREATE INDEX with the target's name in it. */
  extraIndexes: z.array(z.string()),
});
export type TableMove = z.infer<typeof tableMoveSchema>;
export type ColumnMove = z.infer<typeof columnMove>;
