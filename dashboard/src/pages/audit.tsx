import { useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { moment } from '../format.ts';
import { Pager } from '../parts/pager.tsx';
import { ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useData } from '../use-data.ts';

const ACTIONS: Readonly<Record<string, string>> = {
  'migration.start': 'began the migration',
  'migration.pause': 'paused the migration',
  'migration.resume': 'let the migration go on',
  'migration.throttle': 'throttled the migration',
  'migration.cutover': 'asked for the cutover',
  'migration.rollback': 'rolled the migration back',
  'migration.finish': 'finished the migration',
  'migration.stop': 'stopped what this server did',
  'policy.change': 'changed the policy of archiving',
  'hold.place': 'held a session',
  'hold.release': 'released a session',
  'archive.undo': 'undid an archiving run',
  'messages.read': 'read messages of a session',
  'search.try': 'searched as a user',
};

export function AuditPage() {
  const [trail, setTrail] = useState<readonly number[]>([]);
  const before = trail.at(-1);
  const { value, problem } = useData(
    () => answered(api.audit.$get({ query: before === undefined ? {} : { before } })),
    ['audit'],
    String(before),
  );
  const next = value?.next ?? null;
  return (
    <>
      <h1>Audit</h1>
      <p class="lead">Who changed or read what through this dashboard.</p>
      <ProblemNote problem={problem} />
      {value && value.entries.length === 0 && <p>Nothing so far.</p>}
      {value && value.entries.length > 0 && (
        <Scroll label="Entries of the audit">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">Of what</th>
                <th scope="col">Particulars</th>
              </tr>
            </thead>
            <tbody>
              {value.entries.map(({ id, at, actor, action, subject, detail }) => (
                <tr key={id}>
                  <th scope="row">{moment(at)}</th>
                  <td>{actor}</td>
                  <td>{ACTIONS[action] ?? action}</td>
                  <td>
                    <code>{subject}</code>
                  </td>
                  <td>
                    {Object.entries(detail).map(([name, said]) => (
                      <div key={name}>
                        {name}: {typeof said === 'string' ? said : JSON.stringify(said)}
                      </div>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <Pager label="Pages of the audit" trail={trail} next={next} onTrail={setTrail} />
    </>
  );
}
