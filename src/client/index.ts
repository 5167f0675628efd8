export type { JwtOptions } from './caller.ts';
export type { Averages, FeedbackActions } from './feedback.ts';
export type { Limits } from './inputs.ts';
export type { Messages } from './messages.ts';
export type { Page } from './page.ts';
export type {
  Feedback,
  Message,
  MessageType,
  SearchMatch,
  Session,
  SessionLanguage,
  SessionLevel,
  SessionStats,
  SessionStatus,
} from './rows.ts';
export type { Retries } from './run-as.ts';
export type { Search, SearchOptions } from './search.ts';
export type { Sessions } from './sessions.ts';
export type { Stats } from './stats.ts';
export { type Actions, createStore, type Store, type StoreOptions } from './store.ts';
export { StoreError, type StoreErrorKind } from './store-error.ts';
export type { SupabaseLike, SupabaseStore, SupabaseStoreOptions } from './supabase/store-types.ts';
