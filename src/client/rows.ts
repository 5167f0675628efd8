// Written from the catalog by `npm run generate:client`; a test compares the two.
import { z } from 'zod';
import { timestamp } from './timestamp.ts';

export const sessionLanguage = z.enum(['en', 'es', 'fr', 'de']);
export type SessionLanguage = z.infer<typeof sessionLanguage>;

export const sessionLevel = z.enum(['beginner', 'intermediate', 'advanced']);
export type SessionLevel = z.infer<typeof sessionLevel>;

export const sessionStatus = z.enum(['active', 'archived', 'deleted']);
export type SessionStatus = z.infer<typeof sessionStatus>;

export const messageType = z.enum(['text', 'audio', 'system']);
export type MessageType = z.infer<typeof messageType>;

export const session = z.object({
  id: z.guid(),
  user_id: z.guid(),
  language: sessionLanguage,
  level: sessionLevel,
  status: sessionStatus,
  title: z.string().nullable(),
  created_at: timestamp,
  updated_at: timestamp,
  last_accessed: timestamp,
});
/** A row of `sessions`. */
export type Session = z.infer<typeof session>;

export const message = z.object({
  id: z.guid(),
  session_id: z.guid(),
  user_id: z.guid(),
  type: messageType,
  sequence_number: z.number().int(),
  content: z.string(),
  created_at: timestamp,
  language: sessionLanguage,
});
/** A row of `messages`, without its search vector. */
export type Message = z.infer<typeof message>;

export const feedback = z.object({
  id: z.guid(),
  message_id: z.guid(),
  overall_score: z.number().int().nullable(),
  grammar_score: z.number().int().nullable(),
  vocabulary_score: z.number().int().nullable(),
  fluency_score: z.number().int().nullable(),
  pronunciation_score: z.number().int().nullable(),
  comment: z.string().nullable(),
  corrections: z.json().nullable(),
  created_at: timestamp,
});
/** A row of `message_feedback`. */
export type Feedback = z.infer<typeof feedback>;

export const searchMatch = z.object({
  id: z.guid(),
  session_id: z.guid(),
  session_title: z.string().nullable(),
  user_id: z.guid(),
  type: messageType,
  sequence_number: z.number().int(),
  language: sessionLanguage,
  content: z.string(),
  created_at: timestamp,
  rank: z.number(),
  snippet: z.string().nullable(),
  correction: z.string().nullable(),
});
/** A message that `search_messages` found. */
export type SearchMatch = z.infer<typeof searchMatch>;

export const sessionStats = z.object({
  user_id: z.guid(),
  status: sessionStatus,
  sessions: z.coerce.number().int(),
  messages: z.coerce.number().int(),
  text_messages: z.coerce.number().int(),
  audio_messages: z.coerce.number().int(),
  system_messages: z.coerce.number().int(),
  average_overall_score: z.coerce.number().nullable(),
  average_grammar_score: z.coerce.number().nullable(),
  average_vocabulary_score: z.coerce.number().nullable(),
  average_fluency_score: z.coerce.number().nullable(),
  average_pronunciation_score: z.coerce.number().nullable(),
  first_activity: timestamp.nullable(),
  last_activity: timestamp.nullable(),
});
/** A row of `session_stats`, as of its last refresh. */
export type SessionStats = z.infer<typeof sessionStats>;

/** What `search_messages` takes besides the query. */
export const searchOptions = z.strictObject({
  session_id: z.guid().optional(),
  user_id: z.guid().optional(),
  language: sessionLanguage.optional(),
  type: messageType.optional(),
  since: z.date().optional(),
  sort: z.enum(['rank', 'newest']).optional(),
  typing: z.boolean().optional(),
  correct_spelling: z.boolean().optional(),
  max_results: z.int32().optional(),
  page_offset: z.int32().optional(),
});
