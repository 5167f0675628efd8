import { useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { ago, count, moment, plural } from '../format.ts';
import { Confirm } from '../parts/confirm.tsx';
import { PlaceHold, ReleaseHold } from '../parts/holds.tsx';
import { ProblemNote } from '../parts/problem.tsx';
import { useData } from '../use-data.ts';

export function SessionPage({ id }: { id: string }) {
  const { value, problem, reload } = useData(
    () => answered(api.sessions[':id'].$get({ param: { id } })),
    ['holds', 'archiving'],
    id,
  );
  const session = value?.session;
  return (
    <>
      <p>
        <a href="/sessions">All sessions</a>
      </p>
      <h1>{session ? (session.title ?? 'A session without a title') : 'Session'}</h1>
      <ProblemNote problem={problem} />
      {value && session && (
        <>
          <dl class="figures">
            <Figure term="Id" value={session.id} wide />
            <Figure term="User" value={session.user_id} wide />
            <Figure term="Status" value={session.status} />
            <Figure term="Language" value={`${session.language}, ${session.level}`} />
            <Figure term="Begun" value={moment(session.created_at)} />
            <Figure term="Last used" value={ago(session.last_accessed)} />
            <Figure term="Messages" value={count(value.messages)} />
            <Figure term="Feedback" value={count(value.feedback)} />
          </dl>
          <section aria-labelledby="hold">
            <h2 id="hold">Hold</h2>
            {value.hold === null ? (
              <>
                <p>It is not held.</p>
                <PlaceHold session={id} onDone={reload} />
              </>
            ) : (
              <>
                <p>
                  It is held since {moment(value.hold.placed_at)}: {value.hold.reason}
                </p>
                <ReleaseHold session={id} onDone={reload} />
              </>
            )}
          </section>
          {value.moves.length > 0 && (
            <section aria-labelledby="moves">
              <h2 id="moves">What the keeper did with it</h2>
              <ul>
                {value.moves.map((move) => (
                  <li key={move.moved_at}>
                    {moment(move.moved_at)}: from {move.from_status} to {move.to_status}
                    {move.run_id === null ? ', when a run was undone' : `, by run ${move.run_id}`}
                  </li>
                ))}
              </ul>
            </section>
          )}
          <Messages key={id} id={id} count={value.messages} />
        </>
      )}
    </>
  );
}

function Figure({ term, value, wide = false }: { term: string; value: string; wide?: boolean }) {
  return (
    <div class={wide ? 'wide' : ''}>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface Message {
  readonly id: string;
  readonly sequence_number: number;
  readonly type: string;
  readonly language: string;
  readonly content: string;
  readonly created_at: string;
}

/** Nothing of them is asked for before somebody says why; each page that is read is noted. */
function Messages({ id, count: there }: { id: string; count: number }) {
  const [read, setRead] = useState<readonly Message[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [reason, setReason] = useState('');
  const reveal = async () => {
    const after = read === null ? null : next;
    const page = await answered(api.sessions[':id'].messages.$post({ param: { id }, json: { reason, after } }));
    setRead([...(read ?? []), ...page.rows]);
    setNext(page.next);
  };
  const question = (label: string) => (
    <Confirm label={label} title="Read what was written?" word={null} act={reveal}>
      <p>These are a person’s messages. That you read them is noted in the audit, with the reason you give.</p>
      <div class="field">
        <label for="reveal-reason">Reason</label>
        <input
          id="reveal-reason"
          required
          value={reason}
          onInput={({ currentTarget }) => setReason(currentTarget.value)}
        />
      </div>
    </Confirm>
  );
  return (
    <section aria-labelledby="messages">
      <h2 id="messages">Messages</h2>
      {read === null && (
        <>
          <p>{there === 0 ? 'There are none.' : `${plural(there, 'message')}, not shown.`}</p>
          {there > 0 && question('Reveal the messages …')}
        </>
      )}
      {read !== null && (
        <>
          <ol class="messages">
            {read.map((message) => (
              <li key={message.id}>
                <p class="quiet">
                  {message.sequence_number}, {message.type}, {moment(message.created_at)}
                </p>
                <p lang={message.language}>{message.content}</p>
              </li>
            ))}
          </ol>
          {next !== null && question('Reveal more …')}
        </>
      )}
    </section>
  );
}
