import { answered, api } from '../api.ts';
import { ago, moment, plural } from '../format.ts';
import { ProblemNote } from '../parts/problem.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useData } from '../use-data.ts';

export function AlertsPage() {
  const { value, problem } = useData(() => answered(api.alerts.$get()), ['alerts']);
  const alerts = value?.alerts ?? [];
  const firing = alerts.filter(({ resolved_at }) => resolved_at === null);
  const over = alerts.filter(({ resolved_at }) => resolved_at !== null);
  return (
    <>
      <h1>Alerts</h1>
      <ProblemNote problem={problem} />
      {value && (
        <>
          <p class="lead">
            {firing.length === 0
              ? 'No alert is firing.'
              : `${plural(firing.length, 'alert')} ${firing.length === 1 ? 'is' : 'are'} firing.`}
          </p>
          <ul class="cards">
            {firing.map((alert) => (
              <li key={alert.id} class={`card alert ${alert.severity}`}>
                <h2>
                  {alert.name} {alert.label && <span class="quiet">{alert.label}</span>}{' '}
                  <span class="badge">{alert.severity}</span>
                </h2>
                <p>{alert.summary}</p>
                <p class="quiet">
                  Since {moment(alert.since)}, {ago(alert.since)}.{' '}
                  {alert.last_error !== null && `The webhook could not be told: ${alert.last_error}`}
                </p>
              </li>
            ))}
          </ul>
          <section aria-labelledby="over">
            <h2 id="over">What is over</h2>
            {over.length === 0 ? (
              <p class="quiet">Nothing so far.</p>
            ) : (
              <Scroll label="Alerts that are over">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Alert</th>
                      <th scope="col">Severity</th>
                      <th scope="col">Since</th>
                      <th scope="col">Until</th>
                      <th scope="col">What it said</th>
                    </tr>
                  </thead>
                  <tbody>
                    {over.map((alert) => (
                      <tr key={alert.id}>
                        <th scope="row">
                          {alert.name} {alert.label}
                        </th>
                        <td>{alert.severity}</td>
                        <td>{moment(alert.since)}</td>
                        <td>{alert.resolved_at && moment(alert.resolved_at)}</td>
                        <td class="text">{alert.summary}</td>
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
