import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const [PROMTOOL, PROMETHEUS] = ['/usr/bin/promtool', '/usr/bin/prometheus'];

/** Debian's prometheus; null where it is not installed. */
export const prometheusPath = existsSync(PROMETHEUS) && existsSync(PROMTOOL) ? PROMETHEUS : null;

/** Runs promtool with `input` on its standard input. */
export function promtool(args: readonly string[], input = ''): Promise<{ code: number | null; output: string }> {
  const child = spawn(PROMTOOL, args);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, output }));
  });
}
