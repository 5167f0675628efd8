import type { InferResponseType } from 'hono/client';
import { useMemo, useState } from 'preact/hooks';
import { answered, api, type Problem, problemIn } from '../api.ts';
import { duration, ID, ID_TITLE, moment, plural } from '../format.ts';
import { Chart, linesOf } from '../parts/chart.tsx';
import { usePlace } from '../parts/masthead.tsx';
import { NotYet, ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { SpanChoice } from '../parts/span.tsx';
import { useData } from '../use-data.ts';

const LANGUAGES = ['en', 'es', 'fr', 'de'] as const;
type Language = (typeof LANGUAGES)[number];
type Answer = InferResponseType<typeof api.search.try.$post>;

export function SearchPage() {
  const [hours, setHours] = useState(24);
  const { value, problem } = useData(
    () => answered(api.search.$get({ query: { hours: String(hours) } })),
    ['samples'],
    String(hours),
  );
  const { times, lines } = useMemo(() => linesOf(value?.seconds ?? [], LANGUAGES), [value]);
  return (
    <>
      <h1>Search</h1>
      <ProblemNote problem={problem} />
      {value?.ready === false && <NotYet what="Messages are searched from the cutover on." />}
      {value?.ready && <TrySearch />}
      <section aria-labelledby="latency">
        <h2 id="latency">Latency over time</h2>
        <SpanChoice hours={hours} onChange={setHours} />
        <Chart
          caption="How long the keeper’s trial queries took, by language"
          times={times}
          lines={lines}
          format={duration}
        />
      </section>
    </>
  );
}

function TrySearch() {
  const [query, setQuery] = useState('');
  const [user, setUser] = useState('');
  const [language, setLanguage] = useState<Language | null>(null);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [working, setWorking] = useState(false);
  const readOnly = usePlace()?.read_only ?? true;
  const submit = async (event: Event) => {
    event.preventDefault();
    setWorking(true);
    setProblem(null);
    try {
      setAnswer(await answered(api.search.try.$post({ json: { query, user: user.trim(), language } })));
    } catch (error) {
      setAnswer(null);
      setProblem(problemIn(error));
    } finally {
      setWorking(false);
    }
  };
  return (
    <section aria-labelledby="try">
      <h2 id="try">Try a query</h2>
      <p class="quiet">
        Runs as that user, in a transaction that only reads. Messages are not shown here, and the trial is noted in the
        audit{readOnly ? '; this dashboard only reads, so it cannot be noted, nor tried' : ''}.
      </p>
      <form class="row" onSubmit={submit}>
        <div class="field">
          <label for="query">Query</label>
          <input id="query" required value={query} onInput={({ currentTarget }) => setQuery(currentTarget.value)} />
        </div>
        <div class="field">
          <label for="user">As the user</label>
          <input
            id="user"
            required
            placeholder="id of a user"
            pattern={ID}
            title={ID_TITLE}
            value={user}
            onInput={({ currentTarget }) => setUser(currentTarget.value)}
          />
        </div>
        <div class="field narrow">
          <label for="language">Language</label>
          <select
            id="language"
            value={language ?? ''}
            onChange={({ currentTarget: { value } }) => setLanguage(LANGUAGES.find((known) => known === value) ?? null)}
          >
            <option value="">any</option>
            {LANGUAGES.map((known) => (
              <option key={known} value={known}>
                {known}
              </option>
            ))}
          </select>
        </div>
        <button type="submit" class="primary" disabled={working || readOnly}>
          {working ? 'Searching …' : 'Search'}
        </button>
      </form>
      <ProblemNote problem={problem} />
      {answer && <Found answer={answer} />}
    </section>
  );
}

function Found({ answer: { hits, elapsed_ms, plans } }: { answer: Answer }) {
  const correction = hits[0]?.correction;
  return (
    <div role="status">
      <p>
        {plural(hits.length, 'message')} in {duration(elapsed_ms / 1000)}
        {correction && <>, searched for as “{correction}”</>}.
      </p>
      {hits.length > 0 && (
        <Scroll label="What was found">
          <table>
            <thead>
              <tr>
                <th scope="col">Session</th>
                <th scope="col">Language</th>
                <th scope="col">Written</th>
                <th scope="col" class="number">
                  Rank
                </th>
              </tr>
            </thead>
            <tbody>
              {hits.map((hit) => (
                <tr key={hit.id}>
                  <th scope="row">
                    <a href={`/sessions/${hit.session_id}`}>{hit.session_id}</a>
                  </th>
                  <td>{hit.language}</td>
                  <td>{moment(hit.created_at)}</td>
                  <td class="number">{hit.rank.toFixed(3)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <details>
        <summary>{plans.length === 1 ? 'Its plan' : `Its plans, of ${plans.length} statements`}</summary>
        {plans.map((plan) => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          <pre key={plan} class="scroll" tabIndex={0}>
            {plan}
          </pre>
        ))}
      </details>
    </div>
  );
}
