import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { alertRules } from '../../plans/sessions/keeper/alert-rules.ts';
import { renderGrafanaDashboard } from '../../plans/sessions/keeper/grafana-dashboard.ts';
import { metricDefinitions } from '../../src/cli/metrics-reference.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { prometheusPath, promtool } from '../support/promtool.ts';

const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('$datasource') });
/** Grafana's units, of those that there are: an unknown one is shown behind the number as it is written. */
const unit = z.enum(['none', 's', 'bytes', 'dateTimeAsIso']);
/** What Grafana's own schema and linter ask for, beyond what its types say. */
const dashboard = z.strictObject({
  title: z.string().min(1),
  uid: z.string().regex(/^[\w-]{1,40}$/),
  tags: z.array(z.string()),
  // Of Grafana 11; newer ones take it further by themselves.
  schemaVersion: z.literal(39),
  editable: z.boolean(),
  refresh: z.string().regex(/^\d+[smh]$/),
  time: z.strictObject({ from: z.string().startsWith('now-'), to: z.literal('now') }),
  templating: z.strictObject({
    list: z.tuple([
      z.strictObject({
        name: z.literal('datasource'),
        type: z.literal('datasource'),
        query: z.literal('prometheus'),
        label: z.literal('Data source'),
      }),
      z.strictObject({
        name: z.literal('job'),
        type: z.literal('query'),
        label: z.string(),
        datasource,
        query: z.strictObject({ query: z.string().regex(/^label_values\(tandem_\w+, job\)$/), refId: z.string() }),
        // When the range of time changes, too.
        refresh: z.literal(2),
      }),
    ]),
  }),
  annotations: z.strictObject({
    list: z.array(
      z.strictObject({
        name: z.string(),
        enable: z.boolean(),
        iconColor: z.string(),
        datasource,
        expr: z.string(),
        target: z.strictObject({ refId: z.string(), expr: z.string() }),
        titleFormat: z.string(),
      }),
    ),
  }),
  panels: z.array(
    z
      .object({
        id: z.int().positive(),
        title: z.string().min(1),
        gridPos: z
          .strictObject({ x: z.int().min(0).max(23), y: z.int().min(0), w: z.int().min(1), h: z.int().min(1) })
          .refine(({ x, w }) => x + w <= 24),
      })
      .and(
        z.discriminatedUnion('type', [
          z.looseObject({ type: z.literal('row'), collapsed: z.literal(false), panels: z.tuple([]) }),
          z.looseObject({
            type: z.enum(['timeseries', 'stat']),
            datasource,
            fieldConfig: z.strictObject({
              defaults: z.strictObject({ unit, min: z.literal(0).optional() }),
              overrides: z.tuple([]),
            }),
            targets: z
              .array(
                z.strictObject({
                  refId: z.string().regex(/^[A-Z]$/),
                  datasource,
                  // Of one database, and of a rate as wide as what is shown asks for.
                  expr: z.string().regex(/\{job="\$job"\}/),
                  legendFormat: z.string().min(1),
                }),
              )
              .min(1)
              .refine((targets) => new Set(targets.map(({ refId }) => refId)).size === targets.length),
          }),
        ]),
      ),
  ),
});
const text = readFileSync(join(packageRoot(), 'deploy/grafana/tandem.json'), 'utf8');
const { panels, annotations, templating } = dashboard.parse(JSON.parse(text));
const targets = panels.flatMap((panel) => (panel.type === 'row' ? [] : panel.targets));
const expressions = [
  ...targets.map(({ expr }) => expr),
  ...annotations.list.flatMap(({ expr, target }) => [expr, target.expr]),
];

const documented = new Set(
  metricDefinitions.flatMap(({ name, type }) =>
    type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
  ),
);
const seriesOf = (texts: readonly string[]) => new Set(texts.flatMap((expr) => expr.match(/\btandem_\w+/g) ?? []));

test('the dashboard is what the code says; if not: npm run generate', () => {
  expect(text).toBe(renderGrafanaDashboard());
});

test('dashboard and alert rules use documented series only, and the labels that they have', () => {
  const job = templating.list[1].query.query;
  const used = seriesOf([...expressions, job, ...alertRules.map(({ expr }) => expr)]);
  expect([...used].filter((name) => !documented.has(name))).toEqual([]);
  // The names of the documents, as they are written there, and not only in the code.
  const text = readFileSync(join(packageRoot(), 'docs/metrics.md'), 'utf8');
  expect([...used].filter((name) => !text.includes(`\`${name.replace(/_(bucket|sum|count)$/, '')}`))).toEqual([]);
  for (const { expr, legendFormat } of targets) {
    const names = [...seriesOf([expr])].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    const labels = new Set(
      metricDefinitions
        .filter(({ name }) => names.includes(name))
        .flatMap((metric) => Object.keys(metric.labels ?? {})),
    );
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    expect([expr, shown.filter((label) => !labels.has(label ?? ''))]).toEqual([expr, []]);
  }
  expect(used.size).toBeGreaterThan(30);
});

test('every documented series is shown, or watched', () => {
  const used = seriesOf([...expressions, ...alertRules.map(({ expr }) => expr)]);
  const unused = metricDefinitions.filter(({ name }) => ![...used].some((u) => u === name || u.startsWith(`${name}_`)));
  // What Prometheus says itself by `up`, and when a task was last done, which its runs tell.
  expect(unused.map(({ name }) => name)).toEqual(['tandem_up', 'tandem_task_last_success_timestamp_seconds']);
});

test('no two panels lie on each other', () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
});

test.skipIf(prometheusPath === null)('Prometheus understands every expression', async () => {
  const rules = expressions.map((expr, i) => ({
    record: `panel:${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'app'),
  }));
  const directory = await mkdtemp(join(tmpdir(), 'tandem-panels-'));
  const file = join(directory, 'panels.json');
  await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
  const { code, output } = await promtool(['check', 'rules', file]);
  await rm(directory, { recursive: true });
  expect(output).toContain(`${rules.length} rules found`);
  expect(code).toBe(0);
});
