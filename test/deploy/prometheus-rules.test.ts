import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { alertRules, runbookOf } from '../../plans/sessions/keeper/alert-rules.ts';
import { renderPrometheusRules } from '../../plans/sessions/keeper/prometheus-rules.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { prometheusPath, promtool } from '../support/promtool.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

const rulesFile = join(packageRoot(), 'deploy/prometheus/tandem.rules.yml');
const directory = mkdtempSync(join(tmpdir(), 'tandem-rules-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A test of promtool; JSON is YAML. Summaries are filled in by Prometheus, and not compared. */
function promtoolTest({ name, at, series, fires }: AlertCase) {
  const rule = alertRules.find((known) => known.name === name);
  return {
    interval: intervalOf(at),
    input_series: Object.entries(series).map(([text, values]) => ({ series: text, values })),
    promql_expr_test: [
      {
        expr: `count by (job, alertname, severity${Object.keys(fires ?? {})
          .map((l) => `, ${l}`)
          .join('')}) (ALERTS{alertname="${name}", alertstate="firing"})`,
        eval_time: at,
        exp_samples:
          fires === null
            ? []
            : [
                {
                  labels: labelsText({ alertname: name, job: 'app', severity: rule?.severity ?? '', ...fires }),
                  value: 1,
                },
              ],
      },
    ],
  };
}

const intervalOf = (at: string) => (/^\d{2,}h$/.test(at) ? '10m' : '1m');

function labelsText(labels: Record<string, string>): string {
  const set = Object.entries(labels).filter(([, value]) => value !== '');
  return `{${set.map(([label, value]) => `${label}="${value}"`).join(', ')}}`;
}

test('the rules file is what the code says; if not: npm run generate', () => {
  expect(readFileSync(rulesFile, 'utf8')).toBe(renderPrometheusRules());
});

test('each alert has a case in which it fires and one in which it is silent', () => {
  for (const fires of [true, false]) {
    const covered = new Set(alertCases.filter((c) => (c.fires !== null) === fires).map((c) => c.name));
    expect([...covered].sort()).toEqual(alertRules.map((rule) => rule.name).sort());
  }
});

test('each alert has an entry in the runbook, by the anchor of its address', () => {
  const runbook = readFileSync(join(packageRoot(), 'docs/runbook.md'), 'utf8');
  const headings = [...runbook.matchAll(/^#+ (Tandem\w+)$/gm)].map(([, name = '']) => name);
  expect(headings.sort()).toEqual(alertRules.map((rule) => rule.name).sort());
  for (const { name } of alertRules) {
    expect(runbookOf(name)).toBe(`docs/runbook.md#${name.toLowerCase()}`);
    const entry = runbook.split(`# ${name}\n`)[1]?.split('\n#')[0] ?? '';
    for (const part of ['**Means**', '**Look at**', '**Do**']) expect(entry).toContain(part);
  }
});

test.skipIf(prometheusPath === null)(
  'Prometheus takes the rules, and they fire and are silent as they should',
  async () => {
    expect(await promtool(['check', 'rules', rulesFile])).toMatchObject({ code: 0 });
    // The evaluation's interval is one of a whole file.
    for (const interval of ['1m', '10m']) {
      const cases = alertCases.filter(({ at }) => intervalOf(at) === interval);
      const file = join(directory, `${interval}.json`);
      const content = { rule_files: [rulesFile], evaluation_interval: interval, tests: cases.map(promtoolTest) };
      writeFileSync(file, JSON.stringify(content));
      const { code, output } = await promtool(['test', 'rules', file]);
      expect(output).toContain('SUCCESS');
      expect(code).toBe(0);
    }
  },
);
