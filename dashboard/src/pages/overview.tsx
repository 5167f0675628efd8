import { useEffect } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { useLive } from '../live.ts';
import { ProblemNote } from '../parts/problem.tsx';
import { Prose } from '../parts/prose.tsx';
import { useData } from '../use-data.ts';

const EVERY_MS = 30_000;

const PAGES: Readonly<Record<string, string>> = {
  Migration: '/migration',
  Alerts: '/alerts',
  Archiving: '/archiving',
  Statistics: '/statistics',
  Partitions: '/partitions',
  Backups: '/backups',
};

export function OverviewPage() {
  const { value, problem, reload } = useData(
    () => answered(api.overview.$get()),
    ['migration', 'archiving', 'statistics', 'alerts', 'backups', 'holds'],
  );
  const { connection, migration } = useLive();
  const phase = migration?.status.phase;
  // Another phase is another overview.
  useEffect(() => {
    if (phase !== undefined && connection !== 'paused') reload();
  }, [phase]);
  useEffect(() => {
    if (connection === 'paused') return;
    const timer = setInterval(reload, EVERY_MS);
    return () => clearInterval(timer);
  }, [connection, reload]);
  const sentences = value?.sentences ?? [];
  const wrong = sentences.filter(({ state }) => state === 'wrong').length;
  const watched = sentences.filter(({ state }) => state === 'worth a look').length;
  return (
    <>
      <h1>Overview</h1>
      <ProblemNote problem={problem} />
      {value === undefined && problem === null && <p class="quiet">Looking …</p>}
      {value && <p class="lead">{summary(wrong, watched, value.phase)}</p>}
      <ul class={sentences.length > 0 ? 'sentences' : ''}>
        {sentences.map(({ topic, state, text, hint }) => {
          const page = PAGES[topic];
          return (
            <li key={topic} class={`sentence ${state.replaceAll(' ', '-')}`}>
              <h2>{page ? <a href={page}>{topic}</a> : topic}</h2>
              <div>
                <p>
                  <span class="mark">{state}</span> <Prose text={text} />
                </p>
                {hint && (
                  <p class="quiet">
                    <Prose text={hint} />
                  </p>
                )}
              </div>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function summary(wrong: number, watched: number, phase: string): string {
  if (wrong > 0) return wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`;
  if (watched > 0) return watched === 1 ? 'One thing is worth a look.' : `${watched} things are worth a look.`;
  return phase === 'none' || phase === 'rolled_back' ? 'Ready when you are.' : 'All is well.';
}
