import { useId } from 'preact/hooks';

export const spans = [
  { hours: 1, label: 'hour' },
  { hours: 24, label: 'day' },
  { hours: 168, label: 'week' },
  { hours: 720, label: '30 days' },
] as const;

/** How far back a chart goes. */
export function SpanChoice({ hours, onChange }: { hours: number; onChange: (hours: number) => void }) {
  const id = useId();
  return (
    <div class="field inline">
      <label for={id}>The last</label>
      <select id={id} value={hours} onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}>
        {spans.map((span) => (
          <option key={span.hours} value={span.hours}>
            {span.label}
          </option>
        ))}
      </select>
    </div>
  );
}
