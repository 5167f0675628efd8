import { useMemo, useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { bytes, count, duration } from '../format.ts';
import { Chart, linesOf } from '../parts/chart.tsx';
import { NotYet, ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { SpanChoice } from '../parts/span.tsx';
import { useData } from '../use-data.ts';

export function PartitionsPage() {
  const [hours, setHours] = useState(24);
  const { value, problem } = useData(
    () => answered(api.partitions.$get({ query: { hours: String(hours) } })),
    ['samples'],
    String(hours),
  );
  const { times, lines } = useMemo(() => linesOf(value?.bytes ?? [], ['active', 'archived', 'deleted']), [value]);
  const partitions = value?.partitions ?? [];
  const all = partitions.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
  return (
    <>
      <h1>Partitions</h1>
      <ProblemNote problem={problem} />
      {value && partitions.length === 0 && <NotYet what="There are partitions from the cutover on." />}
      {partitions.length > 0 && (
        <>
          <p class="lead">
            {all === 0 ? 'They have not been counted yet.' : `About ${count(all)} sessions, by status:`}
          </p>
          {all > 0 && <Distribution partitions={partitions} all={all} />}
          <Scroll label="Sizes and limits">
            <table>
              <thead>
                <tr>
                  <th scope="col">Partition</th>
                  <th scope="col" class="number">
                    Sessions
                  </th>
                  <th scope="col" class="number">
                    Size
                  </th>
                  <th scope="col">Of its limit</th>
                  <th scope="col" class="number">
                    Growth
                  </th>
                  <th scope="col" class="number">
                    Reaches it in
                  </th>
                </tr>
              </thead>
              <tbody>
                {partitions.map(({ status, name, rows, bytes: size, limit_bytes, bytes_a_day, days_left }) => (
                  <tr key={status}>
                    <th scope="row">
                      {status} <span class="quiet">{name}</span>
                    </th>
                    <td class="number">{rows === null ? '–' : count(rows)}</td>
                    <td class="number">{bytes(size)}</td>
                    <td>
                      <meter
                        aria-label={`Share of its limit that ${status} has used`}
                        min={0}
                        max={limit_bytes}
                        high={limit_bytes * 0.8}
                        optimum={0}
                        value={size}
                      />{' '}
                      <span class="quiet">of {bytes(limit_bytes)}</span>
                    </td>
                    <td class="number">{bytes_a_day === null ? '–' : `${bytes(bytes_a_day)} a day`}</td>
                    <td class="number">{days_left === null ? '–' : duration(days_left * 86_400)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          <section aria-labelledby="sizes">
            <h2 id="sizes">Sizes over time</h2>
            <SpanChoice hours={hours} onChange={setHours} />
            <Chart caption="Size of each partition with its indexes" times={times} lines={lines} format={bytes} />
          </section>
          <p class="quiet">Row counts are the server’s, as of the last ANALYZE.</p>
        </>
      )}
    </>
  );
}

const COLOURS = { active: 1, archived: 2, deleted: 3 } as const;

function Distribution({
  partitions,
  all,
}: {
  partitions: readonly { status: keyof typeof COLOURS; rows: number | null }[];
  all: number;
}) {
  let x = 0;
  const text = partitions.map(({ status, rows }) => `${status} ${share(rows ?? 0, all)}`).join(', ');
  return (
    <figure class="distribution">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={text}>
        {partitions.map(({ status, rows }) => {
          const width = all > 0 ? ((rows ?? 0) / all) * 100 : 0;
          const at = x;
          x += width;
          return <rect key={status} class={`series-${COLOURS[status]}`} x={at} width={width} y={0} height={6} />;
        })}
      </svg>
      <figcaption>
        {partitions.map(({ status, rows }) => (
          <span key={status} class={`legend series-${COLOURS[status]}`}>
            {status} {share(rows ?? 0, all)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function share(rows: number, all: number): string {
  return all === 0 ? '0 %' : `${((rows / all) * 100).toFixed(rows / all < 0.1 ? 1 : 0)} %`;
}
