import { describe, expect, test } from 'vitest';
import { beginLesson, type Language, languageOf, languages, levelOf, messageTypes } from '../../src/demo/dialogue.ts';
import { parsePhrases } from '../../src/demo/phrases/parse.ts';
import { createRandom } from '../../src/demo/random.ts';

/** Letters and marks by which each language is told from the others. */
const typical: Record<Language, RegExp> = { en: /\bthe\b/, es: /[ñ¿¡]/, fr: /[êçèà]|œ/, de: /[äöüß]/ };

function turns(language: Language, seed: number, lessons: number, length: number) {
  return Array.from({ length: lessons }, (_, stream) => {
    const lesson = beginLesson(createRandom(seed, stream), language, 'beginner');
    return { title: lesson.title, turns: Array.from({ length }, () => lesson.nextTurn()) };
  });
}

describe.each(languages)('lessons in %s', (language) => {
  const lessons = turns(language, 1, 500, 30);
  const contents = lessons.flatMap((lesson) => lesson.turns.map((turn) => turn.content));

  test('are the same for the same seed, and others for another', () => {
    expect(turns(language, 1, 20, 30)).toEqual(lessons.slice(0, 20));
    expect(turns(language, 2, 20, 30)).not.toEqual(lessons.slice(0, 20));
  });

  test('vary: of 15,000 messages at least 5,000 are unlike any other, on at least ten topics', () => {
    expect(new Set(contents).size).toBeGreaterThan(5_000);
    expect(new Set(lessons.map((lesson) => lesson.title)).size).toBeGreaterThan(80);
    const counts = new Map<string, number>();
    for (const content of contents) counts.set(content, (counts.get(content) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBeLessThan(contents.length / 50);
  });

  test('are sentences of that language, with no blank left open', () => {
    expect(contents.filter((content) => typical[language].test(content)).length).toBeGreaterThan(2_000);
    for (const content of [...contents, ...lessons.map((lesson) => lesson.title)]) {
      expect(content).toMatch(/^[\p{Lu}\p{N}¿¡«„]/u);
      expect(content).not.toMatch(/[{}|@#\\\t\n\uFFFD]| {2}|>>|undefined/);
      expect(content).toBe(content.normalize('NFC'));
    }
  });

  test('begin with a system message, and go on in the words of tutor and student', () => {
    for (const lesson of lessons) {
      expect(lesson.turns[0]?.type).toBe('system');
      expect(lesson.turns.slice(1).every((turn) => turn.type !== 'system')).toBe(true);
    }
    const used = new Set(lessons.flatMap((lesson) => lesson.turns.map((turn) => turn.type)));
    expect([...used].sort()).toEqual([...messageTypes].sort());
  });
});

test('no two languages share their sentences', () => {
  const seen = new Map<string, Language>();
  for (const language of languages) {
    for (const { turns: spoken } of turns(language, 3, 200, 20)) {
      for (const { content } of spoken) {
        expect(seen.get(content) ?? language).toBe(language);
        seen.set(content, language);
      }
    }
  }
});

test('an answer speaks of the same things as its question', () => {
  const corrections = turns('en', 1, 50, 60)
    .flatMap((lesson) => lesson.turns)
    .filter(({ content }) => content.includes('we say "I have been here'));
  expect(corrections.length).toBeGreaterThan(3);
  for (const lesson of turns('en', 1, 50, 60)) {
    lesson.turns.forEach(({ content }, i) => {
      const days = /we say "I have been here for (\w+) days"/.exec(content)?.[1];
      if (days && lesson.turns[i + 1]) expect(lesson.turns[i + 1]?.content).toContain(`here for ${days} days`);
    });
  }
});

test('words of the database that no lesson knows are refused', () => {
  expect(languageOf('fr')).toBe('fr');
  expect(levelOf('advanced')).toBe('advanced');
  expect(() => languageOf('it')).toThrow(/"it" is none of en, es, fr, de/);
  expect(() => levelOf('expert')).toThrow(RangeError);
});

describe('phrases that cannot be right are refused', () => {
  const three = '# One\nA >> B\n# Two\nA >> B\n# Three\nA >> B\n';

  test('a blank without fillings', () => {
    expect(() => parsePhrases(`${three}# Four\nWhere is {place}? >> There.`)).toThrow(
      /"Four" has no fillings for {place}/,
    );
    expect(parsePhrases(`@place: here\n${three}# Four\nWhere is {place}? >> There.`).topics).toHaveLength(1);
  });

  test('a line that is nothing of the format', () => {
    expect(() => parsePhrases(`${three}# Four\nA > B`)).toThrow(/neither slot, topic nor exchange: A > B/);
    expect(() => parsePhrases('A >> B')).toThrow(/neither/);
  });

  test('too few topics', () => {
    expect(() => parsePhrases(three)).toThrow(/four topics/);
  });
});
