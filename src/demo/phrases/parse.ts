/** One sentence with its blanks: `parts[0] slots[0] parts[1] …`, so that filling it is plain concatenation. */
export interface Template {
  readonly parts: readonly string[];
  readonly slots: readonly string[];
}

/** What the tutor says, and what the student answers. A blank that both use is filled the same way in both. */
export interface Exchange {
  readonly tutor: Template;
  readonly student: Template;
}

export interface Topic {
  readonly name: string;
  readonly slots: ReadonlyMap<string, readonly Template[]>;
  readonly exchanges: readonly Exchange[];
}

/** The phrases of one language. `opening`, `aside` and `closing` fit lessons of any topic. */
export interface Phrases {
  readonly slots: ReadonlyMap<string, readonly Template[]>;
  readonly opening: Topic;
  readonly aside: Topic;
  readonly closing: Topic;
  readonly topics: readonly Topic[];
}

/**
 * Reads the phrases of a language from text that a translator can edit: `@slot: one | another` gives the fillings of a
 * blank, `# Name` begins a topic (the first three are opening, aside and closing), and `tutor >> student` is an
 * exchange. Slots before the first topic serve them all. A blank without fillings is an error here, not in a lesson.
 */
export function parsePhrases(text: string): Phrases {
  const slots = new Map<string, readonly Template[]>();
  const topics: { name: string; slots: Map<string, readonly Template[]>; exchanges: Exchange[] }[] = [];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const topic = topics.at(-1);
    const [left = '', right] = line.split(' >> ');
    const slot = /^@(\w+): (.*)$/.exec(line);
    if (slot?.[1] && slot[2] !== undefined)
      (topic?.slots ?? slots).set(slot[1], slot[2].split(' | ').map(parseTemplate));
    else if (line.startsWith('# ')) topics.push({ name: line.slice(2), slots: new Map(), exchanges: [] });
    else if (right !== undefined && topic) {
      topic.exchanges.push({ tutor: parseTemplate(left), student: parseTemplate(right) });
    } else if (line !== '') throw new Error(`This line of a lesson is neither slot, topic nor exchange: ${line}`);
  }
  for (const topic of topics) assertFilled(topic, slots);
  const [opening, aside, closing, ...rest] = topics;
  if (!opening || !aside || !closing || rest.length === 0) throw new Error('A language needs four topics or more.');
  return { slots, opening, aside, closing, topics: rest };
}

function parseTemplate(text: string): Template {
  const pieces = text.split(/\{(\w+)\}/);
  return { parts: pieces.filter((_, i) => i % 2 === 0), slots: pieces.filter((_, i) => i % 2 === 1) };
}

function assertFilled(topic: Topic, shared: ReadonlyMap<string, readonly Template[]>): void {
  for (const { tutor, student } of topic.exchanges) {
    const missing = [...tutor.slots, ...student.slots].find((slot) => !topic.slots.has(slot) && !shared.has(slot));
    if (missing) throw new Error(`The topic "${topic.name}" has no fillings for {${missing}}.`);
  }
}
