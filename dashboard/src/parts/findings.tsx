import { answered, api } from '../api.ts';
import { useData } from '../use-data.ts';
import { ProblemNote } from './problem.tsx';

const WORDS = { blocks: 'stands in the way', warning: 'worth knowing', note: 'note' } as const;

/** What is found before a run begins, so that whoever begins it knows. */
export function Findings() {
  const { value, problem } = useData(() => answered(api.migration.findings.$get()), []);
  if (problem) return <ProblemNote problem={problem} />;
  if (!value) return <p class="quiet">Looking at the tables …</p>;
  if (value.findings.length === 0) return <p>Nothing stands in the way.</p>;
  return (
    <ul class="findings">
      {value.findings.map(({ severity, subject, message, hint }) => (
        <li key={`${subject} ${message}`} class={severity}>
          <strong>{WORDS[severity]}</strong> {subject}: {message}
          {hint && <span class="quiet"> {hint}</span>}
        </li>
      ))}
    </ul>
  );
}
