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

const dashboard = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
});
const text = readFileSync(join(packageRoot(), 'deploy/grafana/tandem.json'), 'utf8');
const { panels } = dashboard.parse(JSON.parse(text));
const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const documented = new Set(
  metricDefinitions.flatMap(({ name, type }) =>
    type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
  ),
);
const seriesOf = (texts: readonly string[]) => new Set(texts.flatMap((expr) => expr.match(/\btandem_\w+/g) ?? []));

test('the dashboard is what the code says; if not: npm run generate', () => {
  expect(text).toBe(renderGrafanaDashboard());
});

test('dashboard and alert rules use documented series only', () => {
  const used = seriesOf([...expressions, ...alertRules.map(({ expr }) => expr)]);
  expect([...used].filter((name) => !documented.has(name))).toEqual([]);
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
