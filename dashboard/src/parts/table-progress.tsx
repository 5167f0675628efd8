import type { MigrationView } from '../../../src/server/migration-view.ts';
import { count, duration } from '../format.ts';

interface TableProgressProps {
  readonly tables: MigrationView['status']['tables'];
  readonly lag: MigrationView['lag_seconds'];
  readonly waiting: string | null;
}

export function TableProgress({ tables, lag, waiting }: TableProgressProps) {
  return (
    <ul class="tables">
      {tables.map(({ source, target, rows, copied, rate, eta_seconds, lag: backlog }) => {
        const share = rows > 0 ? Math.min(1, copied / rows) : 0;
        const name = source.replace(/^.*\./, '');
        return (
          <li key={source} class="card">
            <h3>{source}</h3>
            <p class="quiet">to {target}</p>
            <progress aria-label={`Rows of ${source} that are copied`} value={share} max={1} />
            <dl class="figures">
              <Figure term="Rows" value={rows === 0 ? '–' : `${count(copied)} of ${count(rows)}`} />
              <Figure term="Rate" value={rate === null ? '–' : `${count(rate)} rows/s`} />
              <Figure term="Time left" value={eta_seconds === null ? '–' : duration(eta_seconds)} />
              <Figure term="Backlog" value={backlog === 0 ? 'none' : `${count(backlog)} changes`} />
              <Figure term="Lag" value={lag[name] === undefined ? '–' : duration(Math.round(lag[name]))} />
              <Figure term="Held back" value={waiting ?? 'no'} />
            </dl>
          </li>
        );
      })}
    </ul>
  );
}

function Figure({ term, value }: { term: string; value: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  );
}
