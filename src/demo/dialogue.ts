import { de } from './phrases/de.ts';
import { en } from './phrases/en.ts';
import { es } from './phrases/es.ts';
import { fr } from './phrases/fr.ts';
import type { Exchange, Phrases, Template, Topic } from './phrases/parse.ts';
import { type Random, shuffle } from './random.ts';

export const languages = ['en', 'es', 'fr', 'de'] as const;
export type Language = (typeof languages)[number];
export const levels = ['beginner', 'intermediate', 'advanced'] as const;
export type Level = (typeof levels)[number];
export const messageTypes = ['text', 'audio', 'system'] as const;
export type MessageType = (typeof messageTypes)[number];

export interface Turn {
  readonly type: MessageType;
  readonly content: string;
}

/** A lesson under way: its title, and as many turns as the caller takes. */
export interface Lesson {
  readonly title: string;
  nextTurn(): Turn;
}

/** Reads a language from the database. A language that no lesson is given in is an error. */
export function languageOf(text: string): Language {
  return wordOf(languages, text);
}

/** Reads a level from the database. */
export function levelOf(text: string): Level {
  return wordOf(levels, text);
}

function wordOf<Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((one) => one === text);
  if (word === undefined) throw new RangeError(`${JSON.stringify(text)} is none of ${words.join(', ')}.`);
  return word;
}

const phrasesOf: Readonly<Record<Language, Phrases>> = { en, es, fr, de };
/** How often the tutor begins with praise, the student with hesitation, or ends with a remark. */
const PRAISED = 0.4;
const HESITANT = 0.2;
const REMARKED = 0.3;
/** How often an exchange that fits any topic comes in between. */
const OFF_TOPIC = 0.12;
/** How often the student speaks instead of typing; the message then holds the transcript. */
const SPOKEN = 0.3;

/**
 * A lesson about a random topic: a system message, a greeting, then question and answer without end, no exchange twice
 * before all of its topic were used. Whoever stores it decides how long it is.
 */
export function beginLesson(random: Random, language: Language, level: Level): Lesson {
  const phrases = phrasesOf[language];
  const topic = random.pick(phrases.topics);
  const levelName = phrases.slots.get('level')?.[levels.indexOf(level)]?.parts[0] ?? level;
  // Kept for the whole lesson, so that its title and its welcome speak of the same lesson number.
  const known = new Map([['topic', topic.name]]).set('level', levelName);
  const phrase = (slot: string, filled = new Map<string, string>()) =>
    fill(random, phrases, topic, random.pick(phrases.slots.get(slot) ?? []), filled);

  function* speak(about: Topic, { tutor, student }: Exchange): Generator<Turn> {
    const filled = new Map<string, string>();
    const question = fill(random, phrases, about, tutor, filled);
    const praise = about === topic && random.chance(PRAISED) ? `${phrase('praise')} ` : '';
    yield { type: 'text', content: `${praise}${question}` };
    const answer = fill(random, phrases, about, student, filled);
    const hesitation = random.chance(HESITANT) ? `${phrase('hesitation')} ` : '';
    const remark = about === topic && random.chance(REMARKED) ? ` ${phrase('remark')}` : '';
    yield { type: random.chance(SPOKEN) ? 'audio' : 'text', content: `${hesitation}${answer}${remark}` };
  }

  function* turns(): Generator<Turn, never> {
    yield { type: 'system', content: phrase('welcome', known) };
    yield* speak(phrases.opening, random.pick(phrases.opening.exchanges));
    for (;;) {
      for (const exchange of shuffle(random, [...topic.exchanges])) {
        yield* speak(topic, exchange);
        if (random.chance(OFF_TOPIC)) yield* speak(phrases.aside, random.pick(phrases.aside.exchanges));
      }
      yield* speak(phrases.closing, random.pick(phrases.closing.exchanges));
    }
  }

  const running = turns();
  return { title: phrase('title', known), nextTurn: () => running.next().value };
}

/** Fills the blanks of a template, and remembers in `filled` with what. */
function fill(random: Random, phrases: Phrases, topic: Topic, template: Template, filled: Map<string, string>): string {
  let text = template.parts[0] ?? '';
  template.slots.forEach((slot, i) => {
    let value = filled.get(slot);
    if (value === undefined) {
      value = random.pick(topic.slots.get(slot) ?? phrases.slots.get(slot) ?? []).parts.join('');
      filled.set(slot, value);
    }
    text += value + (template.parts[i + 1] ?? '');
  });
  return text.charAt(0).toUpperCase() + text.slice(1);
}
