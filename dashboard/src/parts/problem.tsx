import type { Problem } from '../api.ts';
import { Prose } from './prose.tsx';

export function ProblemNote({ problem }: { problem: Problem | null }) {
  if (problem === null) return null;
  return (
    <div role="alert" class="problem">
      <p>
        <Prose text={`${problem.message} ${problem.hint ?? ''}`} />
      </p>
      {problem.detail && problem.detail !== problem.message && <pre>{problem.detail}</pre>}
    </div>
  );
}

/** For pages about what comes after the cutover. */
export function NotYet({ what }: { what: string }) {
  return (
    <p class="quiet">
      {what} <a href="/migration">The migration page</a> shows how far it is.
    </p>
  );
}
