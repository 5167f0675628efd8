import type { ComponentChildren } from 'preact';

/** Something wide, that scrolls within itself on a small screen. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-label={`${label}: table`}>
      {children}
    </section>
  );
}
