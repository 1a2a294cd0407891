/** What a run of a command-line client has of the world: where it reads and writes, clocks, and how it ends. */

export interface CliIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of standard input. */
  readonly stdin: () => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  /** A new random UUID. */
  readonly uuid: () => string;
  /** Ends what runs for ever: monitors, locks. */
  readonly signal?: AbortSignal;
  /** Warnings are not shown. */
  readonly isQuiet?: boolean;
}

/** Ends the program with this message. */
export class Fatal extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Ends the program with what was printed already. */
export class Exit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

export const DEFAULT_RUNDIR = '/var/run/openvswitch';
export const rundirOf = (io: CliIo): string => io.env.OVS_RUNDIR ?? DEFAULT_RUNDIR;

/** The same world, with warnings as a command line's -v options want them. */
function heeding(args: readonly string[], io: CliIo): CliIo {
  const levels = args.flatMap((arg) => /^(?:-v|--verbose=)(?:(?:console|any):)?([a-z]+)$/i.exec(arg)?.[1] ?? []);
  const level = levels.findLast((one) => ['off', 'emer', 'err', 'warn', 'info', 'dbg'].includes(one));
  return level === undefined ? io : { ...io, isQuiet: ['off', 'emer', 'err'].includes(level) };
}

/** A line as the reference's programs log it to the console; its serial number is always the same. */
export function logLine(io: CliIo, module: string, level: string, text: string): void {
  if (io.isQuiet) return;
  const stamp = new Date(io.date()).toISOString().replace(/\.\d+Z$/, 'Z');
  io.err(`${stamp}|00002|${module}|${level}|${text}\n`);
}

/** The status of a process that an alarm clock ended, as a shell has it. */
const ALARM_STATUS = 142;

/** Runs something for so many seconds at most. @param seconds null for as long as it takes */
export async function withTimeout(seconds: number | null, io: CliIo, run: Promise<void>): Promise<void> {
  if (seconds === null) return run;
  let timer: NodeJS.Timeout | null = null;
  const alarm = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      logLine(io, 'fatal_signal', 'WARN', 'terminating with signal 14 (Alarm clock)');
      reject(new Exit(ALARM_STATUS));
    }, seconds * 1000);
  });
  try {
    await Promise.race([run, alarm]);
  } finally {
    if (timer) clearTimeout(timer);
    run.catch(() => undefined);
  }
}

/** Runs a program's body and turns how it ends into a status; errors are said with the program's name in front. */
export async function runProgram(
  name: string,
  args: readonly string[],
  given: CliIo,
  body: (io: CliIo) => Promise<void>,
): Promise<number> {
  const io = heeding(args, given);
  try {
    await body(io);
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.status;
    if (!(error instanceof Fatal)) throw error;
    io.err(`${name}: ${error.message}\n`);
    return error.status;
  }
}

/** @throws Fatal for anything but a positive number of seconds */
export function parseTimeout(text: string): number {
  const seconds = /^\s*[+]?\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw new Fatal(`value ${text} on -t or --timeout is invalid`);
  return seconds;
}
