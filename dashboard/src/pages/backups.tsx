import { useState } from 'preact/hooks';
import { answered, api } from '../api.ts';
import { bytes, count, duration, moment, plural } from '../format.ts';
import { ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useData } from '../use-data.ts';

export function BackupsPage() {
  const { value, problem } = useData(() => answered(api.backups.$get()), ['backups']);
  const settings = value?.settings ?? null;
  return (
    <>
      <h1>Backups</h1>
      <ProblemNote problem={problem} />
      {value && (
        <>
          <p class="lead">
            {settings === null
              ? 'The keeper makes no backups: the plan file does not ask for any.'
              : `Every ${plural(settings.everyHours, 'hour')}, the newest ${count(settings.keep)} are kept${
                  settings.drillEveryHours === null
                    ? '; none is tried.'
                    : `, and every ${plural(settings.drillEveryHours, 'hour')} the newest is restored aside and compared.`
                }`}
          </p>
          <section aria-labelledby="backups">
            <h2 id="backups">Backups</h2>
            {value.backups.length === 0 ? (
              <p class="quiet">None so far.</p>
            ) : (
              <ul class="cards">
                {value.backups.map((backup) => (
                  <li key={backup.id} class="card">
                    <h3>{moment(backup.started_at)}</h3>
                    <p>
                      {backup.error !== null
                        ? `It failed: ${backup.error}`
                        : backup.ended_at === null
                          ? 'It is being made.'
                          : `${count(backup.rows ?? 0)} rows, ${bytes(backup.bytes ?? 0)}, in ${took(backup)}${backup.removed_at ? '; removed since' : ''}.`}
                    </p>
                    <p class="quiet">
                      {backup.directory} on {backup.host}
                    </p>
                    {backup.ended_at !== null &&
                      backup.error === null &&
                      backup.removed_at === null &&
                      backup.host === value.here && <ManifestView id={backup.id} />}
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section aria-labelledby="drills">
            <h2 id="drills">Restore drills</h2>
            {value.drills.length === 0 ? (
              <p class="quiet">None so far.</p>
            ) : (
              <Scroll label="Restore drills">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Begun</th>
                      <th scope="col">Of backup</th>
                      <th scope="col">Where</th>
                      <th scope="col" class="number">
                        Rows
                      </th>
                      <th scope="col" class="number">
                        Took
                      </th>
                      <th scope="col">Outcome</th>
                    </tr>
                  </thead>
                  <tbody>
                    {value.drills.map((drill) => (
                      <tr key={drill.id}>
                        <th scope="row">{moment(drill.started_at)}</th>
                        <td class="text">{drill.backup_id ?? drill.directory}</td>
                        <td>{drill.place === 'server' ? 'a scratch database' : 'a private server'}</td>
                        <td class="number">{drill.rows === null ? '–' : count(drill.rows)}</td>
                        <td class="number">{took(drill)}</td>
                        <td class="text">
                          {drill.error ?? (drill.ended_at === null ? 'under way' : 'every row came back')}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
            )}
          </section>
        </>
      )}
    </>
  );
}

function took({ started_at, ended_at }: { started_at: string; ended_at: string | null }): string {
  return ended_at === null ? '–' : duration((Date.parse(ended_at) - Date.parse(started_at)) / 1000);
}

function ManifestView({ id }: { id: number }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Its manifest</summary>
      {open && <Manifest id={id} />}
    </details>
  );
}

function Manifest({ id }: { id: number }) {
  const { value, problem } = useData(
    () => answered(api.backups[':id'].manifest.$get({ param: { id: String(id) } })),
    [],
    String(id),
  );
  if (problem) return <ProblemNote problem={problem} />;
  if (!value) return null;
  return (
    <>
      <p class="quiet">
        {value.database}, PostgreSQL {value.server_version}, as of {moment(value.created_at)}
      </p>
      <Scroll label="Files of the backup">
        <table>
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col">File</th>
              <th scope="col" class="number">
                Rows
              </th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col">SHA-256</th>
            </tr>
          </thead>
          <tbody>
            {value.tables.map((table) => (
              <tr key={table.file}>
                <th scope="row">
                  {table.schema}.{table.name}
                </th>
                <td>{table.file}</td>
                <td class="number">{count(table.rows)}</td>
                <td class="number">{bytes(table.bytes)}</td>
                <td>
                  <code>{table.sha256.slice(0, 16)}…</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}
