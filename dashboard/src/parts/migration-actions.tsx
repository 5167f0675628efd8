import { useState } from 'preact/hooks';
import type { MigrationView } from '../../../src/server/migration-view.ts';
import { answered, api } from '../api.ts';
import { Confirm } from './confirm.tsx';
import { Findings } from './findings.tsx';
import { usePlace } from './masthead.tsx';

/** What may be done in this phase. Each is confirmed by typing; the server compares what was typed. */
export function MigrationActions({ view, onDone }: { view: MigrationView; onDone: () => void }) {
  const place = usePlace();
  const { phase, paused, holder } = view.status;
  const working = view.run?.ended_at === null || (holder !== null && holder.command !== 'serve');
  const database = place?.database ?? '';
  const open = !['none', 'rolled_back', 'finished'].includes(phase);
  const beforeCutover = open && phase !== 'baking';
  if (phase === 'finished') return null;
  const common = { onDone, word: database };
  return (
    <fieldset class="actions">
      <legend class="hidden">Actions</legend>
      {(!open || (beforeCutover && !working)) && (
        <Start {...common} resumes={open} backedUp={open && view.status.steps.some(isBackup)} />
      )}
      {beforeCutover && !paused && (
        <Confirm
          label="Pause …"
          title="Pause the run?"
          word="pause"
          onDone={onDone}
          act={(confirm) => answered(api.migration.pause.$post({ json: { confirm } }))}
        >
          <p>It stops before its next batch. The change log goes on, so nothing is missed.</p>
        </Confirm>
      )}
      {beforeCutover && paused && (
        <Confirm
          label="Resume …"
          title="Let the run go on?"
          word="resume"
          onDone={onDone}
          act={(confirm) => answered(api.migration.resume.$post({ json: { confirm } }))}
        />
      )}
      {beforeCutover && <Throttle onDone={onDone} />}
      {beforeCutover && (
        <Confirm
          {...common}
          label="Cut over …"
          title="Swap the names now?"
          act={(confirm) => answered(api.migration.cutover.$post({ json: { confirm } }))}
        >
          <p>
            A run that waits for it goes on. Where none is at work, this server completes the run: what is left of the
            copy, the proof of every row, and the swap.
          </p>
        </Confirm>
      )}
      {open && <RollBack {...common} disabled={working} cutOver={phase === 'baking'} />}
      {phase === 'baking' && (
        <Confirm
          {...common}
          danger
          label="Finish …"
          title="Drop the old tables?"
          disabled={working}
          act={(confirm) => answered(api.migration.finish.$post({ json: { confirm } }))}
        >
          <p>Everything is verified once more first. After it, the way back is a backup.</p>
        </Confirm>
      )}
    </fieldset>
  );
}

const isBackup = ({ name, state }: MigrationView['status']['steps'][number]) => name === 'backup' && state === 'done';

interface RollBackProps {
  readonly word: string;
  readonly onDone: () => void;
  readonly disabled: boolean;
  readonly cutOver: boolean;
}

function RollBack({ cutOver, ...common }: RollBackProps) {
  const [keep, setKeep] = useState(false);
  return (
    <Confirm
      {...common}
      danger
      label="Roll back …"
      title="Go back to the flat tables?"
      act={(confirm) => answered(api.migration.rollback.$post({ json: { confirm, keep: cutOver && keep } }))}
    >
      <p>
        {cutOver
          ? 'The names are swapped back, with every write made since the cutover.'
          : 'What the run has built is dropped. The live tables stay as they are.'}
      </p>
      {cutOver && (
        <label class="choice">
          <input type="checkbox" checked={keep} onChange={({ currentTarget }) => setKeep(currentTarget.checked)} />
          Keep the new tables beside, up to date, to go there again without a copy
        </label>
      )}
    </Confirm>
  );
}

interface StartProps {
  readonly word: string;
  readonly onDone: () => void;
  readonly resumes: boolean;
  readonly backedUp: boolean;
}

function Start({ word, onDone, resumes, backedUp }: StartProps) {
  const into = usePlace()?.backups_into ?? null;
  const [wait, setWait] = useState(true);
  const [auth, setAuth] = useState(false);
  const [backup, setBackup] = useState(false);
  return (
    <Confirm
      label={resumes ? 'Go on …' : 'Begin the migration …'}
      title={resumes ? 'Go on with the migration?' : 'Begin the migration?'}
      word={word}
      onDone={onDone}
      act={(confirm) =>
        answered(api.migration.start.$post({ json: { confirm, waitForCutover: wait, createAuth: auth, backup } }))
      }
    >
      {!resumes && <Findings />}
      <label class="choice">
        <input type="checkbox" checked={wait} onChange={({ currentTarget }) => setWait(currentTarget.checked)} />
        Wait before the cutover until I ask for it
      </label>
      {into !== null && !backedUp && (
        <label class="choice">
          <input type="checkbox" checked={backup} onChange={({ currentTarget }) => setBackup(currentTarget.checked)} />
          <span>
            Back the tables up first, into a new folder in <code>{into}</code>
          </span>
        </label>
      )}
      {!resumes && (
        <label class="choice">
          <input type="checkbox" checked={auth} onChange={({ currentTarget }) => setAuth(currentTarget.checked)} />
          <span>
            Create a stand-in for <code>auth.users</code> where the database has none
          </span>
        </label>
      )}
    </Confirm>
  );
}

const THROTTLES = [
  { key: 'max-active', label: 'Other active sessions, at most', example: '20' },
  { key: 'max-lag', label: 'Lag of a standby, at most', example: '5s' },
  { key: 'max-wal-rate', label: 'WAL written a second, at most', example: '64MB' },
] as const;

function Throttle({ onDone }: { onDone: () => void }) {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  return (
    <Confirm
      label="Throttle …"
      title="Hold the run back while the server is busy"
      word="throttle"
      onDone={onDone}
      act={(confirm) =>
        answered(
          api.migration.throttle.$post({
            json: {
              confirm,
              throttles: Object.entries(values).flatMap(([key, value]) => (value.trim() ? [`${key}=${value}`] : [])),
            },
          }),
        )
      }
    >
      <p>What is left empty stays as it is; “off” stops watching it.</p>
      {THROTTLES.map(({ key, label, example }) => (
        <div class="field" key={key}>
          <label for={`throttle-${key}`}>{label}</label>
          <input
            id={`throttle-${key}`}
            placeholder={example}
            value={values[key] ?? ''}
            onInput={({ currentTarget }) => setValues({ ...values, [key]: currentTarget.value })}
          />
        </div>
      ))}
    </Confirm>
  );
}
