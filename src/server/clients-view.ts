import type { Clients } from '../demo/clients.ts';
import { mergeSlots } from '../demo/timeline.ts';
import type { ClientsView } from './context.ts';

/** More than a page can show apart. */
const MOST_SLOTS = 240;

/** What the demo's clients waited for so far. `cutoverAt`: wall-clock ms; null before it. */
export function clientsView(clients: Clients, cutoverAt: number | null): ClientsView {
  const { statements, latency, longestStall, timeline } = clients.latency();
  const merged = Math.max(1, Math.ceil(timeline.maxMs.length / MOST_SLOTS));
  return {
    statements,
    latency,
    longestStall,
    timeline: {
      slotMs: timeline.slotMs * merged,
      maxMs: mergeSlots(timeline.maxMs, merged).map((ms) => Math.round(ms * 10) / 10),
    },
    cutoverAtMs: cutoverAt === null ? null : cutoverAt - clients.startedAt,
  };
}
