import fc from 'fast-check';
import type pg from 'pg';

/** What a client does: `pick` and `other` choose among what it has by then, so that every list of operations makes sense. */
export interface Operation {
  readonly kind: (typeof kinds)[number];
  readonly pick: number;
  readonly other: number;
}

/** Operations that a client sends one by one, or in a transaction that it ends in either way. */
export interface Group {
  readonly end: 'each' | 'commit' | 'rollback';
  readonly operations: readonly Operation[];
}

const kinds = [
  'open session',
  'append message',
  'append message',
  'edit message',
  'edit message',
  'touch session',
  'rename session',
  'set status',
  'set status',
  'set language',
  'move message',
  'delete message',
  'delete session',
  'delete session and open it again',
  'change the id of a session',
  'write a language that nobody knows',
  'remove a user and sign up again',
] as const;

export const groups: fc.Arbitrary<Group[]> = fc.array(
  fc.record({
    end: fc.constantFrom('each', 'each', 'commit', 'rollback'),
    operations: fc.array(fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(99), other: fc.nat(99) }), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  { maxLength: 3 },
);

const languages = ['en', 'es', 'fr', 'de'];
const levels = ['beginner', 'intermediate', 'advanced'];
const statuses = ['active', 'archived', 'deleted'];
const types = ['text', 'audio', 'system'];

/** What a title may be long in the flat tables; the new ones hold any. */
export const FLAT_TITLE = 60;
const UNKNOWN = 'tlh';

/** Every column of a row by its name, as the client wrote it. */
type Row = Readonly<Record<string, string | number>>;

interface Told {
  /** By id. */
  readonly sessions: Map<string, Row>;
  readonly messages: Map<string, Row>;
  /** Sessions with a language that nobody knows, until they are mended. */
  readonly unknown: Set<string>;
  /** Ids of rows that are gone, to be used again. */
  readonly gone: Set<string>;
}

/**
 * A client with users of its own, to whose rows nobody else writes, and the ledger of what it was told: every statement
 * must be carried out, and every row must stand as it was written last.
 */
export class RandomClient {
  readonly users: readonly string[];
  /** Before the cutover only: the new tables take none. */
  mayWriteUnknownLanguage = false;
  /** After it only: the flat tables take none. */
  mayWriteLongTitle = false;
  private told: Told = { sessions: new Map(), messages: new Map(), unknown: new Set(), gone: new Set() };
  private readonly connection: pg.ClientBase;
  private readonly number: number;
  private counter = 0;

  constructor(connection: pg.ClientBase, number: number) {
    this.connection = connection;
    this.number = number;
    this.users = [this.newId(), this.newId()];
  }

  /** Signs its users up, with a few sessions and messages each. */
  async begin(): Promise<void> {
    for (const user of this.users) await this.run('INSERT INTO auth.users (id) VALUES ($1)', [user]);
    for (let i = 0; i < 6; i++) await this.operate({ kind: 'open session', pick: i, other: i });
    for (let i = 0; i < 70; i++) await this.operate({ kind: 'append message', pick: i, other: i });
  }

  async perform(list: readonly Group[]): Promise<void> {
    for (const { end, operations } of list) {
      const before = structuredClone(this.told);
      if (end !== 'each') await this.run('BEGIN');
      for (const operation of operations) await this.operate(operation);
      if (end !== 'each') await this.run(end === 'commit' ? 'COMMIT' : 'ROLLBACK');
      if (end === 'rollback') this.told = before;
    }
  }

  /** What keeps the cutover waiting. */
  async mendLanguages(): Promise<void> {
    for (const id of this.told.unknown) await this.updateSession(id, { language: 'en' });
    this.told.unknown.clear();
  }

  /** What keeps the rollback waiting. */
  async shortenTitles(): Promise<void> {
    for (const id of this.longTitles()) await this.updateSession(id, { title: 'short' });
  }

  get unknownLanguages(): number {
    return this.told.unknown.size;
  }

  longTitles(): string[] {
    return [...this.told.sessions].filter(([, { title }]) => String(title).length > FLAT_TITLE).map(([id]) => id);
  }

  /** Somebody truncated tables that are everybody's. */
  forget(what: 'messages' | 'everything'): void {
    this.told.messages.clear();
    if (what === 'messages') return;
    this.told.sessions.clear();
    this.told.unknown.clear();
  }

  /** What it was told, as the rows must stand. */
  get rows(): { sessions: Row[]; messages: Row[] } {
    return { sessions: [...this.told.sessions.values()], messages: [...this.told.messages.values()] };
  }

  private async operate({ kind, pick, other }: Operation): Promise<void> {
    const { sessions, messages } = this.told;
    const [session, message] = [choose(sessions, pick), choose(messages, pick)];
    const user = this.users[pick % this.users.length] ?? '';
    // What needs no row of its own, or finds one by itself.
    if (kind === 'open session') return this.openSession(this.idFor(other), user, pick + other);
    if (kind === 'remove a user and sign up again') return this.signUpAgain(user);
    if (kind === 'change the id of a session') return this.changeId(this.idFor(other));
    if (kind === 'edit message' || kind === 'move message' || kind === 'delete message')
      return message === undefined ? undefined : this.operateOnMessage(kind, message, other);
    return session === undefined ? undefined : this.operateOnSession(kind, session, pick, other);
  }

  private async operateOnMessage(kind: Operation['kind'], id: string, other: number): Promise<void> {
    if (kind === 'delete message') return this.deleteMessage(id);
    if (kind === 'edit message') return this.updateMessage(id, { content: this.text(other * 60) });
    const { sessions, messages } = this.told;
    const same = [...sessions.values()].filter((row) => row.user_id === messages.get(id)?.user_id);
    const to = same[other % Math.max(1, same.length)]?.id;
    if (to !== undefined) await this.updateMessage(id, { session_id: to });
  }

  private async operateOnSession(kind: Operation['kind'], id: string, pick: number, other: number): Promise<void> {
    switch (kind) {
      case 'append message':
        return this.appendMessage(this.idFor(other), id, pick, other);
      case 'touch session':
        return this.updateSession(id, { last_accessed: this.time() });
      case 'rename session':
        return this.updateSession(id, { title: this.text(this.mayWriteLongTitle ? other : other % FLAT_TITLE) });
      case 'set status':
        return this.updateSession(id, { status: statuses[other % 3] ?? '', updated_at: this.time() });
      case 'set language':
        return this.updateSession(id, { language: languages[other % 4] ?? '' });
      case 'write a language that nobody knows':
        return this.mayWriteUnknownLanguage ? this.updateSession(id, { language: UNKNOWN }) : undefined;
      case 'delete session':
        return this.deleteSession(id);
      case 'delete session and open it again': {
        const user = String(this.told.sessions.get(id)?.user_id);
        await this.deleteSession(id);
        return this.openSession(id, user, other);
      }
      default:
        throw new Error(`${kind} is not done to a session.`);
    }
  }

  private async openSession(id: string, user: string, n: number): Promise<void> {
    const row = {
      id,
      user_id: user,
      language: languages[n % 4] ?? '',
      level: levels[n % 3] ?? '',
      status: statuses[n % 3] ?? '',
      title: this.text(n % FLAT_TITLE),
      created_at: this.time(),
      updated_at: this.time(),
      last_accessed: this.time(),
    };
    await this.insert('sessions', row);
    this.told.gone.delete(id);
    this.told.sessions.set(id, row);
  }

  private async appendMessage(id: string, session: string, pick: number, other: number): Promise<void> {
    const row = {
      id,
      session_id: session,
      user_id: this.told.sessions.get(session)?.user_id ?? '',
      type: types[other % 3] ?? '',
      sequence_number: this.counter,
      content: this.text(4200 + pick),
      created_at: this.time(),
    };
    await this.insert('messages', row);
    this.told.gone.delete(id);
    this.told.messages.set(id, row);
  }

  private async updateSession(id: string, set: Row): Promise<void> {
    await this.update('sessions', id, set);
    this.told.sessions.set(id, { ...this.told.sessions.get(id), ...set });
    if (set.language === UNKNOWN) this.told.unknown.add(id);
    else if (set.language !== undefined) this.told.unknown.delete(id);
  }

  private async updateMessage(id: string, set: Row): Promise<void> {
    await this.update('messages', id, set);
    this.told.messages.set(id, { ...this.told.messages.get(id), ...set });
  }

  private async deleteMessage(id: string): Promise<void> {
    await this.one('DELETE FROM public.messages WHERE id = $1', [id]);
    this.told.messages.delete(id);
    this.told.gone.add(id);
  }

  private async deleteSession(id: string): Promise<void> {
    await this.one('DELETE FROM public.sessions WHERE id = $1', [id]);
    this.dropSessions((row) => row.id === id);
  }

  /** Of a session without messages, where there is one: theirs would refer to the old id. */
  private async changeId(to: string): Promise<void> {
    const { sessions, messages, unknown, gone } = this.told;
    const used = new Set([...messages.values()].map((row) => row.session_id));
    const [id, row] = [...sessions].find(([session]) => !used.has(session)) ?? [];
    if (id === undefined) return;
    await this.one('UPDATE public.sessions SET id = $2 WHERE id = $1', [id, to]);
    sessions.delete(id);
    gone.delete(to);
    gone.add(id);
    sessions.set(to, { ...row, id: to });
    if (unknown.delete(id)) unknown.add(to);
  }

  private async signUpAgain(user: string): Promise<void> {
    await this.one('DELETE FROM auth.users WHERE id = $1', [user]);
    await this.one('INSERT INTO auth.users (id) VALUES ($1)', [user]);
    this.dropSessions((row) => row.user_id === user);
  }

  /** With their messages, as the foreign key does. */
  private dropSessions(which: (row: Row) => boolean): void {
    const { sessions, messages, unknown, gone } = this.told;
    for (const [id, row] of [...sessions]) {
      if (!which(row)) continue;
      for (const [message, { session_id }] of [...messages])
        if (session_id === id) {
          messages.delete(message);
          gone.add(message);
        }
      sessions.delete(id);
      unknown.delete(id);
      gone.add(id);
    }
  }

  private insert(table: string, row: Row): Promise<void> {
    const columns = Object.keys(row);
    return this.one(
      `INSERT INTO public.${table} (${columns.join(', ')}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(', ')})`,
      Object.values(row),
    );
  }

  private update(table: string, id: string, set: Row): Promise<void> {
    const assignments = Object.keys(set).map((column, i) => `${column} = $${i + 2}`);
    return this.one(`UPDATE public.${table} SET ${assignments.join(', ')} WHERE id = $1`, [id, ...Object.values(set)]);
  }

  private async one(sql: string, values: readonly (string | number)[]): Promise<void> {
    const { rowCount } = await this.run(sql, values);
    if (rowCount !== 1) throw new Error(`${sql} found ${rowCount} rows for ${values[0]}.`);
  }

  /** No statement of the application's may fail, before the cutover or after it. */
  private async run(sql: string, values: readonly (string | number)[] = []): Promise<pg.QueryResult> {
    try {
      return await this.connection.query(sql, [...values]);
    } catch (error) {
      throw new Error(`The application was refused: ${sql}`, { cause: error });
    }
  }

  /** A new one, or now and then one that was used before. */
  private idFor(n: number): string {
    return (n % 3 === 0 ? choose(this.told.gone, n) : undefined) ?? this.newId();
  }

  private newId(): string {
    this.counter += 1;
    return `${this.number.toString(16).padStart(8, '0')}-0000-4000-8000-${this.counter.toString(16).padStart(12, '0')}`;
  }

  private text(length: number): string {
    this.counter += 1;
    return `${this.counter} `.padEnd(length, 'abcdefg').slice(0, Math.max(length, 1));
  }

  private time(): string {
    this.counter += 1;
    return `2026-01-01 00:00:00.${String(this.counter).padStart(6, '0')}+00`;
  }
}

function choose(rows: ReadonlyMap<string, unknown> | ReadonlySet<string>, n: number): string | undefined {
  return [...rows.keys()][n % Math.max(1, rows.size)];
}
