import type { Position } from '../page.ts';
import { quoted } from './names.ts';

/** What comes after a position in descending order, for `or`: PostgREST compares no rows. */
export function before(by: string, key: string, position: Position): string {
  return beyond('lt', by, key, position);
}

/** What comes after a position in ascending order. */
export function behind(by: string, key: string, position: Position): string {
  return beyond('gt', by, key, position);
}

function beyond(operator: 'lt' | 'gt', by: string, key: string, [value, id]: Position): string {
  return `${by}.${operator}.${quoted(value)},and(${by}.eq.${quoted(value)},${key}.${operator}.${id})`;
}
