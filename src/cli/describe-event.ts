import { describeEvent as inWords, type Telling } from '../engine/describe-event.ts';
import type { Finding } from '../engine/events.ts';
import { colors as pc } from './colors.ts';

/** What people want to know of an event that is neither a step nor its progress, with what is wrong in red. */
export function describeEvent(event: Telling): string | null {
  return inWords(event, pc.red);
}

const SEVERITIES = {
  blocks: (text: string) => pc.red(text),
  warning: (text: string) => pc.yellow(text),
  note: (text: string) => pc.dim(text),
};

/** A finding with its hint below it, indented. */
export function describeFinding({ severity, subject, message, hint }: Finding): string[] {
  const label = SEVERITIES[severity](severity.padEnd(8));
  return [`${label} ${subject}: ${message}`, ...(hint ? [`${' '.repeat(9)}${pc.cyan('hint')}: ${hint}`] : [])];
}
