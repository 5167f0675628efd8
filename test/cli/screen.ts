/** An escape sequence in its parts, or one character. */
const PIECES = new RegExp(`${'\u001b'}\\[(\\??)([\\d;]*)([A-Za-z])|([\\s\\S])`, 'gu');

/**
 * What stands on a terminal after it was sent this: enough of one for what a task list sends. Fails on a sequence that it
 * does not know, which a new version of a library may bring along.
 */
export function screenAfter(sent: string): { lines: string[]; cursorVisible: boolean } {
  const lines: string[][] = [[]];
  let [row, column] = [0, 0];
  let cursorVisible = true;
  const line = () => {
    while (lines.length <= row) lines.push([]);
    return lines[row] ?? [];
  };
  for (const [whole, isPrivate, parameters = '', command, character] of sent.matchAll(PIECES)) {
    const amount = Number(parameters.split(';')[0] || 1);
    if (character === '\n') row += 1;
    else if (character === '\r') column = 0;
    else if (character !== undefined) {
      const cells = line();
      while (cells.length < column) cells.push(' ');
      cells[column] = character;
      column += 1;
    } else if (isPrivate === '?') {
      if (parameters === '25') cursorVisible = command === 'h';
    } else if (command === 'A') row = Math.max(0, row - amount);
    else if (command === 'G') column = amount - 1;
    else if (command === 'H') [row, column] = [0, 0];
    else if (command === 'K') line().splice(parameters === '2' ? 0 : column);
    else if (command === 'J') {
      if (parameters === '2') lines.splice(0);
      else {
        line().splice(column);
        lines.splice(row + 1);
      }
    } else if (command !== 'm') throw new Error(`Unknown to this terminal: ${JSON.stringify(whole)}`);
  }
  return { lines: lines.map((cells) => cells.join('').trimEnd()), cursorVisible };
}
