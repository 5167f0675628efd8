/** The pages in the order of the navigation. */
export const pages = [
  { path: '/', title: 'Overview' },
  { path: '/migration', title: 'Migration' },
  { path: '/partitions', title: 'Partitions' },
  { path: '/statistics', title: 'Statistics' },
  { path: '/search', title: 'Search' },
  { path: '/archiving', title: 'Archiving' },
  { path: '/backups', title: 'Backups' },
  { path: '/alerts', title: 'Alerts' },
  { path: '/sessions', title: 'Sessions' },
  { path: '/audit', title: 'Audit' },
] as const;
