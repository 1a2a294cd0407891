/**
 * ovs-dpctl's commands (ovs-dpctl(8)) on the datapath of a running switch: there is none in the kernel, so each goes to the
 * daemon as `dpctl/COMMAND` and its answer is shown.
 *
 * Not supported: add-flows, mod-flows and files for del-flows read by this program: the daemon reads them, from its own folder.
 */
import { callDaemon } from '../appctl/target.ts';
import { describeOptions, loggingOptions, type OptionRow, readOptions } from '../common/getopt.ts';
import { type CliIo, Exit, Fatal, parseTimeout, runProgram, withTimeout } from '../common/io.ts';

const NAME = 'ovs-dpctl';
const DEFAULT_TARGET = 'ovs-vswitchd';
const MANY = Number.MAX_SAFE_INTEGER;

interface DpctlOptions {
  target: string;
  timeout: number | null;
  isReadOnly: boolean;
  /** Options that the daemon's command takes as well. */
  passed: string[];
  wants: 'help' | 'version' | null;
}

export interface DpctlCommand {
  readonly name: string;
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  readonly writes: boolean;
  readonly help: string;
}

type Row = readonly [name: string, usage: string, least: number, most: number, access: 'ro' | 'rw', help: string];

const rows: readonly Row[] = [
  ['add-dp', 'DP [IFACE]...', 1, MANY, 'rw', 'make a datapath'],
  ['del-dp', 'DP', 1, 1, 'rw', 'delete a datapath'],
  ['add-if', 'DP IFACE...', 2, MANY, 'rw', 'add ports to a datapath'],
  ['set-if', 'DP IFACE...', 2, MANY, 'rw', 'change ports of a datapath'],
  ['del-if', 'DP IFACE...', 2, MANY, 'rw', 'delete ports of a datapath'],
  ['dump-dps', '', 0, 0, 'ro', 'show the names of all datapaths'],
  ['show', '[DP]...', 0, MANY, 'ro', 'show datapaths and their ports'],
  ['dump-flows', '[DP]', 0, 6, 'ro', 'show the flows of a datapath'],
  ['add-flow', '[DP] FLOW ACTIONS', 2, 3, 'rw', 'add a flow'],
  ['add-flows', '[DP] FILE', 1, 2, 'rw', 'add the flows of a file'],
  ['mod-flow', '[DP] FLOW ACTIONS', 2, 3, 'rw', 'change a flow’s actions'],
  ['mod-flows', '[DP] FILE', 1, 2, 'rw', 'change the flows of a file'],
  ['get-flow', '[DP] ufid:UFID', 1, 2, 'ro', 'show one flow'],
  ['del-flow', '[DP] FLOW', 1, 2, 'rw', 'delete a flow'],
  ['del-flows', '[DP] [FILE]', 0, 2, 'rw', 'delete all flows, or those of a file'],
  ['cache-get-size', '[DP]', 0, 1, 'ro', 'show the sizes of caches'],
  ['cache-set-size', 'DP CACHE SIZE', 3, 3, 'rw', 'set the size of a cache'],
  ['dump-conntrack', '[DP] [zone=ZONE]', 0, 4, 'ro', 'show connections'],
  ['flush-conntrack', '[DP] [zone=ZONE] [TUPLE]', 0, 4, 'rw', 'delete connections'],
  ['ct-stats-show', '[DP] [zone=ZONE] [verbose]', 0, 3, 'ro', 'count connections by protocol'],
  ['ct-bkts', '[DP] [gt=N]', 0, 2, 'ro', 'count connections by bucket'],
];

export const dpctlCommands: readonly DpctlCommand[] = rows.map(([name, usage, least, most, access, help]) => ({
  name,
  usage,
  least,
  most,
  writes: access === 'rw',
  help,
}));

const passed = (long: string, word: string, help: string, short?: string): OptionRow<DpctlOptions> => ({
  long,
  ...(short === undefined ? {} : { short }),
  argument: 'none',
  help,
  apply: (draft) => {
    draft.passed.push(word);
  },
});

export const dpctlOptions: readonly OptionRow<DpctlOptions>[] = [
  passed('statistics', '-s', 'show statistics as well', 's'),
  passed('more', '-m', 'show more of each flow', 'm'),
  passed('names', '--names', 'ports by name'),
  passed('no-names', '--no-names', 'ports by number'),
  passed('may-create', '--may-create', 'mod-flow: make the flow when it is not there'),
  passed('clear', '--clear', 'mod-flow: reset its statistics'),
  {
    long: 'read-only',
    argument: 'none',
    help: 'refuse commands that change something',
    apply: (draft) => {
      draft.isReadOnly = true;
    },
  },
  {
    long: 'target',
    argument: 'required',
    metavar: 'TARGET',
    help: 'the daemon: its name, or the path of its control socket',
    apply: (draft, text) => {
      draft.target = text;
    },
  },
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
    long: 'version',
    short: 'V',
    argument: 'none',
    help: 'show the version',
    apply: (draft) => {
      draft.wants ??= 'version';
    },
  },
  ...loggingOptions,
];

function helpText(): string {
  const lines = dpctlCommands.map(({ name, usage, help }) => `  ${`${name} ${usage}`.trimEnd().padEnd(36)} ${help}\n`);
  const head = `${NAME}: look at and change the datapath of a running switch\nusage: ${NAME} [OPTIONS] COMMAND [ARG...]\n`;
  return `${head}${lines.join('')}\nOptions:\n${describeOptions(dpctlOptions)}`;
}

/** @throws Fatal */
function find(name: string | undefined, count: number, isReadOnly: boolean): DpctlCommand {
  if (name === undefined) throw new Fatal('missing command name; use --help for help');
  const command = dpctlCommands.find((one) => one.name === name);
  if (!command) throw new Fatal(`unknown command '${name}'; use --help for help`);
  if (count < command.least) throw new Fatal(`'${name}' command requires at least ${command.least} arguments`);
  if (count > command.most) throw new Fatal(`'${name}' command takes at most ${command.most} arguments`);
  if (isReadOnly && command.writes) throw new Fatal(`'${name}' command does not work in read only mode`);
  return command;
}

/** Runs one command line. @returns the exit status */
export function runDpctl(args: readonly string[], given: CliIo): Promise<number> {
  return runProgram(NAME, args, given, async (io) => {
    const options: DpctlOptions = {
      target: DEFAULT_TARGET,
      timeout: null,
      isReadOnly: false,
      passed: [],
      wants: null,
    };
    const [name, ...rest] = readOptions(dpctlOptions, args, options, 'anywhere');
    if (options.wants !== null) {
      io.out(options.wants === 'help' ? helpText() : `${NAME} (Open vSwitch) 3.1.0\n`);
      return;
    }
    const command = find(name, rest.length, options.isReadOnly);
    const run = async (): Promise<void> => {
      const words = [...options.passed, ...rest];
      const { text, isError } = await callDaemon(io, options.target, `dpctl/${command.name}`, words);
      if (!isError) {
        io.out(text);
        return;
      }
      io.err(text.replace(/^(?!ovs-dpctl: )(?=.)/, `${NAME}: `));
      throw new Exit(1);
    };
    await withTimeout(options.timeout, io, run());
  });
}
