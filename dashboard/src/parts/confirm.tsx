import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { type Problem, problemIn } from '../api.ts';
import { usePlace } from './masthead.tsx';
import { ProblemNote } from './problem.tsx';

interface ConfirmProps {
  /** On the button that opens it. */
  readonly label: string;
  readonly title: string;
  /** To be typed; null where filling in what is asked for is enough. */
  readonly word: string | null;
  readonly children?: ComponentChildren;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  /** Resolves once it is done. What was typed is what the server compares. */
  readonly act: (typed: string) => Promise<unknown>;
  readonly onDone?: () => void;
}

/** A button whose question is answered by typing a name. The dialog is the browser's own: focus stays in it, Escape ends it. */
export function Confirm({ label, title, word, children, danger, disabled, act, onDone }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const [working, setWorking] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const id = useId();
  const readOnly = usePlace()?.read_only ?? true;
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  // What was done may take its own button away: whoever works by keyboard is not to begin at the top of all. Before it
  // is taken away, while it is still known where the focus was.
  useLayoutEffect(() => {
    const button = opener.current;
    return () => {
      // Closed, it gives the focus back to the button; open, it would keep it from everything else.
      dialog.current?.close();
      if (button !== null && document.activeElement === button) document.getElementById('content')?.focus();
    };
  }, []);
  const close = () => {
    dialog.current?.close();
    setOpen(false);
    setTyped('');
    setProblem(null);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    setWorking(true);
    setProblem(null);
    try {
      await act(typed);
      close();
      onDone?.();
    } catch (error) {
      setProblem(problemIn(error));
    } finally {
      setWorking(false);
    }
  };
  return (
    <>
      <button
        ref={opener}
        type="button"
        class={danger ? 'danger' : ''}
        disabled={disabled || readOnly}
        onClick={() => setOpen(true)}
      >
        {label}
      </button>
      {open && (
        <dialog ref={dialog} aria-labelledby={`${id}-title`} onClose={close}>
          <form onSubmit={submit}>
            <h2 id={`${id}-title`}>{title}</h2>
            {children}
            {word !== null && (
              <>
                <label for={`${id}-word`}>
                  Type <strong class="word">{word}</strong> to confirm
                </label>
                <input
                  id={`${id}-word`}
                  value={typed}
                  onInput={({ currentTarget }) => setTyped(currentTarget.value)}
                  autocomplete="off"
                  autocapitalize="off"
                  spellcheck={false}
                  required
                />
              </>
            )}
            <ProblemNote problem={problem} />
            <div class="actions">
              <button type="submit" class={danger ? 'danger' : 'primary'} disabled={working}>
                {working ? 'Working …' : label.replace(/ …$/, '')}
              </button>
              <button type="button" onClick={close}>
                Cancel
              </button>
            </div>
          </form>
        </dialog>
      )}
    </>
  );
}
