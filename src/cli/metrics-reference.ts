import { sessionsMetricDefinitions } from '../../plans/sessions/keeper/metric-definitions.ts';
import type { MetricDefinition } from '../keeper/metric-set.ts';
import { keeperMetricDefinitions } from '../keeper/metrics.ts';
import { replaceMarkedPart } from './marked-part.ts';

const BEGIN = '<!-- From here on, `npm run generate` writes what the code says of its series. -->';

/** Every series that `tandem serve` has, in the order of the document. */
export const metricDefinitions: readonly MetricDefinition[] = [
  ...Object.values(keeperMetricDefinitions(null)),
  ...Object.values(sessionsMetricDefinitions),
];

/** docs/metrics.md with its table written anew from the definitions. */
export function withMetrics(document: string): string {
  const rows = metricDefinitions.map(
    ({ name, type, of, labels = {}, help }) =>
      `| \`${name}${labelsOf(labels)}\` | ${type} | ${of} | ${help}${valuesOf(labels)} |`,
  );
  return replaceMarkedPart(
    document,
    BEGIN,
    ['| series | type | of the | is |', '|---|---|---|---|', ...rows, ''].join('\n'),
  );
}

function labelsOf(labels: NonNullable<MetricDefinition['labels']>): string {
  const names = Object.keys(labels);
  return names.length === 0 ? '' : `{${names.join(',')}}`;
}

function valuesOf(labels: NonNullable<MetricDefinition['labels']>): string {
  return Object.entries(labels)
    .flatMap(([name, values]) => (values === null ? [] : [`; ${name}: ${values.map((v) => `\`${v}\``).join(', ')}`]))
    .join('');
}
