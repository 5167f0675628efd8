import { validator } from 'hono/validator';
import type { z } from 'zod';

/** The request's JSON, parsed. @throws ZodError, which is answered with 400 */
export const body = <T>(schema: z.ZodType<T>) => validator('json', (value) => schema.parse(value));

/** The same of what stands after the question mark. */
export const query = <T>(schema: z.ZodType<T>) => validator('query', (value) => schema.parse(value));
