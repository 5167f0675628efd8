import type { QualifiedName } from '../../src/db/identifier.ts';
import type { MovedTable, TableShape } from '../../src/rehearse/tables.ts';

/** A moved table by its names alone. */
export function handMadeTable(schema: string, name: string, target: QualifiedName): MovedTable {
  const shape: TableShape = {
    oid: 1,
    typeOid: 2,
    partitioned: false,
    hasPrimaryKey: true,
    estimatedRows: 1,
    columns: [],
  };
  return {
    move: {
      source: { schema, name },
      target,
      key: [{ source: 'id', target: 'id', type: 'uuid', targetType: 'uuid', equals: 'OPERATOR(pg_catalog.=)' }],
      targetKey: ['id'],
      identity: { table: { schema, name }, columns: ['id'] },
    },
    today: shape,
    after: shape,
  };
}
