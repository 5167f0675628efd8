import { useEffect, useRef } from 'preact/hooks';
import { answered, api } from './api.ts';
import { AlertsPage } from './pages/alerts.tsx';
import { ArchivingPage } from './pages/archiving.tsx';
import { AuditPage } from './pages/audit.tsx';
import { BackupsPage } from './pages/backups.tsx';
import { MigrationPage } from './pages/migration.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { PartitionsPage } from './pages/partitions.tsx';
import { SearchPage } from './pages/search.tsx';
import { SessionPage } from './pages/session.tsx';
import { SessionsPage } from './pages/sessions.tsx';
import { StatisticsPage } from './pages/statistics.tsx';
import { pages } from './pages.ts';
import { Masthead, type Place, PlaceContext } from './parts/masthead.tsx';
import { Stale } from './parts/stale.tsx';
import { usePath } from './router.ts';
import { useData } from './use-data.ts';

export function App() {
  const path = usePath();
  const place = useData<Place>(() => answered(api.overview.place.$get()), []);
  const heading = useRef<HTMLElement>(null);
  const first = useRef(true);
  const title = pages.find((page) => page.path === path)?.title ?? (path.startsWith('/sessions/') ? 'Session' : '');
  useEffect(() => {
    document.title = `${title} · ${place.value?.database ?? ''} · Tandem`;
  }, [title, place.value]);
  // Whoever goes to another page by keyboard is taken to its beginning.
  useEffect(() => {
    if (!first.current) heading.current?.focus();
    first.current = false;
  }, [path]);
  return (
    <PlaceContext.Provider value={place.value ?? null}>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Masthead path={path} />
      <main id="content" tabIndex={-1} ref={heading}>
        {place.problem && (
          <p role="alert" class="problem">
            {place.problem.message} {place.problem.hint}
          </p>
        )}
        <Stale />
        <Page path={path} />
      </main>
    </PlaceContext.Provider>
  );
}

function Page({ path }: { path: string }) {
  const session = /^\/sessions\/([0-9a-f-]+)$/.exec(path)?.[1];
  if (session !== undefined) return <SessionPage id={session} />;
  switch (path) {
    case '/':
      return <OverviewPage />;
    case '/migration':
      return <MigrationPage />;
    case '/partitions':
      return <PartitionsPage />;
    case '/statistics':
      return <StatisticsPage />;
    case '/search':
      return <SearchPage />;
    case '/archiving':
      return <ArchivingPage />;
    case '/backups':
      return <BackupsPage />;
    case '/alerts':
      return <AlertsPage />;
    case '/sessions':
      return <SessionsPage />;
    case '/audit':
      return <AuditPage />;
    default:
      return <h1>There is no such page</h1>;
  }
}
