import { describe, expect, test } from 'vitest';
import { createLatencyRecorder } from '../../src/demo/latency.ts';
import { createTimeline, mergeSlots } from '../../src/demo/timeline.ts';

function recorderAt(origin: number) {
  const clock = { now: origin };
  const latency = createLatencyRecorder(() => clock.now);
  const wait = (statement: string, ms: number) => {
    const end = latency.begin(statement);
    clock.now += ms;
    end();
  };
  return { clock, latency, wait };
}

describe('latencies', () => {
  test('count for the phase in which they began, at the rate of that phase', () => {
    const { clock, latency, wait } = recorderAt(5_000);
    for (let i = 0; i < 10; i++) wait('touch', 100);
    latency.setPhase('during');
    const end = latency.begin('append');
    clock.now += 400;
    latency.setPhase('after');
    clock.now += 100;
    end();
    const { latency: phases, statements } = latency.report();
    expect(statements).toBe(11);
    expect(latency.report().longestStall).toMatchObject({ statement: 'append', phase: 'during' });
    expect(phases.before).toMatchObject({ count: 10, perSecond: 10, fromMs: 0, max: 100 });
    expect(phases.during).toMatchObject({ count: 1, perSecond: 2.5, fromMs: 1_000, max: 500 });
    expect(phases.after).toMatchObject({ count: 0, perSecond: 0, fromMs: 1_400, max: 0 });
    expect(phases.before.p50).toBeCloseTo(100, -1);
  });

  test('a phase that never began has no beginning', () => {
    const { latency } = recorderAt(0);
    expect(latency.report().latency.during.fromMs).toBeNull();
    expect(latency.report().longestStall).toBeNull();
  });

  test('the longest is told with its statement, phase and time', () => {
    const { latency, wait } = recorderAt(70);
    wait('touch', 5);
    latency.setPhase('during');
    wait('append', 900);
    latency.setPhase('after');
    wait('touch', 6);
    expect(latency.report().longestStall).toEqual({ ms: 900, phase: 'during', statement: 'append', atMs: 5 });
  });

  test('a report while the run goes on takes nothing from the next', () => {
    const { latency, wait } = recorderAt(0);
    wait('touch', 500);
    latency.report();
    wait('touch', 500);
    expect(latency.report().latency.before).toMatchObject({ count: 2, perSecond: 2 });
  });
});

describe('the timeline', () => {
  test('shows the longest wait of each tenth of a second, in every tenth that it touches', () => {
    const timeline = createTimeline();
    timeline.record(10, 20);
    timeline.record(40, 42);
    timeline.record(350, 560);
    expect(timeline.read()).toEqual({ slotMs: 100, maxMs: [10, 0, 0, 210, 210, 210] });
  });

  test('keeps its size however long the run is, and loses no peak', () => {
    const timeline = createTimeline();
    for (let second = 0; second < 3_600; second++)
      timeline.record(second * 1000, second * 1000 + (second === 17 ? 700 : 3));
    const { slotMs, maxMs } = timeline.read();
    expect(maxMs.length).toBeLessThanOrEqual(1_200);
    expect(slotMs * maxMs.length).toBeGreaterThanOrEqual(3_599_000);
    expect(maxMs[Math.floor(17_000 / slotMs)]).toBe(700);
    expect(Math.max(...maxMs.slice(Math.ceil(17_700 / slotMs)))).toBe(3);
  });

  test('merges neighbours by their longest', () => {
    expect(mergeSlots([1, 5, 2, 0, 7], 2)).toEqual([5, 2, 7]);
    expect(mergeSlots([], 3)).toEqual([]);
  });
});
