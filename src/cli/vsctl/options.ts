/** ovs-vsctl's command line: its own options, then commands with theirs, `--` between them. */
import { loggingOptions, type OptionRow, readOptions } from '../common/getopt.ts';
import { Fatal, parseTimeout } from '../common/io.ts';
import { noTls, type TlsFiles, tlsOptions } from '../common/rpc.ts';
import { listStyle, type TableStyle, tableOptions } from '../common/table.ts';
import { commands } from './commands.ts';
import type { VsctlCommand } from './context.ts';

export interface VsctlOptions {
  /** Null for the socket in the run-time folder. */
  database: string | null;
  waits: boolean;
  isDry: boolean;
  isOneLine: boolean;
  retries: boolean;
  timeout: number | null;
  style: TableStyle;
  tls: TlsFiles;
  wants: 'help' | 'version' | 'commands' | 'options' | null;
  /** Options of the first command that stood among the program's own. */
  local: Map<string, string>;
}

const flag = (
  long: string,
  help: string | undefined,
  apply: (draft: VsctlOptions) => void,
  short?: string,
): OptionRow<VsctlOptions> => ({
  long,
  ...(short === undefined ? {} : { short }),
  argument: 'none',
  ...(help === undefined ? {} : { help }),
  apply,
});

const nothing = (): void => undefined;

/** The program's own options. */
export const programOptions: readonly OptionRow<VsctlOptions>[] = [
  {
    long: 'db',
    argument: 'required',
    metavar: 'DATABASE',
    help: 'the database server: unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT, or passive punix:, ptcp:',
    apply: (draft, text) => {
      draft.database = text;
    },
  },
  flag('no-syslog', undefined, nothing),
  flag('no-wait', 'do not wait until the switch has done it', (draft) => {
    draft.waits = false;
  }),
  flag('dry-run', 'show what would be shown, change nothing', (draft) => {
    draft.isDry = true;
  }),
  flag('oneline', 'one line of output a command', (draft) => {
    draft.isOneLine = true;
  }),
  {
    long: 'timeout',
    short: 't',
    argument: 'required',
    metavar: 'SECS',
    help: 'give up after so many seconds',
    apply: (draft, text) => {
      draft.timeout = parseTimeout(text);
    },
  },
  flag('retry', 'try for ever to reach the server', (draft) => {
    draft.retries = true;
  }),
  flag('help', 'show this', (draft) => setWant(draft, 'help'), 'h'),
  flag('commands', 'show the commands, for completion in shells', (draft) => setWant(draft, 'commands')),
  flag('options', 'show the options, for completion in shells', (draft) => setWant(draft, 'options')),
  flag('leader-only', undefined, nothing),
  flag('no-leader-only', undefined, nothing),
  flag('shuffle-remotes', undefined, nothing),
  flag('no-shuffle-remotes', undefined, nothing),
  flag('version', 'show the version', (draft) => setWant(draft, 'version'), 'V'),
  ...loggingOptions,
  ...tableOptions,
  ...tlsOptions,
];

/** What ends the reading of the command line at once. */
class Done extends Error {}

function setWant(draft: VsctlOptions, wants: VsctlOptions['wants']): void {
  draft.wants = wants;
  throw new Done();
}

function localOptions(): OptionRow<VsctlOptions>[] {
  const names = [...new Set(commands.flatMap(({ options }) => options))];
  return names.map((name) => {
    const hasArgument = name.endsWith('=');
    const plain = hasArgument ? name.slice(0, -1) : name;
    return {
      long: plain.slice(2),
      argument: hasArgument ? 'required' : 'none',
      apply: (draft, value) => {
        draft.local.set(plain, hasArgument ? value : NO_VALUE);
      },
    };
  });
}

/** Stands for "no argument" in a command's options. */
const NO_VALUE = '\0';

export interface CommandCall {
  readonly command: VsctlCommand;
  readonly args: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** @throws Fatal for an option that the command has not, or not like that */
function checkOptions(command: VsctlCommand, options: ReadonlyMap<string, string>): void {
  for (const [name, value] of options) {
    const known = command.options.find((option) => option === name || option === `${name}=`);
    if (!known) throw new Fatal(`'${command.name}' command has no '${name}' option`);
    const wantsArgument = known.endsWith('=');
    if (wantsArgument === (value !== NO_VALUE)) continue;
    if (wantsArgument) throw new Fatal(`missing argument to '${name}' option on '${command.name}' command`);
    throw new Fatal(`'${name}' option on '${command.name}' does not accept an argument`);
  }
}

function parseCommand(words: readonly string[], local: ReadonlyMap<string, string>): CommandCall {
  const options = new Map(local);
  let at = 0;
  for (; at < words.length && words[at]!.startsWith('-'); at++) {
    const [, name, value = NO_VALUE] = /^([^=]*)(?:=([\s\S]*))?$/.exec(words[at]!)!;
    if (options.has(name!)) throw new Fatal(`'${words[at]}' option specified multiple times`);
    options.set(name!, value);
  }
  const name = words[at];
  if (name === undefined) throw new Fatal('missing command name (use --help for help)');
  const command = commands.find((one) => one.name === name);
  if (!command) throw new Fatal(`unknown command '${name}'; use --help for help`);
  checkOptions(command, options);
  const args = words.slice(at + 1);
  if (args.length < command.least) {
    throw new Fatal(`'${name}' command requires at least ${command.least} arguments`);
  }
  if (args.length > command.most) {
    const hint = args.some((arg) => arg.startsWith('-'))
      ? ' (note that options must precede command names and follow a "--" argument)'
      : '';
    throw new Fatal(`'${name}' command takes at most ${command.most} arguments${hint}`);
  }
  return { command, args, options };
}

/** The words between `--` and `--`. */
function splitCommands(words: readonly string[]): string[][] {
  const groups: string[][] = [[]];
  for (const word of words) {
    if (word === '--') groups.push([]);
    else groups.at(-1)!.push(word);
  }
  return groups.filter((group) => group.length > 0);
}

/** @throws Fatal */
export function parseCommandLine(args: readonly string[]): { options: VsctlOptions; calls: CommandCall[] } {
  const options: VsctlOptions = {
    database: null,
    waits: true,
    isDry: false,
    isOneLine: false,
    retries: false,
    timeout: null,
    style: listStyle(),
    tls: noTls(),
    wants: null,
    local: new Map(),
  };
  let words: string[];
  try {
    words = readOptions([...programOptions, ...localOptions()], args, options, 'first');
  } catch (error) {
    if (error instanceof Done) return { options, calls: [] };
    throw error;
  }
  const groups = splitCommands(words);
  if (groups.length === 0) throw new Fatal('missing command name (use --help for help)');
  const noOptions: ReadonlyMap<string, string> = new Map();
  return { options, calls: groups.map((group, i) => parseCommand(group, i === 0 ? options.local : noOptions)) };
}
