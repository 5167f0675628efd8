/** Where a long piece of work stands. Whoever shows it derives rate and time left with `rateOf`. */
export interface Progress {
  /** What is being worked on, as a person would name it: `public.sessions`, `sessions_backup.csv`. */
  readonly subject: string;
  readonly done: number;
  /** An estimate where the total is not known for certain. */
  readonly total: number;
  readonly unit: 'rows' | 'bytes' | 'statements';
  /** Milliseconds since this piece of work began. */
  readonly elapsedMs: number;
}

export type OnProgress = (progress: Progress) => void;

/** Units per second, and seconds left; null while there is nothing to extrapolate from. */
export function rateOf(progress: Progress): { perSecond: number; secondsLeft: number | null } {
  const perSecond = progress.elapsedMs > 0 ? (progress.done * 1000) / progress.elapsedMs : 0;
  const left = Math.max(0, progress.total - progress.done);
  return { perSecond, secondsLeft: perSecond > 0 ? left / perSecond : null };
}
