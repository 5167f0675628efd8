import { z } from 'zod';
import { TandemError } from '../engine/errors.ts';

/** @throws TD008 for what is no uuid */
export function sessionId(text: string): string {
  const parsed = z.guid().safeParse(text);
  if (parsed.success) return parsed.data.toLowerCase();
  throw new TandemError('TD008', `\`${text}\` is no session's id.`, {
    hint: 'It looks like 0b1c7e2a-5a0f-4c3e-9d1b-2f6a7c8d9e0f.',
  });
}
