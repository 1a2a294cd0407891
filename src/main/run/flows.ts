/** OpenFlow flows of a file: checked as text, compared with a bridge's, and put in their place as one bundle, all or none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noNames, parseFlowMod } from '../../cli/ofctl/flow-text.ts';
import { runOfctl } from '../../cli/ofctl/index.ts';
import { clientIo } from '../client-process.ts';

const TIMEOUT_SECONDS = 30;

/** What is wrong with a flow; null for nothing. */
export function checkFlow(line: string, isPort: (name: string) => boolean): string | null {
  const read = parseFlowMod(line, 'add', { ...noNames, port: (name) => (isPort(name) ? 1 : null) });
  return read.ok ? null : read.error;
}

interface Answer {
  readonly status: number;
  readonly out: string;
  /** Without the program's name before it. */
  readonly error: string;
}

async function ofctl(...words: readonly string[]): Promise<Answer> {
  let [out, error] = ['', ''];
  const io = clientIo(
    (text) => {
      out += text;
    },
    (text) => {
      error += text;
    },
  );
  const status = await runOfctl([`--timeout=${TIMEOUT_SECONDS}`, ...words], { ...io, stdin: () => '', env: {} });
  return { status, out, error: error.trimEnd().replace(/^ovs-ofctl: /, '') };
}

/** The flows of one bridge, by its management socket. */
export class BridgeFlows {
  readonly #target: string;

  constructor(runFolder: string, bridge: string) {
    this.#target = `unix:${join(runFolder, `${bridge}.mgmt`)}`;
  }

  async #withFile<T>(lines: readonly string[], use: (file: string) => Promise<T>): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-flows-'));
    const file = join(folder, 'flows');
    try {
      writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
      return await use(file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Puts flows in place of all that the bridge has. @returns how many lines a comparison had @throws Error with what is wrong */
  replace(lines: readonly string[]): Promise<number> {
    return this.#withFile(lines, async (file) => {
      const before = await this.#compare(file);
      if (before.length === 0) return 0;
      const { status, error } = await ofctl('--bundle', 'replace-flows', this.#target, file);
      if (status !== 0) throw new Error(this.#plain(error, file));
      return before.length;
    });
  }

  /** What is in the bridge and not among the lines (-), and the other way round (+). @throws Error with what is wrong */
  compare(lines: readonly string[]): Promise<readonly string[]> {
    return this.#withFile(lines, (file) => this.#compare(file));
  }

  async #compare(file: string): Promise<readonly string[]> {
    const { status, out, error } = await ofctl('diff-flows', this.#target, file);
    if (status !== 0 && status !== 2) throw new Error(this.#plain(error, file));
    return out.split('\n').filter(Boolean);
  }

  /** The bridge's flows as lines that replace() takes. @throws Error with what is wrong */
  async read(): Promise<readonly string[]> {
    const lines = await this.compare([]);
    return lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1));
  }

  #plain(error: string, file: string): string {
    return error.replaceAll(`${file}:`, 'flow ');
  }
}
