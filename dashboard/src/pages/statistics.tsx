import { useMemo, useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { ago, count, duration, moment, plural } from '../format.ts';
import { Chart, type Line } from '../parts/chart.tsx';
import { Drift } from '../parts/drift.tsx';
import { NotYet, ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { SpanChoice } from '../parts/span.tsx';
import { useData } from '../use-data.ts';

export function StatisticsPage() {
  const [hours, setHours] = useState(24);
  const { value, problem } = useData(
    () => answered(api.statistics.$get({ query: { hours: String(hours) } })),
    ['statistics'],
    String(hours),
  );
  const { times, lines } = useMemo(() => {
    const durations = value?.durations ?? [];
    const line: Line = { label: 'Duration', colour: 1, values: durations.map(({ seconds }) => seconds) };
    return { times: durations.map(({ at }) => Date.parse(at) / 1000), lines: [line] };
  }, [value]);
  const summary = value?.summary;
  return (
    <>
      <h1>Statistics</h1>
      <ProblemNote problem={problem} />
      {value && !summary && <NotYet what="Statistics are refreshed from the cutover on." />}
      {summary && (
        <>
          <p class="lead">
            {summary.as_of === null ? 'They were never refreshed.' : `They are as of ${ago(summary.as_of)}.`}
          </p>
          <SpanChoice hours={hours} onChange={setHours} />
          <p>
            In this time, {plural(summary.refreshed, 'refresh', 'refreshes')} ran, {count(summary.skipped)} were skipped
            because nothing had been written, and {count(summary.failed)} failed.
          </p>
          <Chart
            caption="How long each refresh took that was not skipped"
            times={times}
            lines={lines}
            format={duration}
          />
          <Drift recounts={value.recounts} />
          <h2>The last refreshes</h2>
          {value.refreshes.length === 0 ? (
            <p class="quiet">None so far.</p>
          ) : (
            <Scroll label="The last refreshes">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Begun</th>
                    <th scope="col">How</th>
                    <th scope="col" class="number">
                      Took
                    </th>
                    <th scope="col" class="number">
                      Rows
                    </th>
                    <th scope="col">Error</th>
                  </tr>
                </thead>
                <tbody>
                  {value.refreshes.map(({ id, started_at, ended_at, mode, rows, error }) => (
                    <tr key={id}>
                      <th scope="row">{moment(started_at)}</th>
                      <td>{mode}</td>
                      <td class="number">
                        {ended_at === null
                          ? 'under way'
                          : duration((Date.parse(ended_at) - Date.parse(started_at)) / 1000)}
                      </td>
                      <td class="number">{rows === null ? '–' : count(rows)}</td>
                      <td class="text">{error}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
          )}
        </>
      )}
    </>
  );
}
