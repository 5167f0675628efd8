import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** One series, or several that differ by labels. The same table makes them and documents them. */
export interface MetricDefinition {
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly name: `tandem_${string}`;
  /** A sentence, without the full stop that Prometheus has no use for. */
  readonly help: string;
  /** Each label with the values that are there from the beginning; null: those that come up. */
  readonly labels?: Readonly<Record<string, readonly string[] | null>>;
  /** Upper bounds of a histogram, in the unit of its name. */
  readonly buckets?: readonly number[];
  /** `keeper`: of the process that is asked. `database`: whichever keeper is asked, says the same. */
  readonly of: 'keeper' | 'database';
}

type MetricOf<D extends MetricDefinition> = D['type'] extends 'gauge'
  ? Gauge
  : D['type'] extends 'counter'
    ? Counter
    : Histogram;
export type MetricSet<D extends Record<string, MetricDefinition>> = { readonly [K in keyof D]: MetricOf<D[K]> };

/**
 * Registers the metrics of a table, each at zero for every value of its labels that is known: an alert on a series that
 * does not exist yet never fires, and a counter that begins with 1 shows no increase.
 */
export function registerMetrics<D extends Record<string, MetricDefinition>>(
  registry: Registry,
  definitions: D,
): MetricSet<D> {
  const entries = Object.entries(definitions).map(([key, definition]) => [key, register(registry, definition)]);
  return Object.fromEntries(entries);
}

function register(registry: Registry, definition: MetricDefinition): Gauge | Counter | Histogram {
  const { name, help, labels = {}, buckets } = definition;
  const common = { name, help, labelNames: Object.keys(labels), registers: [registry] };
  const known = combinations(labels);
  switch (definition.type) {
    case 'gauge': {
      const gauge = new Gauge(common);
      for (const values of known) gauge.set(values, 0);
      return gauge;
    }
    case 'counter': {
      const counter = new Counter(common);
      for (const values of known) counter.inc(values, 0);
      return counter;
    }
    case 'histogram': {
      const histogram = new Histogram({ ...common, ...(buckets === undefined ? {} : { buckets: [...buckets] }) });
      for (const values of known) histogram.zero(values);
      return histogram;
    }
  }
}

/** Every combination of the labels' known values; none where a label has values that nobody knows yet. */
function combinations(labels: NonNullable<MetricDefinition['labels']>): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (sets, [label, values]) => sets.flatMap((set) => (values ?? []).map((value) => ({ ...set, [label]: value }))),
    [{}],
  );
}

/** Sets what is read from the database to NaN, where it cannot be read: an old figure would look like a fresh one. */
export function forgetDatabase<D extends Record<string, MetricDefinition>>(set: MetricSet<D>, definitions: D): void {
  for (const [key, definition] of Object.entries(definitions)) {
    const metric: unknown = set[key];
    if (definition.of !== 'database' || !(metric instanceof Gauge)) continue;
    for (const values of combinations(definition.labels ?? {})) metric.set(values, Number.NaN);
  }
}
