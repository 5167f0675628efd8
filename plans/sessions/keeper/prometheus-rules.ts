import { alertRules, runbookOf } from './alert-rules.ts';

/** The rules file for Prometheus. What is quoted as JSON is YAML as well. */
export function renderPrometheusRules(): string {
  const rules = alertRules.flatMap(({ name, severity, holds, expr, summary }) => [
    `      - alert: ${name}`,
    `        expr: ${JSON.stringify(expr)}`,
    `        for: ${holds}s`,
    `        labels: { severity: ${severity} }`,
    '        annotations:',
    `          summary: ${JSON.stringify(summary)}`,
    `          runbook_url: ${runbookOf(name)}`,
  ]);
  return [
    '# Written by `npm run generate` from the alerts that the keeper itself knows. One job for each database that is kept:',
    '# what several keepers of one database say is taken together by job.',
    'groups:',
    '  - name: tandem',
    '    rules:',
    ...rules,
    '',
  ].join('\n');
}
