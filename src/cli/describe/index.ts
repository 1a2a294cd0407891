/** Every client in one description: what completions and man pages are made from, and help takes the same tables. */
import { appctlOptions } from '../appctl/index.ts';
import { dpctlCommands, dpctlOptions } from '../dpctl/index.ts';
import { clientOptions, clientUsage } from '../ovsdb/client.ts';
import { clientCommands } from '../ovsdb/client-commands.ts';
import { toolCommands, toolOptions } from '../ovsdb/tool.ts';
import { commands as vsctlCommands } from '../vsctl/commands.ts';
import { programOptions as vsctlOptions } from '../vsctl/options.ts';
import { ofctlCommands, ofctlOptions } from './ofctl.ts';
import type { ToolDescription } from './types.ts';

export type { ToolDescription } from './types.ts';

const STATUS = 'Ends with status 0, or with 1 after an error.';

export const tools: readonly ToolDescription[] = [
  {
    program: 'ovs-vsctl',
    words: ['vsctl'],
    title: 'configure a switch through its database',
    synopsis: '[OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...',
    options: vsctlOptions,
    commands: vsctlCommands,
    notes: [
      'Several commands, with -- between them, are carried out together or not at all. Options of a command stand before its name.',
      'Tables and columns may be abbreviated; a row is named by its UUID, the beginning of it, or its name.',
      `${STATUS} br-exists ends with 2 when there is no such bridge.`,
    ],
  },
  {
    program: 'ovs-ofctl',
    words: ['ofctl'],
    title: 'look at and change an OpenFlow switch',
    synopsis: '[OPTIONS] COMMAND [ARG...]',
    options: ofctlOptions,
    commands: ofctlCommands,
    notes: [`${STATUS} diff-flows ends with 2 when there are differences.`],
  },
  {
    program: 'ovs-appctl',
    words: ['appctl'],
    title: 'ask a running daemon to do something',
    synopsis: '[OPTIONS] COMMAND [ARG...]',
    options: appctlOptions,
    commands: [
      { name: 'list-commands', usage: '', help: 'show what the daemon can be asked' },
      { name: 'version', usage: '', help: 'show the daemon’s version' },
      { name: 'vlog/list', usage: '', help: 'show the levels of log messages' },
      { name: 'vlog/set', usage: '[SPEC]', help: 'set the levels of log messages' },
      { name: 'vlog/reopen', usage: '', help: 'open the log file again' },
    ],
    notes: [
      'What a daemon can be asked is its own affair: list-commands shows all of it.',
      `${STATUS} 2 after an error of the daemon.`,
    ],
  },
  {
    program: 'ovs-dpctl',
    words: ['dpctl'],
    title: 'look at and change the datapath of a running switch',
    synopsis: '[OPTIONS] COMMAND [ARG...]',
    options: dpctlOptions,
    commands: dpctlCommands,
    notes: ['The datapath is the daemon’s own: every command is carried out there.', STATUS],
  },
  {
    program: 'ovsdb-client',
    words: ['ovsdb', 'client'],
    title: 'talk to a database server',
    synopsis: '[OPTIONS] COMMAND [SERVER] [DATABASE] [ARG...]',
    options: clientOptions,
    commands: clientCommands.map((command) => ({ ...command, usage: clientUsage(command) })),
    notes: [STATUS],
  },
  {
    program: 'ovsdb-tool',
    words: ['ovsdb', 'tool'],
    title: 'make, look at and change database files',
    synopsis: '[OPTIONS] COMMAND [ARG...]',
    options: toolOptions,
    commands: toolCommands,
    notes: ['No server may have the file open.', `${STATUS} 2 is a “no” of commands that answer by it.`],
  },
];
