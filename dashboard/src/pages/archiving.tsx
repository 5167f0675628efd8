import type { InferResponseType } from 'hono/client';
import { useEffect, useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { ago, count, day, moment, plural } from '../format.ts';
import { useLive } from '../live.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Holds } from '../parts/holds.tsx';
import { NotYet, ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useData } from '../use-data.ts';

const VERBS = { archived: 'to be archived', deleted: 'to be soft-deleted', purged: 'to be deleted for good' } as const;

type Policy = NonNullable<InferResponseType<typeof api.archiving.$get>>['policy'];

const FIELDS = [
  { key: 'archiveAfterDays', label: 'Active sessions are archived after', says: 'archives active sessions' },
  { key: 'deleteAfterDays', label: 'Archived sessions are soft-deleted after', says: 'soft-deletes archived ones' },
  { key: 'purgeAfterDays', label: 'Soft-deleted sessions are deleted for good after', says: 'deletes those for good' },
] as const;

const GRACE = { key: 'graceDays', label: 'A run can be undone for' } as const;

const WRITTEN_MS = 300;

export function ArchivingPage() {
  const { value, problem, reload } = useData(() => answered(api.archiving.$get()), ['archiving', 'holds']);
  const next = useData(() => answered(api.archiving.due.$get()), ['archiving', 'holds']);
  const { value: preview, problem: unseen, reload: look } = next;
  const run = useLive().migration?.run;
  const ended = run?.ended_at;
  // An undo that has ended changes what is due.
  useEffect(() => {
    if (ended) {
      reload();
      look();
    }
  }, [ended]);
  if (value === undefined || value === null) {
    return (
      <>
        <h1>Archiving</h1>
        <ProblemNote problem={problem} />
        {value === null && <NotYet what="Sessions are archived from the cutover on." />}
      </>
    );
  }
  const due = preview?.due ?? [];
  const all = due.reduce((sum, { sessions }) => sum + sessions, 0);
  return (
    <>
      <h1>Archiving</h1>
      <ProblemNote problem={problem} />
      <p class="lead">{inWords(value.policy)}</p>
      <PolicyForm
        policy={value.policy}
        fixed={value.fixed_by_plan_file}
        onDone={() => {
          reload();
          look();
        }}
      />
      <section aria-labelledby="next">
        <h2 id="next">The next run</h2>
        {preview === undefined && !unseen && <p class="quiet">Counting …</p>}
        <ProblemNote problem={unseen} />
        {preview && all === 0 && <p>Nothing is due.</p>}
        {all > 0 && (
          <ul class="due">
            {due
              .filter(({ sessions }) => sessions > 0)
              .map(({ transition, sessions, days, oldest, sample }) => (
                <li key={transition}>
                  <strong>{plural(sessions, 'session')}</strong> {VERBS[transition]}, idle for over {count(days)} days
                  {oldest && `, the longest since ${day(oldest)}`}.
                  <details>
                    <summary>The first of them</summary>
                    <ul>
                      {sample.map((id) => (
                        <li key={id}>
                          <a href={`/sessions/${id}`}>{id}</a>
                        </li>
                      ))}
                    </ul>
                  </details>
                </li>
              ))}
          </ul>
        )}
      </section>
      <Holds holds={value.holds} onDone={reload} />
      <section aria-labelledby="runs">
        <h2 id="runs">Runs that moved sessions</h2>
        {run?.title.startsWith('Undo') && run.summary && <p role="status">{run.summary}</p>}
        {run?.title.startsWith('Undo') && <ProblemNote problem={run.failure} />}
        {value.runs.length === 0 ? (
          <p class="quiet">None so far.</p>
        ) : (
          <Scroll label="Runs that moved sessions">
            <table>
              <thead>
                <tr>
                  <th scope="col">Run</th>
                  <th scope="col">When</th>
                  <th scope="col" class="number">
                    Archived
                  </th>
                  <th scope="col" class="number">
                    Soft-deleted
                  </th>
                  <th scope="col" class="number">
                    For good
                  </th>
                  <th scope="col">Outcome</th>
                </tr>
              </thead>
              <tbody>
                {value.runs.map(({ id, started_at, archived, deleted, purged, error, undone_at }) => (
                  <tr key={id}>
                    <th scope="row">{id}</th>
                    <td>{moment(started_at)}</td>
                    <td class="number">{count(archived)}</td>
                    <td class="number">{count(deleted)}</td>
                    <td class="number">{count(purged)}</td>
                    <td class="text">
                      {error ?? (undone_at ? `undone ${ago(undone_at)}` : '')}{' '}
                      {undone_at === null && archived + deleted > 0 && (
                        <Confirm
                          label={`Undo run ${id} …`}
                          title={`Bring back what run ${id} moved?`}
                          word="undo"
                          onDone={reload}
                          act={(confirm) => answered(api.archiving.undo.$post({ json: { run: id, confirm } }))}
                        >
                          <p>
                            {plural(archived + deleted, 'session')} go back to the status they had, unless they have
                            been moved on since. What was deleted for good stays so.
                          </p>
                        </Confirm>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </section>
    </>
  );
}

function inWords(policy: Policy): string {
  const parts = FIELDS.flatMap(({ key, says }) => {
    const days = policy[key];
    return days === null ? [] : [`${says} after ${plural(days, 'idle day')}`];
  });
  return parts.length === 0 ? 'The keeper moves no session.' : `The keeper ${parts.join(', ')}.`;
}

function PolicyForm({ policy, fixed, onDone }: { policy: Policy; fixed: boolean; onDone: () => void }) {
  const [wanted, setWanted] = useState<Policy>(policy);
  const [effect, setEffect] = useState<{ sessions: number; stricter: boolean } | null>(null);
  const changed = [...FIELDS, GRACE].some(({ key }) => wanted[key] !== policy[key]);
  useEffect(() => setWanted(policy), [JSON.stringify(policy)]);
  useEffect(() => {
    setEffect(null);
    if (!changed) return;
    let stale = false;
    const look = () =>
      answered(api.archiving.policy.try.$post({ json: { policy: wanted } })).then(
        ({ sessions, stricter }) => stale || setEffect({ sessions, stricter }),
        // The server says why when it is asked to change it.
        () => undefined,
      );
    // Counting what is due may take seconds: once, when the number is written, and not for each of its digits.
    const timer = setTimeout(look, WRITTEN_MS);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [wanted, changed]);
  return (
    <section aria-labelledby="policy">
      <h2 id="policy">Policy</h2>
      {fixed && (
        <p class="notice">
          The plan file says the policy: it is in force again when <code>tandem serve</code> starts anew.
        </p>
      )}
      <div class="row">
        {FIELDS.map(({ key, label }) => (
          <div class="field" key={key}>
            <label for={key}>{label}</label>
            <span class="with-unit">
              <input
                id={key}
                type="number"
                min="1"
                step="any"
                placeholder="never"
                value={wanted[key] ?? ''}
                onInput={({ currentTarget: { value } }) =>
                  setWanted({ ...wanted, [key]: value === '' ? null : Number(value) })
                }
              />{' '}
              days
            </span>
          </div>
        ))}
        <div class="field">
          <label for="graceDays">{GRACE.label}</label>
          <span class="with-unit">
            <input
              id="graceDays"
              type="number"
              min="0"
              step="any"
              value={wanted.graceDays}
              onInput={({ currentTarget: { value } }) => setWanted({ ...wanted, graceDays: Number(value) })}
            />{' '}
            days
          </span>
        </div>
        <Confirm
          label="Change the policy …"
          title="Change the policy?"
          word={effect?.stricter ? String(effect.sessions) : 'policy'}
          disabled={!changed || effect === null}
          danger={effect?.stricter ?? false}
          onDone={onDone}
          act={(confirm) => answered(api.archiving.policy.$post({ json: { policy: wanted, confirm } }))}
        >
          <p>{inWords(wanted)}</p>
          {effect && (
            <p>
              {effect.stricter
                ? `It is stricter than the one in force: ${plural(effect.sessions, 'session')} would move with the next run. Type that number.`
                : 'It is not stricter than the one in force.'}
            </p>
          )}
        </Confirm>
      </div>
    </section>
  );
}
