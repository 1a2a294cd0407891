/** Patterns of log lines (ovs-appctl(8), "vlog/set PATTERN"): conversions behind %, with an optional width. */
import { hostname } from 'node:os';
import { basename } from 'node:path';

export interface LogRecord {
  readonly time: Date;
  readonly count: number;
  readonly module: string;
  readonly level: string;
  readonly message: string;
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const timeParts: Readonly<Record<string, (time: Date) => string>> = {
  Y: (time) => String(time.getUTCFullYear()),
  m: (time) => pad(time.getUTCMonth() + 1),
  d: (time) => pad(time.getUTCDate()),
  e: (time) => String(time.getUTCDate()).padStart(2),
  h: (time) => months[time.getUTCMonth()]!,
  b: (time) => months[time.getUTCMonth()]!,
  H: (time) => pad(time.getUTCHours()),
  M: (time) => pad(time.getUTCMinutes()),
  S: (time) => pad(time.getUTCSeconds()),
  T: (time) => time.toISOString().slice(11, 19),
};

/** A time as strftime(3) writes it, with milliseconds for `###`; conversions that logs have no use for stay as they are. */
const formatTime = (format: string, time: Date): string =>
  format
    .replace(/%([A-Za-z])/g, (whole, letter: string) => timeParts[letter]?.(time) ?? whole)
    .replaceAll('###', pad(time.getUTCMilliseconds(), 3));

const started = performance.now();
/** Facility "daemon" and the severities of RFC 5424 §6.2.1. */
const priorities: Readonly<Record<string, number>> = { EMER: 25, ERR: 27, WARN: 28, INFO: 30, DBG: 31 };
const TIME_DEFAULT = '%Y-%m-%d %H:%M:%S';

const conversions: Readonly<Record<string, (record: LogRecord, argument: string | undefined) => string>> = {
  A: () => basename(process.argv[1] ?? '', '.ts'),
  B: ({ level }) => String(priorities[level] ?? 0),
  c: ({ module }) => module,
  d: ({ time }, format) => formatTime(format ?? TIME_DEFAULT, time),
  D: ({ time }, format) => formatTime(format ?? TIME_DEFAULT, time),
  E: () => hostname(),
  m: ({ message }) => message,
  N: ({ count }) => String(count),
  n: () => '\n',
  P: () => String(process.pid),
  p: ({ level }) => level,
  r: () => String(Math.floor(performance.now() - started)),
  // One thread logs: its name is the program's, which stands for itself
  t: (_record, other) => other ?? '',
  T: (_record, other) => other ?? '',
  '%': () => '%',
};

export function formatRecord(pattern: string, record: LogRecord): string {
  return pattern.replace(
    /%(-?)(0?)(\d*)([a-zA-Z%])(?:\{((?:[^{}])*)\})?/g,
    (whole, left: string, zero: string, width: string, letter: string, argument: string | undefined) => {
      const text = conversions[letter]?.(record, argument);
      if (text === undefined) return whole;
      return left ? text.padEnd(Number(width)) : text.padStart(Number(width), zero ? '0' : ' ');
    },
  );
}
