const END = '<!-- Down to here. -->';

/** `document` with its part between the mark `begin` and the next end mark written anew. */
export function replaceMarkedPart(document: string, begin: string, content: string): string {
  const [before, rest] = document.split(begin);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`The marks are missing: ${begin} … ${END}`);
  return `${before}${begin}\n\n${content}\n${END}${after}`;
}
