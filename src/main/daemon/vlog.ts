/** Log lines in Open vSwitch's format, on the console and in a file, with levels by destination and module. */
import { closeSync, openSync, writeSync } from 'node:fs';

const levelNames = ['off', 'emer', 'err', 'warn', 'info', 'dbg'] as const;
type LevelName = (typeof levelNames)[number];
type Destination = 'console' | 'file' | 'syslog';
const destinations: readonly Destination[] = ['console', 'file', 'syslog'];
const INFO = levelNames.indexOf('info');

export type Level = 'INFO' | 'WARN' | 'ERR' | 'EMER' | 'DBG';

export class Vlog {
  readonly #default = new Map<Destination, number>(destinations.map((destination) => [destination, INFO]));
  readonly #modules = new Map<string, Map<Destination, number>>();
  #file: string | null = null;
  #fd: number | null = null;
  #count = 0;

  /** Applies a -v specification. @returns what is wrong with it, or null */
  configure(spec: string): string | null {
    let module: string | null = null;
    let destination: Destination | null = null;
    let level: LevelName | null = null;
    for (const word of spec.split(/[ ,:]+/).filter((part) => part !== '')) {
      const lower = word.toLowerCase();
      if (levelNames.includes(lower as LevelName)) level = lower as LevelName;
      else if (destinations.includes(lower as Destination)) destination = lower as Destination;
      else if (lower !== 'any') {
        if (module !== null) return `${module} ${word}: only one module may be given`;
        module = lower;
      }
    }
    const value = levelNames.indexOf(level ?? 'dbg');
    let levels = this.#default;
    if (module !== null) {
      levels = this.#modules.get(module) ?? new Map();
      this.#modules.set(module, levels);
    }
    for (const each of destination ? [destination] : destinations) levels.set(each, value);
    return null;
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

  #isOn(destination: Destination, module: string, level: Level): boolean {
    const limit = this.#modules.get(module)?.get(destination) ?? this.#default.get(destination)!;
    return levelNames.indexOf(level.toLowerCase() as LevelName) <= limit;
  }

  log(module: string, level: Level, message: string): void {
    const time = new Date().toISOString();
    const rest = `|${String(++this.#count).padStart(5, '0')}|${module}|${level}|${message}\n`;
    if (this.#isOn('console', module, level)) process.stderr.write(`${time.slice(0, 19)}Z${rest}`);
    if (this.#fd === null || !this.#isOn('file', module, level)) return;
    try {
      writeSync(this.#fd, time + rest);
    } catch {
      // A log that cannot be written must not stop the server
    }
  }
}
