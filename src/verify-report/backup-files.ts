import { resolve } from 'node:path';
import { readManifest } from '../backup/manifest.ts';
import { verifyBackup } from '../backup/verify-backup.ts';
import { TandemError } from '../engine/errors.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { makeSection, VERDICT } from './section.ts';

const HEAD = {
  key: 'backup',
  title: 'Backup',
  guide: 'Security',
  columns: [
    { key: 'file', title: 'File', kind: 'code' },
    { key: 'rows', title: 'Rows', kind: 'count' },
    { key: 'bytes', title: 'Size', kind: 'bytes' },
    { key: 'sha256', title: 'sha256', kind: 'code' },
    VERDICT,
  ],
} as const;

/** Reads every file of the backup to its end, and names each that is not what the manifest vouches for. */
export function backupFiles(directory: string | null, signal: AbortSignal): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    if (directory === null) {
      const finding: Finding = {
        severity: 'note',
        subject: 'backup',
        message: 'was not looked at: no folder was named',
        hint: '`tandem verify --backup-dir DIR` reads it; `tandem restore-drill DIR` tries it.',
      };
      return { rows: [], findings: [finding] };
    }
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    await orFinding(findings, async () => {
      const manifest = await readManifest(resolve(directory));
      for (const table of manifest.tables) {
        const whole = await orFinding(findings, () => verifyBackup(directory, { tables: [table], signal }));
        const { file, rows: count, bytes, sha256 } = table;
        rows.push({ file, rows: count, bytes, sha256, verdict: whole ? 'ok' : 'blocks' });
      }
    });
    return { rows, findings };
  });
}

/** True where the backup is what it says; TD041 is a finding, and whatever else is thrown passes. */
async function orFinding(findings: Finding[], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== 'TD041') throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    findings.push({ severity: 'blocks', subject: 'backup', message: error.message, ...hint });
    return false;
  }
}
