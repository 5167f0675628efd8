import { beginLesson, type Language, type Level } from './dialogue.ts';
import type { Status } from './flat-tables.ts';
import { createRandom } from './random.ts';

/** How much to generate. The same recipe gives the same rows, down to the microsecond. */
export interface Recipe {
  readonly sessions: number;
  readonly messages: number;
  readonly users: number;
  readonly seed: number;
  /** The end of the history: no generated row is younger. */
  readonly now: Date;
}

type Row = readonly (string | number)[];

const DAY = 86_400_000;
/** The oldest lesson is half a year old. */
const HISTORY = 180 * DAY;
const SECONDS_PER_TURN = 25;
// Streams of the seed: one for each user and session, far enough apart never to meet.
const USER_STREAM = 0x4000_0000;
const LENGTH_STREAM = 0x2000_0000;

const languageShares: readonly (readonly [Language, number])[] = [
  ['en', 40],
  ['es', 30],
  ['fr', 15],
  ['de', 15],
];
const levelShares: readonly (readonly [Level, number])[] = [
  ['beginner', 45],
  ['intermediate', 35],
  ['advanced', 20],
];
const statusShares: readonly (readonly [Status, number])[] = [
  ['active', 70],
  ['archived', 25],
  ['deleted', 5],
];

export const userColumns = ['id'];
export const sessionColumns = [
  'id',
  'user_id',
  'language',
  'level',
  'status',
  'title',
  'created_at',
  'updated_at',
  'last_accessed',
];
export const messageColumns = ['id', 'session_id', 'user_id', 'type', 'sequence_number', 'content', 'created_at'];

export function* userRows(recipe: Recipe): Generator<Row> {
  for (let i = 0; i < recipe.users; i++) yield [userId(recipe, i)];
}

export function* sessionRows(recipe: Recipe): Generator<Row> {
  for (let i = 0; i < recipe.sessions; i++) {
    const { id, user, language, level, status, lesson, createdAt, random } = session(recipe, i);
    const ended = createdAt + lessonMilliseconds(recipe, i);
    // People come back to active lessons; the others rest where they were left.
    const lastAccessed = status === 'active' ? ended + random.next() * (recipe.now.getTime() - ended) : ended;
    yield [id, user, language, level, status, lesson.title, at(createdAt), at(ended), at(lastAccessed)];
  }
}

export function* messageRows(recipe: Recipe): Generator<Row> {
  for (let i = 0; i < recipe.sessions; i++) {
    const { id, user, lesson, createdAt, random } = session(recipe, i);
    const length = messagesOf(recipe, i);
    const pace = lessonMilliseconds(recipe, i) / (length + 1);
    for (let turn = 1; turn <= length; turn++) {
      const { type, content } = lesson.nextTurn();
      yield [random.uuid(), id, user, type, turn, content, at(createdAt + (turn - random.next() / 2) * pace)];
    }
  }
}

function session(recipe: Recipe, i: number) {
  const random = createRandom(recipe.seed, i);
  const id = random.uuid();
  const user = userId(recipe, random.below(recipe.users));
  const language = random.weighted(languageShares);
  const level = random.weighted(levelShares);
  const status = random.weighted(statusShares);
  const createdAt = recipe.now.getTime() - DAY - random.next() * (HISTORY - DAY);
  const lesson = beginLesson(random, language, level);
  return { id, user, language, level, status, createdAt, lesson, random };
}

/**
 * How many messages session `i` has: lessons differ in length, from none to twice the average, and yet the whole comes
 * to exactly `recipe.messages`, because each border between two sessions is moved, not each length.
 */
function messagesOf(recipe: Recipe, i: number): number {
  return border(recipe, i + 1) - border(recipe, i);
}

function border(recipe: Recipe, i: number): number {
  if (i === 0) return 0;
  if (i === recipe.sessions) return recipe.messages;
  const moved = createRandom(recipe.seed, LENGTH_STREAM + i).next() - 0.5;
  return Math.round(((i + moved) * recipe.messages) / recipe.sessions);
}

function lessonMilliseconds(recipe: Recipe, i: number): number {
  return Math.min(DAY / 2, (messagesOf(recipe, i) + 1) * SECONDS_PER_TURN * 1000);
}

function userId(recipe: Recipe, i: number): string {
  return createRandom(recipe.seed, USER_STREAM + i).uuid();
}

/** With microseconds, as PostgreSQL's own `now()` has them: a migration that drops them must show. */
function at(milliseconds: number): string {
  const micros = Math.floor((milliseconds % 1) * 1000);
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
