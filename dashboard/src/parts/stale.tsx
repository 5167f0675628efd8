import { useEffect, useState } from 'preact/hooks';
import { useLive } from '../live.ts';
import { Prose } from './prose.tsx';

/** A stream that begins, or a page that is looked at again, is without one for a moment. */
const PATIENCE_MS = 3_000;

/** Says that what is shown may be old: nothing else on a page that was read before would. */
export function Stale() {
  const { connection, away } = useLive();
  const [since, setSince] = useState<Date | null>(null);
  const lost = connection === 'lost' || away !== '';
  useEffect(() => {
    setSince(null);
    if (!lost) return;
    const began = new Date();
    const timer = setTimeout(() => setSince(began), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [lost]);
  return (
    <div role="status">
      {since !== null && (
        <p class="notice">
          What is shown may be old. Since {since.toLocaleTimeString('en', { hour12: false })}{' '}
          {connection === 'lost' ? (
            'the server of this page does not answer.'
          ) : (
            <Prose text={`the database cannot be asked: ${away}`} />
          )}
        </p>
      )}
    </div>
  );
}
