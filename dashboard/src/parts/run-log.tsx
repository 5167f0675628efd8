import type { RunView } from '../../../src/server/background-run.ts';
import { answered, api } from '../api.ts';
import { count, duration, moment } from '../format.ts';
import { Confirm } from './confirm.tsx';
import { ProblemNote } from './problem.tsx';
import { Scroll } from './scroll.tsx';

const OUTCOMES = { running: 'under way', stopping: 'stopping', done: 'done', failed: 'failed' } as const;

/** What this server does, or did last, at somebody's request. */
export function RunLog({ run }: { run: RunView }) {
  const { progress } = run;
  return (
    <section class={`run card ${run.outcome}`} aria-labelledby="run-title">
      <h2 id="run-title">
        {run.title} <span class="badge">{OUTCOMES[run.outcome]}</span>
      </h2>
      <p class="quiet">
        Begun by {run.actor} on {moment(run.started_at)}
      </p>
      {run.summary && <p role="status">{run.summary}</p>}
      <ProblemNote problem={run.failure} />
      {progress && run.ended_at === null && (
        <p>
          {progress.subject}: {count(progress.done)} of {count(progress.total)} {progress.unit}
          {progress.secondsLeft !== null && `, ${duration(progress.secondsLeft)} left`}
        </p>
      )}
      {run.ended_at === null && (
        <div class="actions">
          <Confirm
            label="Stop …"
            title="Stop at the next batch?"
            word="stop"
            act={(confirm) => answered(api.migration.stop.$post({ json: { confirm } }))}
          >
            <p>What is done stays done. The same action goes on where this one stopped.</p>
          </Confirm>
        </div>
      )}
      {run.lines.length > 0 && (
        <details open={run.outcome !== 'done'}>
          <summary>What it told</summary>
          <Scroll label="What the run told">
            <ol class="lines">
              {[...run.lines].reverse().map((line, i) => (
                <li key={run.lines.length - i} class={`kind-${line.kind}`}>
                  <time dateTime={line.at}>{new Date(line.at).toLocaleTimeString('en', { hour12: false })}</time>{' '}
                  {line.text}
                </li>
              ))}
            </ol>
          </Scroll>
        </details>
      )}
    </section>
  );
}
