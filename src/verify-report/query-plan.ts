import { z } from 'zod';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string | undefined;
  readonly 'Index Name'?: string | undefined;
  readonly 'Function Name'?: string | undefined;
  readonly Plans?: readonly PlanNode[] | undefined;
}

const planNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Relation Name': z.string().optional(),
    'Index Name': z.string().optional(),
    'Function Name': z.string().optional(),
    Plans: z.array(planNode).optional(),
  }),
);

const explained = z.tuple([
  z.object({
    Plan: planNode,
    'Planning Time': z.number().optional(),
    'Execution Time': z.number().optional(),
  }),
]);

export interface QueryPlan {
  /** Tables and partitions that it reads; pruned ones are not among them. */
  readonly relations: readonly string[];
  readonly indexes: readonly string[];
  /** Its reading nodes in a line: `Index Scan sessions_active_user_id_idx`. */
  readonly summary: string;
  /** Planning and execution on the server; null where it was not run. */
  readonly milliseconds: number | null;
}

/** Reads what `EXPLAIN (FORMAT JSON)` printed. */
export function readPlan(json: unknown): QueryPlan {
  const [{ Plan, 'Planning Time': planning, 'Execution Time': execution }] = explained.parse(json);
  const nodes = flatten(Plan);
  const named = (key: 'Relation Name' | 'Index Name') => [
    ...new Set(nodes.flatMap((node) => (node[key] === undefined ? [] : [node[key]]))),
  ];
  const reading = nodes.flatMap((node) => {
    const what = node['Index Name'] ?? node['Relation Name'] ?? node['Function Name'];
    return what === undefined || node['Node Type'] === 'Bitmap Heap Scan' ? [] : [`${node['Node Type']} ${what}`];
  });
  return {
    relations: named('Relation Name'),
    indexes: named('Index Name'),
    summary: [...new Set(reading)].join(' · ') || Plan['Node Type'],
    milliseconds: execution === undefined ? null : (planning ?? 0) + execution,
  };
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}
