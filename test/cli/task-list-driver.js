import { createInterface } from 'node:readline';
import { createTaskList } from '../../dist/src/cli/task-list.js';

// Two tasks, which do what is typed: `show compare some text`, `done compare its new title`, `failed swap`, `close`.
const list = createTaskList(
  [
    { key: 'compare', title: 'Compare' },
    { key: 'swap', title: 'Swap' },
  ],
  { ready: Promise.resolve(), interrupted: () => false },
);
for await (const line of createInterface({ input: process.stdin })) {
  const [action, key, ...text] = line.split(' ');
  if (action === 'show') list.show(key, [text.join(' ')]);
  if (action === 'done') list.done(key, text.join(' '));
  if (action === 'failed') list.failed(key);
  if (action === 'close') break;
}
await list.close();
process.exit();
