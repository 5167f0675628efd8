import type { ClientsView } from '../../../src/server/context.ts';
import { count } from '../format.ts';
import { Scroll } from './scroll.tsx';

const MOST = 160;
const HEIGHT = 60;
/** Waits up to this many ms get the lowest bar, so that noise does not look like trouble. */
const CALM_MS = 1;
const PHASES = ['before', 'during', 'after'] as const;

const ms = (n: number) => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

/** The longest wait of the demo's clients in each moment, as the terminal shows it, with the cutover marked. */
export function WaitStrip({ clients }: { clients: ClientsView }) {
  const { slotMs, maxMs } = clients.timeline;
  const merged = Math.max(1, Math.ceil(maxMs.length / MOST));
  const columns = Array.from({ length: Math.ceil(maxMs.length / merged) }, (_, i) =>
    Math.max(...maxMs.slice(i * merged, (i + 1) * merged)),
  );
  const highest = Math.max(CALM_MS * 2, ...columns);
  const width = Math.max(columns.length, 40);
  const height = (wait: number) =>
    wait === 0 ? 0 : Math.max(4, (Math.log(Math.max(CALM_MS, wait) / CALM_MS) / Math.log(highest / CALM_MS)) * HEIGHT);
  const columnOf = (at: number) => at / (slotMs * merged);
  const stall = clients.longestStall;
  const waited = stall ? `The longest wait is ${ms(stall.ms)} (${stall.statement}).` : '';
  return (
    <section aria-labelledby="waits">
      <h2 id="waits">What the clients wait</h2>
      <p class="quiet">
        {count(clients.statements)} statements so far. {waited}
      </p>
      <svg
        class="strip"
        viewBox={`0 0 ${width} ${HEIGHT + 14}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`The longest wait in each moment of the run. ${waited}`}
      >
        {columns.map((wait, i) => (
          // A column is its place in time.
          <rect key={i} x={i + 0.1} width={0.8} y={HEIGHT - height(wait)} height={height(wait)} />
        ))}
        {clients.cutoverAtMs !== null && (
          <rect class="cutover" x={columnOf(clients.cutoverAtMs)} width={0.8} y={HEIGHT + 3} height={11} />
        )}
      </svg>
      <p class="quiet">Higher is longer, on a logarithmic scale; the mark below is the cutover.</p>
      <Scroll label="Waits by phase of the run">
        <table>
          <thead>
            <tr>
              <th scope="col">Phase</th>
              <th scope="col" class="number">
                Statements
              </th>
              <th scope="col" class="number">
                Median
              </th>
              <th scope="col" class="number">
                99 %
              </th>
              <th scope="col" class="number">
                Longest
              </th>
            </tr>
          </thead>
          <tbody>
            {PHASES.map((phase) => {
              const { count: statements, p50, p99, max } = clients.latency[phase];
              return (
                <tr key={phase}>
                  <th scope="row">{phase === 'during' ? 'migrating' : phase}</th>
                  <td class="number">{count(statements)}</td>
                  <td class="number">{ms(p50)}</td>
                  <td class="number">{ms(p99)}</td>
                  <td class="number">{ms(max)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
