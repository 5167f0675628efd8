import pc from 'picocolors';
import type { DemoReport } from './demo-report.ts';
import { ms } from './format.ts';
import { type Phase, phases } from './latency.ts';
import { mergeSlots } from './timeline.ts';

const BLOCKS = [...'▁▂▃▄▅▆▇█'];
const WIDEST = 76;
/** Waits up to this many ms get the lowest block, so that noise does not look like trouble. */
const CALM_MS = 1;

/**
 * The longest wait of each moment as a strip of blocks on a logarithmic scale, below it the phases with the cutover
 * marked by `▲`. Three lines.
 */
export function renderStrip({ traffic, migration }: DemoReport): string[] {
  const { slotMs, maxMs } = traffic.timeline;
  const merged = Math.max(1, Math.ceil(maxMs.length / WIDEST));
  const columnMs = slotMs * merged;
  const columns = mergeSlots(maxMs, merged);
  const highest = Math.max(CALM_MS, ...columns);
  const strip = columns.map((wait) => (wait === 0 ? ' ' : blockOf(wait, highest))).join('');
  const columnOf = (ms: number | null) =>
    ms === null ? null : Math.min(columns.length - 1, Math.floor(ms / columnMs));

  const ruler = Array.from({ length: columns.length }, () => ' ');
  for (const phase of phases) {
    const from = columnOf(traffic.latency[phase].fromMs);
    if (from !== null) write(ruler, from, `│${label(phase)}`);
  }
  const cutover = columnOf(migration.cutoverAtMs);
  if (cutover !== null) ruler[cutover] = '▲';
  return [
    pc.dim(`longest wait in each ${ms(columnMs)}; █ is ${ms(highest)}, ▲ the cutover`),
    pc.cyan(strip),
    ruler.join('').trimEnd().replace('▲', pc.yellow('▲')),
  ];
}

function blockOf(wait: number, highest: number): string {
  if (wait <= CALM_MS || highest <= CALM_MS) return BLOCKS[0] ?? '';
  const height = (Math.log(wait / CALM_MS) / Math.log(highest / CALM_MS)) * (BLOCKS.length - 1);
  return BLOCKS[Math.round(height)] ?? '';
}

function label(phase: Phase): string {
  return phase === 'during' ? 'migrating' : phase;
}

function write(line: string[], at: number, text: string): void {
  [...text].forEach((character, i) => {
    if (at + i < line.length) line[at + i] = character;
  });
}
