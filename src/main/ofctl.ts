/** `weft ofctl …`: ovs-ofctl's commands, for machines without Open vSwitch. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { runOfctl } from '../cli/ofctl/index.ts';
import { clientIo } from './client-process.ts';
import type { Console } from './terminal.ts';

export function ofctlCommand(console: Console): Command {
  return new Command('ofctl')
    .description("ovs-ofctl's commands: look at and change an OpenFlow switch")
    .argument('[args...]', "ovs-ofctl's options, command and arguments")
    .helpOption(false)
    .allowUnknownOption()
    .action(async (args: string[]) => {
      const status = await runOfctl(args, {
        ...clientIo(console.out, console.err),
        stdin: () => readFileSync(0, 'latin1'),
      });
      console.setStatus(status);
    });
}
