/** `weft top`: ports, flows and drops of a running `weft run`, live. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { UsageError } from './failure.ts';
import { askControl, findControl } from './run/client.ts';
import type { RunStatus } from './run/status.ts';
import type { Console } from './terminal.ts';
import { drawTop } from './top/draw.ts';

interface TopOptions {
  readonly ctl?: string;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly interval: string;
}

const CLEAR = '\x1b[H\x1b[2J';

const HELP = `
Without --ctl it shows the one "weft run" that it finds in $WEFT_RUNDIR (/var/run/weft), $WEFT_STATEDIR (/var/lib/weft) and $OVS_RUNDIR.
Rates are those since the picture before; the first picture has totals only.

Exit status: 0; 1 when the switch went away; 2 when there is none, or more than one.`;

export function topCommand(console: Console): Command {
  return new Command('top')
    .description('ports, flows and drops of a running switch, live')
    .option('--ctl <path>', 'its control socket')
    .option('--once', 'one picture, and end')
    .option('--json', 'print what the switch says as JSON; implies --once')
    .option('--interval <seconds>', 'time between two pictures', '1')
    .addHelpText('after', HELP)
    .action(async (options: TopOptions) => console.setStatus(await top(options, console)));
}

async function top(options: TopOptions, console: Console): Promise<number> {
  const interval = Number(options.interval);
  if (!(interval >= 0.1 && interval <= 3600)) throw new UsageError(`not an interval: "${options.interval}"`);
  const path = options.ctl ?? (await findControl(process.env));
  const ask = async (): Promise<RunStatus> => JSON.parse(await askControl(path, 'weft/status')) as RunStatus;
  let last: RunStatus;
  try {
    last = await ask();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (options.json) {
    console.out(`${JSON.stringify(last, null, 2)}\n`);
    return 0;
  }
  if (options.once) {
    console.out(drawTop(console.paint, last, null));
    return 0;
  }
  return watch(ask, last, interval, console);
}

async function watch(
  ask: () => Promise<RunStatus>,
  first: RunStatus,
  interval: number,
  console: Console,
): Promise<number> {
  console.out(CLEAR + drawTop(console.paint, first, null));
  for (let last = first; ; ) {
    await delay(interval * 1000);
    let status: RunStatus;
    try {
      status = await ask();
    } catch (error) {
      console.err(`weft: ${(error as Error).message}\n`);
      return 1;
    }
    console.out(CLEAR + drawTop(console.paint, status, last));
    last = status;
  }
}
