/** A command-line client as a process: standard streams, clocks and the exit status. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CliIo } from '../cli/common/io.ts';

export type Client = (args: readonly string[], io: CliIo) => Promise<number>;

/** The world, with text going where the caller says. */
export const clientIo = (out: (text: string) => void, err: (text: string) => void): CliIo => ({
  out,
  err,
  stdin: () => readFileSync(0, 'utf8'),
  env: process.env,
  now: () => performance.now(),
  date: () => Date.now(),
  uuid: () => randomUUID(),
});

/** Runs a client on this process's command line and ends the process with its status. */
export async function runProcess(client: Client): Promise<void> {
  // Who closes the pipe has seen enough
  process.stdout.on('error', () => process.exit(1));
  const io = clientIo(
    (text) => void process.stdout.write(text),
    (text) => void process.stderr.write(text),
  );
  process.exitCode = await client(process.argv.slice(2), io);
}
