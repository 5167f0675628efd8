import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { bytes } from '../format.ts';
import { Scroll } from './scroll.tsx';

export interface Line {
  readonly label: string;
  /** Of the palette in page.css: 1 to 4. */
  readonly colour: 1 | 2 | 3 | 4;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  /** What it shows, in a sentence: for those who do not see it, too. */
  readonly caption: string;
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Seconds since the epoch unless the x axis is something else. */
  readonly time?: boolean;
  readonly height?: number;
}

/** Lines over time. A canvas says nothing to a screen reader: the same figures stand below it as a table. */
export function Chart({ caption, times, lines, format, time = true, height = 220 }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  // The colours are read from the page, which the theme changes.
  useEffect(() => {
    const element = box.current;
    if (element === null || times.length === 0) return;
    let unmount: (() => void) | null = null;
    let gone = false;
    // Half of the program, and of no use to pages without a chart.
    void import('uplot').then(({ default: Plot }) => {
      if (!gone) unmount = draw(Plot, element, { times, lines, format, time, height });
    });
    return () => {
      gone = true;
      unmount?.();
    };
  }, [times, lines, theme, height, time]);
  return (
    <figure class="chart">
      <figcaption>{caption}</figcaption>
      {times.length === 0 ? <p class="quiet">There are no figures yet.</p> : <div ref={box} aria-hidden="true" />}
      {times.length > 0 && (
        <details>
          <summary>The figures as a table</summary>
          <FiguresTable caption={caption} times={times} lines={lines} format={format} time={time} />
        </details>
      )}
    </figure>
  );
}

/** Between round sizes, for who counts in 1,024. */
const BINARY = Array.from({ length: 50 }, (_, i) => 2 ** i);

/** How times stand below a chart, by the seconds between them: as elsewhere on the pages, the day where it begins. */
const TIMES: uPlot.Axis.DynamicValues | (string | number | null)[][] = [
  [28 * 86_400, '{MMM} {YYYY}', null, null, null, null, null, null, 1],
  [86_400, '{MMM} {D}', null, null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{MMM} {D}', null, '\n{MMM} {D}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{MMM} {D}', null, '\n{MMM} {D}', null, null, null, 1],
];

function draw(
  Plot: typeof uPlot,
  element: HTMLElement,
  { times, lines, format, time, height }: Required<Omit<ChartProps, 'caption'>>,
): () => void {
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { font, stroke: resolved(element, '--quiet'), grid: { stroke: resolved(element, '--line'), width: 1 } };
  const chart = new Plot(
    {
      width: element.clientWidth,
      height,
      scales: { x: { time } },
      legend: { show: lines.length > 1 },
      cursor: { drag: { x: false, y: false } },
      series: [
        { value: '{MMM} {D}, {HH}:{mm}' },
        ...lines.map((line) => ({
          label: line.label,
          stroke: resolved(element, `--series-${line.colour}`),
          width: 2,
          points: { show: times.length < 40 },
          value: (_: uPlot, value: number | null) => (value === null ? '–' : format(value)),
        })),
      ],
      axes: [
        time ? { ...axis, values: TIMES } : axis,
        { ...axis, size: 72, values: (_, ticks) => ticks.map(format), ...(format === bytes && { incrs: BINARY }) },
      ],
    },
    [[...times], ...lines.map((line) => [...line.values])],
    element,
  );
  const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
  observer.observe(element);
  return () => {
    observer.disconnect();
    chart.destroy();
  };
}

const SHOWN = 60;

function FiguresTable({ caption, times, lines, format, time }: Omit<ChartProps, 'height'>) {
  const step = Math.max(1, Math.ceil(times.length / SHOWN));
  const rows = times.map((at, i) => ({ at, i })).filter(({ i }) => i % step === 0 || i === times.length - 1);
  return (
    <Scroll label={caption}>
      <table>
        <thead>
          <tr>
            <th scope="col">{time ? 'Time' : 'At'}</th>
            {lines.map((line) => (
              <th scope="col" class="number" key={line.label}>
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, i }) => (
            <tr key={at}>
              <th scope="row">{time ? new Date(at * 1000).toLocaleString('en') : at}</th>
              {lines.map((line) => {
                const value = line.values[i] ?? null;
                return (
                  <td class="number" key={line.label}>
                    {value === null ? '–' : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** A colour as the page shows it now: `light-dark()` in a property is settled only where the property is used. */
function resolved(element: HTMLElement, property: string): string {
  const before = element.style.color;
  element.style.color = `var(${property})`;
  const colour = getComputedStyle(element).color;
  element.style.color = before;
  return colour;
}

function useTheme(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const change = () => setTurn((n) => n + 1);
    system.addEventListener('change', change);
    addEventListener('themechange', change);
    return () => {
      system.removeEventListener('change', change);
      removeEventListener('themechange', change);
    };
  }, []);
  return turn;
}

/** Points of several labels as lines over the same times. */
export function linesOf(
  points: readonly { readonly label: string; readonly at: string; readonly value: number }[],
  order: readonly string[],
): { times: number[]; lines: Line[] } {
  const times = [...new Set(points.map(({ at }) => Date.parse(at) / 1000))].sort((a, b) => a - b);
  const place = new Map(times.map((at, i) => [at, i]));
  const labels = order.filter((label) => points.some((point) => point.label === label));
  const lines = labels.map((label, i): Line => {
    const values: (number | null)[] = times.map(() => null);
    for (const point of points) {
      const at = place.get(Date.parse(point.at) / 1000);
      if (point.label === label && at !== undefined) values[at] = point.value;
    }
    const colour = ([1, 2, 3, 4] as const)[i % 4] ?? 1;
    return { label, colour, values };
  });
  return { times, lines };
}
