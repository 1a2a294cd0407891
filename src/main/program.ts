/** The weft command as a function: arguments in, text and a status out. One subcommand a file. */
import { Command, CommanderError } from 'commander';
import { applyCommand, confirmCommand } from './apply.ts';
import { clientCommands, runClientCommand } from './clients.ts';
import { demoCommand } from './demo.ts';
import type { Summary } from './docs/man.ts';
import { doctorCommand } from './doctor.ts';
import { UsageError } from './failure.ts';
import { ofctlCommand } from './ofctl.ts';
import { replayCommand } from './replay.ts';
import { runCommand } from './run.ts';
import type { Console } from './terminal.ts';
import { topCommand } from './top.ts';
import { traceCommand } from './trace.ts';

const USAGE_STATUS = 2;

const subcommands: readonly ((console: Console) => Command)[] = [
  demoCommand,
  runCommand,
  applyCommand,
  confirmCommand,
  topCommand,
  doctorCommand,
  replayCommand,
  traceCommand,
  ofctlCommand,
  ...clientCommands,
];

const silent: Console = {
  out: () => undefined,
  err: () => undefined,
  paint: (_style, text) => text,
  setStatus: () => undefined,
};

/** What there is, for completions and manual pages. */
export const subcommandSummaries = (): Summary[] =>
  subcommands.map((make) => {
    const command = make(silent);
    return { name: command.name(), help: command.description() };
  });

/** Runs one command line and returns its exit status: 0, 1 for a bad outcome, 2 for what cannot be carried out. */
export async function runWeft(args: readonly string[], out: Omit<Console, 'setStatus'>): Promise<number> {
  let status = 0;
  const console: Console = {
    ...out,
    setStatus: (value) => {
      status = value;
    },
  };
  const configure = (command: Command): Command =>
    command.exitOverride().configureOutput({ writeOut: out.out, writeErr: out.err });
  const program = configure(new Command('weft'))
    .description('A virtual switch: a WebAssembly datapath, and whole networks of switches in memory.')
    .showHelpAfterError('(add --help for what there is)');
  for (const command of subcommands) program.addCommand(configure(command(console)));
  try {
    const client = runClientCommand(args, out, subcommandSummaries());
    if (client) return await client;
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    return failed(error, out.err);
  }
  return status;
}

function failed(error: unknown, err: (text: string) => void): number {
  // commander has printed its own message, or the help that was asked for
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_STATUS;
  if (error instanceof UsageError) {
    err(`weft: ${error.message}\n`);
    return USAGE_STATUS;
  }
  err(`weft: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
