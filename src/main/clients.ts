/** `weft vsctl`, `appctl`, `dpctl`, `ovsdb`, `completion`: the clients, for machines without Open vSwitch. */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runAppctl } from '../cli/appctl/index.ts';
import { runDpctl } from '../cli/dpctl/index.ts';
import { runOvsdbClient } from '../cli/ovsdb/client.ts';
import { runOvsdbTool } from '../cli/ovsdb/tool.ts';
import { runVsctl } from '../cli/vsctl/index.ts';
import { type Client, clientIo } from './client-process.ts';
import { completionFor, shells } from './docs/completion.ts';
import type { Summary } from './docs/man.ts';
import { UsageError } from './failure.ts';
import type { Console } from './terminal.ts';

type Output = Pick<Console, 'out' | 'err'>;
type Run = (args: readonly string[], out: Output, top: readonly Summary[]) => Promise<number>;

const client =
  (run: Client): Run =>
  (args, { out, err }) =>
    run(args, clientIo(out, err));

/** The server takes this process over: it reads its command line itself, and may start itself again. */
async function runServer(args: readonly string[]): Promise<number> {
  const file = import.meta.url.endsWith('.ts') ? './ovsdb-server.ts' : './ovsdb-server.js';
  const url = new URL(file, import.meta.url);
  process.argv = [process.argv[0]!, fileURLToPath(url), ...args];
  await import(url.href);
  return 0;
}

const ovsdbPrograms: Readonly<Record<string, Run>> = {
  client: client(runOvsdbClient),
  tool: client(runOvsdbTool),
  server: runServer,
};

const runOvsdb: Run = (args, out, top) => {
  const [name, ...rest] = args;
  if (name !== undefined && Object.hasOwn(ovsdbPrograms, name)) return ovsdbPrograms[name]!(rest, out, top);
  const usage = `usage: weft ovsdb ${Object.keys(ovsdbPrograms).join('|')} [ARG...]`;
  if (name !== undefined && name !== '--help' && name !== '-h')
    throw new UsageError(`no such program: ${name}; ${usage}`);
  out.out(`${usage}\n`);
  return Promise.resolve(name === undefined ? 2 : 0);
};

const runCompletion: Run = (args, out, top) => {
  const [shell] = args;
  const known = shells.find((one) => one === shell);
  if (!known || args.length > 1) throw new UsageError(`usage: weft completion ${shells.join('|')}`);
  out.out(completionFor(known, top));
  return Promise.resolve(0);
};

/** What reads its own command line: commander would take the `--` between commands for its own. */
const clients: Readonly<Record<string, readonly [description: string, run: Run]>> = {
  vsctl: ["ovs-vsctl's commands: configure a switch through its database", client(runVsctl)],
  appctl: ["ovs-appctl's commands: ask a running daemon to do something", client(runAppctl)],
  dpctl: ["ovs-dpctl's commands: look at and change a datapath", client(runDpctl)],
  ovsdb: ['ovsdb-client, ovsdb-tool and ovsdb-server', runOvsdb],
  completion: ['completions for bash, zsh or fish', runCompletion],
};

/** Runs a command line that begins with a client's name; null for any other. @param top all subcommands of weft */
export function runClientCommand(
  args: readonly string[],
  out: Output,
  top: readonly Summary[],
): Promise<number> | null {
  const [name, ...rest] = args;
  const found = name !== undefined && Object.hasOwn(clients, name) ? clients[name] : undefined;
  return found ? found[1](rest, out, top) : null;
}

/** For the list of commands: runClientCommand has taken these before anything is parsed. */
export const clientCommands: readonly ((console: Console) => Command)[] = Object.entries(clients).map(
  ([name, [description]]) =>
    () =>
      new Command(name).description(description).argument('[args...]'),
);
