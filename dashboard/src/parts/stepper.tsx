import type { GuideStepView } from '../../../src/server/migration-view.ts';
import { duration } from '../format.ts';

const WORDS: Readonly<Record<string, string>> = {
  pending: 'to come',
  running: 'under way',
  done: 'done',
  failed: 'failed',
  reverted: 'taken back',
};

export function Stepper({ steps }: { steps: readonly GuideStepView[] }) {
  return (
    <ol class="stepper">
      {steps.map(({ number, title, state, steps: own }) => (
        <li key={number} class={state} aria-current={state === 'running' ? 'step' : undefined}>
          <div class="step">
            <span class="number" aria-hidden="true">
              {state === 'done' ? '✓' : number}
            </span>
            <span class="title">{title}</span>
            <span class="state">{WORDS[state]}</span>
          </div>
          <ul class="substeps">
            {own.map((step) => (
              <li key={step.title} class={step.state}>
                {step.title}
                {step.state !== 'done' && step.state !== 'pending' && <span> — {WORDS[step.state]}</span>}
                {step.elapsed_ms !== null && step.state === 'done' && (
                  <span class="quiet"> {duration(step.elapsed_ms / 1000)}</span>
                )}
                {step.note && <span class="note">{step.note}</span>}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}
