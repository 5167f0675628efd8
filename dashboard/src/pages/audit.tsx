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
                  <td class="text short">{actor}</td>
                  <td>{ACTIONS[action] ?? action}</td>
                  <td class="text short">
                    <code>{subject}</code>
                  </td>
                  <td class="text">
                    {particulars(detail).map(([name, said]) => (
                      <div key={name}>
                        {name}: {said}
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

/** Of what was changed, that alone which is another one now. */
function particulars({ before, after, ...others }: Readonly<Record<string, unknown>>): [string, string][] {
  const [old, now] = [members(before), members(after)];
  const changes = [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => inWords(old[name]) !== inWords(now[name]))
    .map((name): [string, string] => [name, `${inWords(old[name])} → ${inWords(now[name])}`]);
  return [...Object.entries(others).map(([name, said]): [string, string] => [name, inWords(said)]), ...changes];
}

const members = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

function inWords(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
