/** Runs a client in this process and collects what it says. */
import type { CliIo } from '../../../src/cli/common/io.ts';

export interface Said {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

export async function say(
  run: (args: readonly string[], io: CliIo) => Promise<number>,
  args: readonly string[],
  stdin = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  let [out, err, count] = ['', '', 0];
  const status = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: () => stdin,
    env,
    now: () => 0,
    date: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
  });
  return { out, err, status };
}
