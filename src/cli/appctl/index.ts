/**
 * ovs-appctl (ovs-appctl(8)): asks a running daemon to do something and shows its answer.
 *
 * Terms. *target*: the daemon, by the path of its control socket or by its name; a name leads to a pidfile, which counts only
 * while its daemon holds a lock on it.
 */
import { describeOptions, loggingOptions, type OptionRow, readOptions } from '../common/getopt.ts';
import { type CliIo, Exit, Fatal, runProgram, withTimeout } from '../common/io.ts';
import { callDaemon } from './target.ts';

const NAME = 'ovs-appctl';
const DEFAULT_TARGET = 'ovs-vswitchd';
/** The daemon answered with an error. */
const REFUSED_STATUS = 2;

export interface AppctlOptions {
  target: string | null;
  timeout: number | null;
  wants: 'help' | 'version' | 'option' | null;
}

export const appctlOptions: readonly OptionRow<AppctlOptions>[] = [
  {
    long: 'target',
    short: 't',
    argument: 'required',
    metavar: 'TARGET',
    help: 'the daemon: its name, or the path of its control socket',
    apply: (draft, text) => {
      if (draft.target !== null) throw new Fatal('-t or --target may be specified only once');
      draft.target = text;
    },
  },
  { long: 'execute', argument: 'none', short: 'e', apply: () => undefined },
  {
    long: 'help',
    short: 'h',
    argument: 'none',
    help: 'show this',
    apply: (draft) => {
      draft.wants ??= 'help';
    },
  },
  {
    long: 'option',
    short: 'o',
    argument: 'none',
    help: 'show the options, for completion in shells',
    apply: (draft) => {
      draft.wants ??= 'option';
    },
  },
  {
    long: 'version',
    short: 'V',
    argument: 'none',
    help: 'show the version',
    apply: (draft) => {
      draft.wants ??= 'version';
    },
  },
  {
    long: 'timeout',
    short: 'T',
    argument: 'required',
    metavar: 'SECS',
    help: 'give up after so many seconds',
    apply: (draft, text) => {
      if (!/^\d+$/.test(text) || Number(text) < 1) throw new Fatal(`value ${text} on -T or --timeout is invalid`);
      draft.timeout = Number(text);
    },
  },
  ...loggingOptions,
];

const helpText = (): string =>
  `${NAME}: ask a running daemon to do something\nusage: ${NAME} [-t TARGET] COMMAND [ARG...]\n` +
  `The command list-commands shows what the daemon can be asked.\n\nOptions:\n${describeOptions(appctlOptions)}`;

const optionText = (): string =>
  appctlOptions
    .map(({ long, short, argument }) => {
      const value = argument === 'none' ? '' : argument === 'required' ? 'ARG' : '[ARG]';
      return `--${long}${value && `=${value}`}\n${short === undefined ? '' : `-${short} ${value}\n`}`;
    })
    .join('');

function wanted(wants: AppctlOptions['wants']): string {
  if (wants === 'help') return helpText();
  return wants === 'option' ? optionText() : `${NAME} (Open vSwitch) 3.1.0\n`;
}

/** Runs one command line. @returns the exit status: 0; 1 for an error; 2 when the daemon answers with one */
export function runAppctl(args: readonly string[], given: CliIo): Promise<number> {
  return runProgram(NAME, args, given, async (io) => {
    const options: AppctlOptions = { target: null, timeout: null, wants: null };
    const [command, ...rest] = readOptions(appctlOptions, args, options, 'first');
    if (options.wants !== null) {
      io.out(wanted(options.wants));
      return;
    }
    if (command === undefined) throw new Fatal('at least one non-option argument is required (use --help for help)');
    const target = options.target ?? DEFAULT_TARGET;
    const run = async (): Promise<void> => {
      const { text, isError } = await callDaemon(io, target, command, rest);
      (isError ? io.err : io.out)(text);
      if (!isError) return;
      io.err(`${NAME}: ${target}: server returned an error\n`);
      throw new Exit(REFUSED_STATUS);
    };
    await withTimeout(options.timeout, io, run());
  });
}
