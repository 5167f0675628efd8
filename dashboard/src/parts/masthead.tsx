import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { type Connection, pauseLive, useLive } from '../live.ts';
import { pages } from '../pages.ts';

export interface Place {
  readonly database: string;
  readonly environment: { readonly name: string; readonly production: boolean };
  readonly read_only: boolean;
  readonly actor: string;
  /** By the form: whoever did can sign out. */
  readonly signed_in: boolean;
  /** The folder that holds the keeper's backups, if there is one. */
  readonly backups_into: string | null;
}

/** Where we are, and what may be done there; null until the server has said it. */
export const PlaceContext = createContext<Place | null>(null);
export const usePlace = () => useContext(PlaceContext);

const STATES: Record<Connection, string> = { live: 'Live', paused: 'Paused', lost: 'Connecting …' };

export function Masthead({ path }: { path: string }) {
  const place = usePlace();
  const { connection } = useLive();
  const [open, setOpen] = useState(false);
  // The menu of a small screen closes once a page is chosen.
  useEffect(() => setOpen(false), [path]);
  const paused = connection === 'paused';
  return (
    <header class={`masthead${place?.environment.production ? ' production' : ''}`}>
      <div class="bar">
        <a class="home" href="/" aria-label="Tandem, overview">
          Tandem
        </a>
        {place && (
          <p class="place">
            <span class="badge environment">{place.environment.name}</span>
            <span class="database">{place.database}</span>
            {place.read_only && <span class="badge">read only</span>}
          </p>
        )}
        <button
          type="button"
          class="menu"
          aria-expanded={open}
          aria-controls="navigation"
          onClick={() => setOpen(!open)}
        >
          Menu
        </button>
      </div>
      <nav id="navigation" aria-label="Pages" class={open ? 'open' : ''}>
        <ul>
          {pages.map((page) => {
            const current = path === page.path || (page.path !== '/' && path.startsWith(`${page.path}/`));
            return (
              <li key={page.path}>
                <a href={page.path} aria-current={current ? 'page' : undefined}>
                  {page.title}
                </a>
              </li>
            );
          })}
        </ul>
        <div class="controls">
          <p class={`connection ${connection}`} role="status">
            {STATES[connection]}
          </p>
          <button type="button" aria-pressed={paused} onClick={() => pauseLive(!paused)}>
            Pause live updates
          </button>
          <ThemeSwitch />
          {place?.signed_in && <SignOut actor={place.actor} />}
        </div>
      </nav>
    </header>
  );
}

function SignOut({ actor }: { actor: string }) {
  return (
    <form class="sign-out" method="post" action="/sign-out">
      <p>Signed in as {actor}</p>
      <button type="submit">Sign out</button>
    </form>
  );
}

const THEME = 'tandem-theme';
type Theme = 'system' | 'light' | 'dark';

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(() => {
    const kept = localStorage.getItem(THEME);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  });
  useEffect(() => {
    if (theme === 'system') {
      delete document.documentElement.dataset['theme'];
      localStorage.removeItem(THEME);
    } else {
      document.documentElement.dataset['theme'] = theme;
      localStorage.setItem(THEME, theme);
    }
    dispatchEvent(new Event('themechange'));
  }, [theme]);
  return (
    <label class="theme">
      Colours
      <select
        value={theme}
        onChange={({ currentTarget: { value } }) => setTheme(value === 'light' || value === 'dark' ? value : 'system')}
      >
        <option value="system">as the system</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </select>
    </label>
  );
}
