import { z } from 'zod';
import { type Attachment, attachmentSchema, describeAttachment } from '../db/attachments.ts';
import { quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { TableMove } from './table-move.ts';

/** What the run notes of the things that hang on its tables, to tell afterwards what became of them. */
export const recordedAttachmentsSchema = z.object({
  /** What the live tables had when the cutover began, but for what the plan sets itself. */
  source: z.array(attachmentSchema),
  /** What they had right after it; null where nobody has looked yet. */
  carried: z.array(attachmentSchema).nullable(),
});
export type RecordedAttachments = z.infer<typeof recordedAttachmentsSchema>;

/**
 * What the new shape replaces by its own: the primary key, and of columns whose type changes the checks that spoke of
 * nothing else, with their comments, and how the values are stored.
 */
export function isReplaced(attachment: Attachment, moves: readonly TableMove[]): boolean {
  return (
    attachment.kind === 'primary key' ||
    // What a CREATE INDEX CONCURRENTLY left that failed.
    (attachment.kind === 'index' && attachment.definition.endsWith('(not valid)')) ||
    (['check', 'column storage', 'comment'].includes(attachment.kind) && isOfRetyped(attachment, moves))
  );
}

/**
 * Each thing that is gone or says something else, as a finding that blocks. What stood right after the cutover must stand
 * as it did, to the letter. What the source had must say the same there, but for the types that the move changes.
 */
export function attachmentFindings(
  recorded: RecordedAttachments,
  now: readonly Attachment[],
  moves: readonly TableMove[],
): Finding[] {
  const [source, carried, current] = [recorded.source, recorded.carried ?? [], now].map(
    (attachments) => new Map(attachments.map((a) => [describeAttachment(a), a])),
  );
  const findings: Finding[] = [];
  for (const name of new Set([...(source?.keys() ?? []), ...(carried?.keys() ?? [])])) {
    const [before, made, after] = [source?.get(name), carried?.get(name), current?.get(name)];
    const says = (a: Attachment, b: Attachment) => saysTheSame(a, b, moves);
    const expected = made !== undefined && (before === undefined || says(before, made)) ? made : before;
    if (expected === undefined) continue;
    const holds =
      after !== undefined && (expected === made ? after.definition === made.definition : says(expected, after));
    if (after === undefined) findings.push(finding(expected, `${name} is missing`));
    else if (!holds) findings.push(finding(expected, `${name} is altered${fromTo(expected, after)}`));
    else if ([before, made].some((earlier) => earlier !== undefined && isBehind(after, earlier)))
      findings.push(finding(expected, `${name} stands before values that it gave already`));
  }
  return findings;
}

/** What a target has from the moment it is made and built, and not from the cutover. */
const CARRIED_EARLY = new Set([
  'owner',
  'grant',
  'row security',
  'comment',
  'default',
  'generated column',
  'not null',
  'check',
  'unique',
  'exclusion',
  'index',
  'storage',
  'column storage',
]);

/**
 * What hangs on the live tables and not on their targets, though it should by now: it came, or was changed, after the
 * targets were made. Policies, triggers and the like are read again at the cutover, and are not asked for here.
 */
export function lateAttachments(
  source: readonly Attachment[],
  targets: readonly Attachment[],
  moves: readonly TableMove[],
): string[] {
  const onTarget = new Map(targets.map((a) => [`${a.what} on ${a.table}`, a]));
  return source.flatMap((attachment) => {
    const { kind, what, table } = attachment;
    const move = moves.find((m) => quoteName(m.source) === table);
    if (move === undefined || !CARRIED_EARLY.has(kind) || !isMadeEarly(what)) return [];
    const there = onTarget.get(`${what} on ${quoteName(move.target)}`);
    // The text of an index names its table.
    const same = there !== undefined && (kind === 'index' || saysTheSame(attachment, there, moves));
    return same ? [] : [describeAttachment(attachment)];
  });
}

const isMadeEarly = (what: string) => what !== 'replica identity' && !/^comment of (?!the table|column )/.test(what);

function finding({ on }: Attachment, message: string): Finding {
  return {
    severity: 'blocks',
    subject: on ?? message.split(' ')[0] ?? '',
    message,
    hint: 'Put it back as it was; or, where it was meant so, say `tandem verify --accept`.',
  };
}

function fromTo(expected: Attachment, after: Attachment): string {
  const texts = [expected, after].map(({ definition }) => definition.replaceAll(/\s+/g, ' ').trim());
  return texts.every((text) => text.length > 0 && text.length <= 120) ? `: it was ${texts[0]}, and is ${texts[1]}` : '';
}

/** The types of columns may change with the move: of a default on such a column only its being there is compared. */
function saysTheSame(a: Attachment, b: Attachment, moves: readonly TableMove[]): boolean {
  if (a.kind === 'default' && isOfRetyped(a, moves)) return true;
  return withoutTypes(a.definition) === withoutTypes(b.definition);
}

function isOfRetyped({ table, columns }: Attachment, moves: readonly TableMove[]): boolean {
  const move = moves.find((m) => quoteName(m.source) === table);
  const retyped = move?.columns.filter((c) => c.source !== null && c.type !== c.sourceType).map((c) => c.source);
  return columns?.every((column) => retyped?.includes(column)) === true;
}

function isBehind(after: Attachment, earlier: Attachment): boolean {
  if (earlier.position === null || after.countsUp === null) return false;
  if (after.position === null) return true;
  const [now, then] = [BigInt(after.position), BigInt(earlier.position)];
  return after.countsUp ? now < then : now > then;
}

const NAME = '(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)';
const TYPE = `(?:character varying|bit varying|double precision|time(?:stamp)?(?:\\(\\d\\))? with(?:out)? time zone|${NAME}(?:\\.${NAME})?)`;
const TOKENS = new RegExp(
  `('(?:[^']|'')*')|("(?:[^"]|"")*")|::${TYPE}(?:\\(\\d+(?:,\\d+)?\\))?(?:\\[\\])*|[\\s()]+`,
  'g',
);

/** SQL as the server writes it, without casts, and without the parentheses and spaces that come and go with them. */
function withoutTypes(sql: string): string {
  return sql.replaceAll(TOKENS, (_, literal?: string, name?: string) => literal ?? name ?? '');
}
