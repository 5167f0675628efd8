import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderGrafanaDashboard } from '../../plans/sessions/keeper/grafana-dashboard.ts';
import { renderPrometheusRules } from '../../plans/sessions/keeper/prometheus-rules.ts';
import { packageRoot } from '../db/sql-file.ts';
import { withMetrics } from './metrics-reference.ts';
import { withReference } from './reference.ts';

// `npm run generate`: writes anew what the documents say of the code after it has changed.
const documents = { 'docs/cli.md': withReference, 'docs/metrics.md': withMetrics };
for (const [name, write] of Object.entries(documents)) {
  const path = join(packageRoot(), name);
  writeFileSync(path, write(readFileSync(path, 'utf8')));
}

writeFileSync(join(packageRoot(), 'deploy/prometheus/tandem.rules.yml'), renderPrometheusRules());
writeFileSync(join(packageRoot(), 'deploy/grafana/tandem.json'), renderGrafanaDashboard());
