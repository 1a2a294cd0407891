/**
 * Log lines in Open vSwitch's format, on the console and in a file, with levels by destination and module.
 *
 * Not supported: the system's log: levels and the pattern for it are kept and shown, and nothing is sent.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { formatRecord } from './vlog-pattern.ts';

const levelNames = ['off', 'emer', 'err', 'warn', 'info', 'dbg'] as const;
type LevelName = (typeof levelNames)[number];
const destinations = ['syslog', 'console', 'file'] as const;
type Destination = (typeof destinations)[number];
const INFO = levelNames.indexOf('info');

export type Level = 'INFO' | 'WARN' | 'ERR' | 'EMER' | 'DBG';

const SYSLOG_PREFIX = '<%B> %D{%h %e %T} %E %A:';
const patterns: Readonly<Record<Destination, string>> = {
  syslog: 'ovs|%05N|%c%T|%p|%m',
  console: '%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
  file: '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
};

/** RFC 5424 §6.2.1, by the names of syslog(3). */
const facilities: ReadonlySet<string> = new Set(
  (
    'auth authpriv clock cron daemon ftp kern lpr mail news ntp syslog user uucp ' +
    'local0 local1 local2 local3 local4 local5 local6 local7'
  ).split(' '),
);

const destinationOf = (word: string): Destination | undefined =>
  destinations.find((name) => name === word.toLowerCase());
const levelOf = (word: string): number => levelNames.indexOf(word.toLowerCase() as LevelName);

export class Vlog {
  /** Null: every name is a module. */
  readonly #known: ReadonlySet<string> | null;
  readonly #default = new Map<Destination, number>(destinations.map((destination) => [destination, INFO]));
  readonly #modules = new Map<string, Map<Destination, number>>();
  readonly #patterns: Record<Destination, string> = { ...patterns };
  #file: string | null = null;
  #fd: number | null = null;
  #count = 0;

  /** @param modules names that may be given levels; all when left out */
  constructor(modules: readonly string[] | null = null) {
    this.#known = modules && new Set(modules);
  }

  /** Applies a -v specification. @returns what is wrong with it, or null */
  configure(spec: string): string | null {
    const [first = '', ...rest] = spec.split(/[ ,:\t]+/).filter((part) => part !== '');
    switch (first.toLowerCase()) {
      case 'pattern':
        return this.#setPattern(spec);
      case 'facility':
        return facilities.has(rest[0]?.toLowerCase() ?? '') ? null : 'invalid facility';
      default:
        return this.#setLevels(first === '' ? [] : [first, ...rest]);
    }
  }

  #setPattern(spec: string): string | null {
    const [, word = '', pattern = ''] = /^[ ,:\t]*\w+[ ,:\t]*([^ ,:\t]*)[ ,:\t]?(.*)$/s.exec(spec) ?? [];
    if (word === '') return 'missing destination';
    const one = destinationOf(word);
    if (!one && word.toLowerCase() !== 'any') return `unknown destination "${word}"`;
    for (const each of one ? [one] : destinations) this.#patterns[each] = pattern;
    return null;
  }

  #setLevels(words: readonly string[]): string | null {
    let module: string | null = null;
    let destination: Destination | null = null;
    let level: number | null = null;
    for (const word of words) {
      const lower = word.toLowerCase();
      const asDestination = destinationOf(word);
      if (lower === 'any') continue;
      if (asDestination) {
        if (destination !== null) return 'cannot specify multiple destinations';
        destination = asDestination;
      } else if (levelOf(word) >= 0) {
        if (level !== null) return 'cannot specify multiple levels';
        level = levelOf(word);
      } else if (!this.#known || this.#known.has(lower)) {
        if (module !== null) return 'cannot specify multiple modules';
        module = lower;
      } else return `no destination, level, or module "${word}"`;
    }
    this.#put(module, destination, level ?? levelNames.length - 1);
    return null;
  }

  #put(module: string | null, destination: Destination | null, level: number): void {
    let levels = this.#default;
    if (module !== null) {
      levels = this.#modules.get(module) ?? new Map();
      this.#modules.set(module, levels);
    }
    for (const each of destination ? [destination] : destinations) {
      levels.set(each, level);
      // What is said of all modules counts for those with a level of their own, too
      if (module === null) for (const own of this.#modules.values()) own.delete(each);
    }
  }

  /** Whether log lines of this module may come. */
  knows(module: string): boolean {
    return this.#known?.has(module.toLowerCase()) ?? true;
  }

  /** Levels of all modules, as `vlog/list` shows them. */
  levelTable(): string {
    const columns = ['console', 'syslog', 'file'] as const;
    const lines = [...(this.#known ?? this.#modules.keys())].map((module) => {
      const levels = columns.map((destination) =>
        levelNames[this.#levelFor(destination, module)]!.toUpperCase().padStart(4),
      );
      return `${module.padEnd(16)}  ${levels[0]}       ${levels[1]}       ${levels[2]}\n`;
    });
    return `                 console    syslog    file\n                 -------    ------    ------\n${lines.join('')}`;
  }

  /** Patterns of all destinations, as `vlog/list-pattern` shows them. */
  patternTable(): string {
    const lines = destinations.map((destination) => {
      const prefix = destination === 'syslog' ? SYSLOG_PREFIX : 'none';
      return `${destination.toUpperCase().padEnd(8)} ${prefix.padEnd(32)}  ${this.#patterns[destination]}\n`;
    });
    return `         prefix                            format\n         ------                            ------\n${lines.join('')}`;
  }

  /** Opens the log file, or opens it again after it was renamed. @throws Error of node:fs */
  open(file: string | null = this.#file): void {
    if (file === null) return;
    const fd = openSync(file, 'a', 0o640);
    this.close();
    this.#file = file;
    this.#fd = fd;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  get file(): string | null {
    return this.#file;
  }

  #levelFor(destination: Destination, module: string): number {
    return this.#modules.get(module)?.get(destination) ?? this.#default.get(destination)!;
  }

  log(module: string, level: Level, message: string): void {
    const record = { time: new Date(), count: ++this.#count, module, level, message };
    const isOn = (destination: Destination): boolean => levelOf(level) <= this.#levelFor(destination, module);
    const line = (destination: Destination): string => `${formatRecord(this.#patterns[destination], record)}\n`;
    if (isOn('console')) process.stderr.write(line('console'));
    if (this.#fd === null || !isOn('file')) return;
    try {
      writeSync(this.#fd, line('file'));
    } catch {
      // A log that cannot be written must not stop the server
    }
  }
}
