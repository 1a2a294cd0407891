/** A switch under test in a process of its own, which answers each line (a number of packets) with a round's JSON. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Round } from './weft.ts';

/** What the interleaved measurement needs of any switch. */
export interface SwitchUnderTest {
  readonly name: string;
  /** Runs about so many packets and measures them. */
  round(packets: number): Promise<Round>;
  close(): Promise<void>;
}

class Served implements SwitchUnderTest {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended before it answered`);
    return JSON.parse(value);
  }

  async ready(): Promise<this> {
    await this.#answer();
    return this;
  }

  async round(packets: number): Promise<Round> {
    this.#child.stdin!.write(`${packets}\n`);
    return (await this.#answer()) as Round;
  }

  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      else this.#child.once('exit', () => resolve());
    });
    this.#child.stdin!.end();
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(deadline);
  }
}

/** Starts a command that speaks the protocol; resolves when it is ready for the first round. */
export const serve = (name: string, command: string, args: readonly string[]): Promise<SwitchUnderTest> =>
  new Served(name, command, args).ready();
