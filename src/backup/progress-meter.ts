import type { OnProgress, Progress } from '../engine/progress.ts';

const REPORT_EVERY_MS = 100;

/** Reports at most ten times a second, and always at the end, where total and done are equal. */
export interface ProgressMeter {
  advance(done: number): void;
  finish(done: number): void;
}

/** A meter for one subject. A total that proves too small is raised to what is done, so that none passes 100 %. */
export function progressMeter(
  onProgress: OnProgress | undefined,
  what: Pick<Progress, 'subject' | 'unit' | 'total'>,
): ProgressMeter {
  const began = performance.now();
  let reported = began;
  const report = (done: number, total: number) => {
    reported = performance.now();
    onProgress?.({ ...what, done, total, elapsedMs: reported - began });
  };
  return {
    advance(done) {
      if (performance.now() - reported >= REPORT_EVERY_MS) report(done, Math.max(what.total, done));
    },
    finish(done) {
      report(done, done);
    },
  };
}
