/** Milliseconds. The timers of `node:timers/promises` are not there in a browser. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
