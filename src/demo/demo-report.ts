import type { ClientsReport } from './clients.ts';
import type { LedgerComparison } from './compare-ledger.ts';

/** What the injected migration says about itself. */
export interface MigrationResult {
  /** For how long the cutover held its locks. */
  readonly cutoverLockMs: number;
  readonly rows: number;
  readonly elapsedMs: number;
  /** Wall-clock ms since the epoch at which the cutover committed; absent or 0 where that is not known. */
  readonly cutoverAt?: number;
}

export interface VerificationResult {
  readonly ok: boolean;
  /** Rows that differ between old and new tables. */
  readonly differences: number;
}

/** Everything that a demo found out; plain data, and so its own JSON form. Durations are in ms. */
export interface DemoReport {
  /** Nothing lost, nothing refused, nothing different. */
  readonly ok: boolean;
  readonly serverVersion: number;
  readonly seed: number;
  readonly sessions: number;
  readonly messages: number;
  readonly clients: number;
  readonly loadMs: number;
  readonly totalMs: number;
  readonly migration: {
    readonly rows: number;
    readonly elapsedMs: number;
    readonly rowsPerSecond: number;
    readonly cutoverLockMs: number;
    /** On the same clock as the times in `traffic`; null where the migration does not tell. */
    readonly cutoverAtMs: number | null;
  };
  readonly traffic: ClientsReport;
  readonly verification: VerificationResult;
  readonly ledger: LedgerComparison;
}

/** True where every way in which a demo can fail did not happen. Where nothing was tried, nothing was shown. */
export function isFlawless({ traffic, verification, ledger }: Omit<DemoReport, 'ok'>): boolean {
  return (
    traffic.statements > 0 &&
    ledger.checkedSessions > 0 &&
    verification.ok &&
    verification.differences === 0 &&
    ledger.differences.length === 0 &&
    traffic.contradictions === 0 &&
    Object.keys(traffic.errors).length === 0
  );
}
