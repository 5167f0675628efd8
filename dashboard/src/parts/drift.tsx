import type { InferResponseType } from 'hono/client';
import { useState } from 'preact/hooks';
import { answered, api, type Problem, problemIn } from '../api.ts';
import { ago, count, duration, moment, plural } from '../format.ts';
import { ProblemNote } from './problem.tsx';
import { Scroll } from './scroll.tsx';

type Recounts = InferResponseType<typeof api.statistics.$get>['recounts'];
type Comparison = InferResponseType<typeof api.statistics.comparison.$get>;

/** Whether the figures that are carried forward are those that the rows give: what the recounts found, and what is so now. */
export function Drift({ recounts }: { recounts: Recounts }) {
  return (
    <section aria-labelledby="drift">
      <h2 id="drift">Drift</h2>
      <p>{inWords(recounts[0])}</p>
      <Compare />
      {recounts.length > 0 && (
        <details>
          <summary>The last recounts</summary>
          <Scroll label="The last recounts">
            <table>
              <thead>
                <tr>
                  <th scope="col">Begun</th>
                  <th scope="col" class="number">
                    Took
                  </th>
                  <th scope="col" class="number">
                    Sessions
                  </th>
                  <th scope="col" class="number">
                    Wrong
                  </th>
                </tr>
              </thead>
              <tbody>
                {recounts.map(({ id, started_at, ended_at, sessions, drifted }) => (
                  <tr key={id}>
                    <th scope="row">{moment(started_at)}</th>
                    <td class="number">
                      {ended_at === null
                        ? 'under way'
                        : duration((Date.parse(ended_at) - Date.parse(started_at)) / 1000)}
                    </td>
                    <td class="number">{count(sessions)}</td>
                    <td class="number">{count(drifted)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      )}
    </section>
  );
}

function inWords(last: Recounts[number] | undefined): string {
  if (last === undefined) return 'No session has been counted anew yet.';
  const found =
    last.drifted === 0
      ? 'all figures were right'
      : `${count(last.drifted)} had wrong figures, which were put right: something had written past the triggers`;
  const sessions = plural(last.sessions, 'session');
  return last.ended_at === null
    ? `A recount is under way: of ${sessions} so far, ${found}.`
    : `The last recount ended ${ago(last.ended_at)}: of ${sessions}, ${found}.`;
}

function Compare() {
  const [answer, setAnswer] = useState<Comparison | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [working, setWorking] = useState(false);
  const compare = async () => {
    setWorking(true);
    setProblem(null);
    setAnswer(null);
    try {
      setAnswer(await answered(api.statistics.comparison.$get()));
    } catch (error) {
      setProblem(problemIn(error));
    } finally {
      setWorking(false);
    }
  };
  return (
    <>
      <div class="actions">
        <button type="button" aria-disabled={working} onClick={() => working || compare()}>
          {working ? 'Comparing …' : 'Compare now'}
        </button>
        <span class="quiet">Reads every message once, for a minute at most, and changes nothing.</span>
      </div>
      <ProblemNote problem={problem} />
      <div role="status">{answer && <Compared answer={answer} />}</div>
    </>
  );
}

function Compared({ answer: { sessions, drifted, differences } }: { answer: Comparison }) {
  if (drifted === 0) return <p>Of {plural(sessions, 'session')}, every figure is what the rows give.</p>;
  return (
    <>
      <p>
        Of {plural(sessions, 'session')}, {count(drifted)} {drifted === 1 ? 'has' : 'have'} other figures than the rows
        give. <code>tandem refresh --recount</code> puts them right.
      </p>
      <Scroll label="Figures that differ">
        <table>
          <thead>
            <tr>
              <th scope="col">Session</th>
              <th scope="col">Figure</th>
              <th scope="col" class="number">
                Statistics say
              </th>
              <th scope="col" class="number">
                Rows give
              </th>
            </tr>
          </thead>
          <tbody>
            {differences.map(({ session, figure, noted, counted }) => (
              <tr key={`${session} ${figure}`}>
                <th scope="row">
                  <a href={`/sessions/${session}`}>{session}</a>
                </th>
                <td>{figure.replaceAll('_', ' ')}</td>
                <td class="number">{noted ?? '–'}</td>
                <td class="number">{counted ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}
