import { useEffect, useState } from 'preact/hooks';

const moved = new EventTarget();

export function go(path: string): void {
  history.pushState(null, '', path);
  scrollTo(0, 0);
  moved.dispatchEvent(new Event('moved'));
}

/** The path of the page that is shown, and the links of this page that lead to another one of ours. */
export function usePath(): string {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const onMove = () => setPath(location.pathname);
    const onClick = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
      if (link === null || !plain || link.origin !== location.origin || link.hash !== '' || link.target !== '') return;
      event.preventDefault();
      go(link.pathname + link.search);
    };
    moved.addEventListener('moved', onMove);
    addEventListener('popstate', onMove);
    document.addEventListener('click', onClick);
    return () => {
      moved.removeEventListener('moved', onMove);
      removeEventListener('popstate', onMove);
      document.removeEventListener('click', onClick);
    };
  }, []);
  return path;
}
