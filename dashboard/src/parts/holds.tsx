import { useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { ID, ID_TITLE, moment } from '../format.ts';
import { Confirm } from './confirm.tsx';
import { Scroll } from './scroll.tsx';

interface HoldRow {
  readonly session_id: string;
  readonly reason: string;
  readonly placed_by: string;
  readonly placed_at: string;
}

export function Holds({ holds, onDone }: { holds: readonly HoldRow[]; onDone: () => void }) {
  return (
    <section aria-labelledby="holds">
      <h2 id="holds">Holds</h2>
      <p class="quiet">A session that is held is neither moved nor deleted, whoever asks for it.</p>
      {holds.length === 0 && <p>No session is held.</p>}
      {holds.length > 0 && (
        <Scroll label="Sessions that are held">
          <table>
            <thead>
              <tr>
                <th scope="col">Session</th>
                <th scope="col">Reason</th>
                <th scope="col">Placed</th>
                <th scope="col">
                  <span class="hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {holds.map(({ session_id, reason, placed_by, placed_at }) => (
                <tr key={session_id}>
                  <th scope="row">
                    <a href={`/sessions/${session_id}`}>{session_id}</a>
                  </th>
                  <td class="text">{reason}</td>
                  <td>
                    {moment(placed_at)} <span class="quiet">as {placed_by}</span>
                  </td>
                  <td>
                    <ReleaseHold session={session_id} onDone={onDone} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <PlaceHold onDone={onDone} />
    </section>
  );
}

export function ReleaseHold({ session, onDone }: { session: string; onDone: () => void }) {
  return (
    <Confirm
      label="Release …"
      title="Release the session?"
      word="release"
      onDone={onDone}
      act={(confirm) => answered(api.archiving.holds.release.$post({ json: { session, confirm } }))}
    >
      <p>
        <code>{session}</code> may then be archived and deleted like any other.
      </p>
    </Confirm>
  );
}

/** Without a session, one is asked for. */
export function PlaceHold({ session: given, onDone }: { session?: string; onDone: () => void }) {
  const [session, setSession] = useState(given ?? '');
  const [reason, setReason] = useState('');
  return (
    <Confirm
      label="Place a hold …"
      title="Hold a session"
      word={null}
      onDone={() => {
        setSession(given ?? '');
        setReason('');
        onDone();
      }}
      act={() => answered(api.archiving.holds.$post({ json: { session: session.trim(), reason } }))}
    >
      {given === undefined && (
        <div class="field">
          <label for="hold-session">Session</label>
          <input
            id="hold-session"
            required
            pattern={ID}
            title={ID_TITLE}
            value={session}
            onInput={({ currentTarget }) => setSession(currentTarget.value)}
          />
        </div>
      )}
      <div class="field">
        <label for="hold-reason">Reason, for whoever is refused</label>
        <input
          id="hold-reason"
          required
          value={reason}
          onInput={({ currentTarget }) => setReason(currentTarget.value)}
        />
      </div>
    </Confirm>
  );
}
