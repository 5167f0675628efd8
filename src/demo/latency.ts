import { createHistogram } from './histogram.ts';
import { createTimeline, type TimelineSlots } from './timeline.ts';

/** Where the migration stands, as far as the clients' latencies are concerned. */
export const phases = ['before', 'during', 'after'] as const;
export type Phase = (typeof phases)[number];

/** Durations in ms. */
export interface PhaseLatency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Statements per second while the phase lasted. */
  readonly perSecond: number;
  /** When the phase began, in ms since the start of the run; null if it never did. */
  readonly fromMs: number | null;
}

export interface Stall {
  readonly ms: number;
  readonly phase: Phase;
  /** The name of the statement that waited. */
  readonly statement: string;
  /** When it began to wait, in ms since the start of the run. */
  readonly atMs: number;
}

export interface LatencyReport {
  readonly statements: number;
  readonly latency: Readonly<Record<Phase, PhaseLatency>>;
  readonly longestStall: Stall | null;
  readonly timeline: TimelineSlots;
}

export interface LatencyRecorder {
  setPhase(phase: Phase): void;
  /** Begins a statement; the function returned ends it. It counts for the phase in which it began. */
  begin(statement: string): () => void;
  report(): LatencyReport;
}

/** Collects what clients wait for. Memory does not grow with the number of statements. */
export function createLatencyRecorder(now: () => number = () => performance.now()): LatencyRecorder {
  const origin = now();
  const histograms = { before: createHistogram(), during: createHistogram(), after: createHistogram() };
  const lasted = { before: 0, during: 0, after: 0 };
  const began: Record<Phase, number | null> = { before: 0, during: null, after: null };
  const timeline = createTimeline();
  let phase: Phase = 'before';
  let phaseSince = 0;
  let longestStall: Stall | null = null;

  function setPhase(next: Phase): void {
    const at = now() - origin;
    lasted[phase] += at - phaseSince;
    began[next] ??= at;
    phase = next;
    phaseSince = at;
  }

  function phaseLatency(name: Phase): PhaseLatency {
    const histogram = histograms[name];
    return {
      count: histogram.count,
      p50: histogram.percentile(0.5),
      p99: histogram.percentile(0.99),
      max: histogram.max,
      perSecond: lasted[name] > 0 ? (histogram.count * 1000) / lasted[name] : 0,
      fromMs: began[name],
    };
  }

  return {
    setPhase,
    begin(statement) {
      const startedIn = phase;
      const atMs = now() - origin;
      return () => {
        const endMs = now() - origin;
        const ms = endMs - atMs;
        histograms[startedIn].record(ms);
        timeline.record(atMs, endMs);
        if (ms > (longestStall?.ms ?? 0)) longestStall = { ms, phase: startedIn, statement, atMs };
      };
    },
    report() {
      setPhase(phase);
      const latency = { before: phaseLatency('before'), during: phaseLatency('during'), after: phaseLatency('after') };
      const statements = phases.reduce((sum, name) => sum + latency[name].count, 0);
      return { statements, latency, longestStall, timeline: timeline.read() };
    },
  };
}
