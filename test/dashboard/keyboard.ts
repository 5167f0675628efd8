import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** Where the focus is, as somebody sees it who has no mouse. */
export interface Stop {
  /** Its place among everything on the page that can be reached, in the order in which it stands there; -1: nothing. */
  readonly place: number;
  readonly name: string;
  /** What is wrong with how it is shown; empty where nothing is. */
  readonly unseen: string;
}

const LOOK = `(() => {
  const inside = document.querySelector('dialog[open]') ?? document;
  const all = [...inside.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter(
    (element) => element.tabIndex >= 0 && !element.disabled && element.type !== 'hidden' && element.checkVisibility(),
  );
  const at = document.activeElement;
  const place = all.indexOf(at);
  const luminance = (colour) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  };
  const unseen = () => {
    const style = getComputedStyle(at);
    const { left, top, right, bottom } = at.getBoundingClientRect();
    if (right <= 0 || bottom <= 0 || left >= innerWidth || top >= innerHeight) return 'out of sight';
    if (!at.matches(':focus-visible') || style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return 'no outline';
    const behind = at.closest('dialog, .card, .masthead, section.scroll');
    const [one, other] = [style.outlineColor, getComputedStyle(behind ?? document.body).backgroundColor].map(luminance);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return contrast < 3 ? 'outline of contrast ' + contrast.toFixed(1) : '';
  };
  const name = at?.getAttribute('aria-label') ?? at?.labels?.[0]?.textContent ?? at?.textContent ?? '';
  return { count: all.length, stop: { place, name: name.trim().slice(0, 60), unseen: place < 0 ? '' : unseen() } };
})()`;

export async function look(page: Page): Promise<{ count: number; stop: Stop }> {
  return page.evaluate(LOOK);
}

/**
 * Presses Tab until everything was reached: in the order in which it stands, each seen, and out again at the end; then
 * back by one. In the dialog that is open, if one is.
 */
export async function walk(page: Page): Promise<string[]> {
  const { count } = await look(page);
  const names: string[] = [];
  for (let i = 0; i <= count + 1 && (await look(page)).stop.place !== 0; i++) await page.keyboard.press('Tab');
  for (let place = 0; place < count; place++) {
    if (place > 0) await page.keyboard.press('Tab');
    const { stop } = await look(page);
    expect(stop).toEqual({ place, name: stop.name, unseen: '' });
    names.push(stop.name);
  }
  // A dialog begins anew, by way of the browser's own controls; a page is left for them.
  await page.keyboard.press('Tab');
  expect((await look(page)).stop.place).toBeOneOf([-1, 0]);
  await page.keyboard.press('Shift+Tab');
  expect((await look(page)).stop.place).toBeOneOf([count - 1, -1]);
  return names;
}

/** Goes to a control by Tab alone. */
export async function tabTo(page: Page, name: string): Promise<void> {
  const { count } = await look(page);
  for (let i = 0; i <= count + 1; i++) {
    if ((await look(page)).stop.name === name) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${name}.`);
}
