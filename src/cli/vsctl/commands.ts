/** All commands, in the order of help, with what they are about. */
import { bridgeCommands } from './bridge-commands.ts';
import type { VsctlCommand } from './context.ts';
import { controlCommands } from './control-commands.ts';
import { databaseCommands } from './database-commands.ts';
import { portCommands } from './port-commands.ts';
import { wholeCommands } from './whole-commands.ts';
import { zoneCommands } from './zone-commands.ts';

export const commandGroups: readonly { readonly title: string; readonly commands: readonly VsctlCommand[] }[] = [
  { title: 'Switch', commands: wholeCommands },
  { title: 'Bridges', commands: bridgeCommands },
  { title: 'Ports and interfaces', commands: portCommands },
  { title: 'Controllers, managers and SSL', commands: controlCommands },
  { title: 'Auto-attach and connection tracking', commands: zoneCommands },
  { title: 'Database', commands: databaseCommands },
];

export const commands: readonly VsctlCommand[] = commandGroups.flatMap((group) => group.commands);
