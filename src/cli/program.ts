import { Command } from 'commander';
import type { ExitCode } from '../engine/errors.ts';
import { archiveCommand } from './commands/archive.ts';
import { backupCommand } from './commands/backup.ts';
import { cutoverCommand } from './commands/cutover.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { finishCommand } from './commands/finish.ts';
import { holdCommand } from './commands/hold.ts';
import { migrateCommand } from './commands/migrate.ts';
import { pauseCommand } from './commands/pause.ts';
import { planCommand } from './commands/plan.ts';
import { recycleCommand } from './commands/recycle.ts';
import { refreshCommand } from './commands/refresh.ts';
import { rehearseCommand } from './commands/rehearse.ts';
import { releaseCommand } from './commands/release.ts';
import { restoreCommand } from './commands/restore.ts';
import { restoreDrillCommand } from './commands/restore-drill.ts';
import { resumeCommand } from './commands/resume.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { scheduleCommand } from './commands/schedule.ts';
import { serveCommand } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { throttleCommand } from './commands/throttle.ts';
import { unarchiveCommand } from './commands/unarchive.ts';
import { undoCommand } from './commands/undo.ts';
import { verifyCommand } from './commands/verify.ts';
import type { Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

/** A command adds itself to the program; what its work resolves to is the exit code. */
export type AddCommand = (program: Command, run: RunCommand) => void;
export type RunCommand = (work: (terminal: Terminal) => Promise<ExitCode>) => Promise<void>;

const commands: readonly AddCommand[] = [
  planCommand,
  rehearseCommand,
  migrateCommand,
  statusCommand,
  pauseCommand,
  resumeCommand,
  throttleCommand,
  cutoverCommand,
  recycleCommand,
  verifyCommand,
  rollbackCommand,
  finishCommand,
  backupCommand,
  restoreCommand,
  restoreDrillCommand,
  archiveCommand,
  holdCommand,
  releaseCommand,
  undoCommand,
  unarchiveCommand,
  refreshCommand,
  serveCommand,
  scheduleCommand,
  doctorCommand,
  exportCommand,
  demoCommand,
];

/** The program with all its commands; the reference in docs/cli.md is generated from it. */
export function createProgram(run: RunCommand): Command {
  const program = new Command('tandem')
    .description('Moves a live PostgreSQL database to a better shape while it is being written to.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .helpCommand('help [command]', 'print what a command takes')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      `
\`tandem <command> --help\` shows examples. The database is named by --database-url, or by DATABASE_URL.

Exit codes: 0 done or holds, 1 a check failed, 2 usage or configuration, 3 refused, 4 interrupted and resumable.`,
    );
  for (const add of commands) add(program, run);
  return program;
}
