import type { Edit } from './edits.ts';
import { childIn, childrenIn, namesIn, type Statement, type SyntaxNode, text, tokenAt } from './syntax.ts';

const TEXT_OID = 25;

/**
 * pg_stat_statements puts `$n` in the place of constants, and not everywhere may a parameter stand. `interval $1` is
 * read as `CAST($1 AS interval)`, `extract($1 FROM x)` as of some field; what is left of it is then as it was executed.
 */
export function readableConstants(statement: Statement): { edits: Edit[]; types: number[] } {
  const edits: Edit[] = [];
  const types: number[] = [];
  for (const node of statement.nodes) {
    if (node.type === 'TypeCast') edits.push(...typedConstant(statement, node));
    if (node.type !== 'FuncCall' || text(node, 'funcformat') !== 'COERCE_SQL_SYNTAX') continue;
    const [field] = childrenIn(node, 'args');
    if (namesIn(node, 'funcname').at(-1) !== 'extract' || field?.type !== 'ParamRef') continue;
    const token = statement.tokens[tokenAt(statement.tokens, field.location)];
    const number = field.values.number;
    if (!token || typeof number !== 'number') continue;
    edits.push({ start: token.start, end: token.end, text: "'epoch'" });
    // Named, since nothing is left from which its type could be inferred.
    while (types.length < number) types.push(0);
    types[number - 1] = TEXT_OID;
  }
  return { edits, types };
}

function typedConstant({ text: sql, tokens }: Statement, cast: SyntaxNode): Edit[] {
  const [type, arg] = [childIn(cast, 'typeName'), childIn(cast, 'arg')];
  if (cast.location !== null || arg?.type !== 'ParamRef' || type?.location == null || arg.location === null) return [];
  const parameter = tokens[tokenAt(tokens, arg.location)];
  if (type.location > arg.location || !parameter) return [];
  const name = sql.slice(type.location, arg.location).trim();
  return [{ start: type.location, end: parameter.end, text: `CAST(${parameter.text} AS ${name})` }];
}
