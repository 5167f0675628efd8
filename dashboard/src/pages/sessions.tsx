import { useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { ago, ID, ID_TITLE } from '../format.ts';
import { Pager } from '../parts/pager.tsx';
import { NotYet, ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { go } from '../router.ts';
import { useData } from '../use-data.ts';

const STATUSES = ['active', 'archived', 'deleted'] as const;

export function SessionsPage() {
  const [status, setStatus] = useState<(typeof STATUSES)[number]>('active');
  const [user, setUser] = useState('');
  const [owner, setOwner] = useState('');
  /** Cursors of the pages up to this one. */
  const [trail, setTrail] = useState<readonly string[]>([]);
  const after = trail.at(-1);
  const { value, problem } = useData(
    () => answered(api.sessions.$get({ query: { status, ...(owner && { user: owner }), ...(after && { after }) } })),
    [],
    `${status} ${owner} ${after}`,
  );
  const next = value?.next ?? null;
  return (
    <>
      <h1>Sessions</h1>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          setTrail([]);
          setOwner(user.trim());
        }}
      >
        <div class="field narrow">
          <label for="status">Status</label>
          <select
            id="status"
            value={status}
            onChange={({ currentTarget: { value: chosen } }) => {
              setTrail([]);
              setStatus(STATUSES.find((known) => known === chosen) ?? 'active');
            }}
          >
            {STATUSES.map((known) => (
              <option key={known}>{known}</option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="owner">Of the user</label>
          <input
            id="owner"
            placeholder="anybody"
            pattern={ID}
            title={ID_TITLE}
            value={user}
            onInput={({ currentTarget }) => setUser(currentTarget.value)}
          />
        </div>
        <button type="submit">Show</button>
      </form>
      <OpenById />
      <ProblemNote problem={problem} />
      {value === null && <NotYet what="Sessions have a status of their own from the cutover on." />}
      {value && value.rows.length === 0 && <p>There are none.</p>}
      {value && value.rows.length > 0 && (
        <Scroll label="Sessions">
          <table>
            <thead>
              <tr>
                <th scope="col">Session</th>
                <th scope="col">Language</th>
                <th scope="col">Level</th>
                <th scope="col">User</th>
                <th scope="col">Last used</th>
              </tr>
            </thead>
            <tbody>
              {value.rows.map((session) => (
                <tr key={session.id}>
                  <th scope="row" class="text">
                    <a href={`/sessions/${session.id}`}>{session.title ?? session.id}</a>
                  </th>
                  <td>{session.language}</td>
                  <td>{session.level}</td>
                  <td>
                    <code>{session.user_id.slice(0, 8)}…</code>
                  </td>
                  <td>{ago(session.last_accessed)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <Pager label="Pages of sessions" trail={trail} next={next} onTrail={setTrail} />
    </>
  );
}

function OpenById() {
  const [id, setId] = useState('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        go(`/sessions/${id.trim().toLowerCase()}`);
      }}
    >
      <div class="field">
        <label for="session-id">Session by its id</label>
        <input
          id="session-id"
          required
          pattern={ID}
          title={ID_TITLE}
          value={id}
          onInput={({ currentTarget }) => setId(currentTarget.value)}
        />
      </div>
      <button type="submit">Open</button>
    </form>
  );
}
