/** The control socket that ovs-appctl talks to: JSON-RPC requests whose method is a command and whose answer is text. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { systemMessage } from './error.ts';
import { isArray, isObject, type Json, JsonStream, stringify } from './json.ts';

export interface ControlCommand {
  readonly usage: string;
  readonly argsMin: number;
  readonly argsMax: number;
  /** @throws CommandError with what ovs-appctl prints as an error */
  run(args: readonly string[]): string | Promise<string>;
}

export class CommandError extends Error {}

const REQUEST_SIZE_MAX = 1 << 20;

export class ControlSocket {
  readonly #commands = new Map<string, ControlCommand>();
  readonly #sockets = new Set<Socket>();
  readonly #path: string;
  #listener: NetServer | null = null;

  constructor(path: string) {
    this.#path = path;
    this.register('list-commands', '', 0, 0, () => this.#list());
  }

  register(
    name: string,
    usage: string,
    argsMin: number,
    argsMax: number,
    run: (args: readonly string[]) => string | Promise<string>,
  ): void {
    this.#commands.set(name, { usage, argsMin, argsMax, run });
  }

  #list(): string {
    const names = [...this.#commands.keys()].sort();
    const lines = names.map((name) => `  ${name.padEnd(23)} ${this.#commands.get(name)!.usage}\n`);
    return `The available commands are:\n${lines.join('')}`;
  }

  /** @throws Error with words for the user */
  async open(): Promise<void> {
    rmSync(this.#path, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const listener = createServer((socket) => this.#serve(socket));
    this.#listener = listener;
    listener.once('error', (error) => reject(new Error(systemMessage(error))));
    listener.listen(this.#path, resolve);
    await promise;
    chmodSync(this.#path, 0o750);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const stream = new JsonStream(REQUEST_SIZE_MAX);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const json of stream.feed(bytes)) void this.#request(socket, json);
      } catch {
        socket.destroy();
      }
    });
  }

  async #request(socket: Socket, json: Json): Promise<void> {
    const { id = null, method, params } = isObject(json) ? json : {};
    if (typeof method !== 'string' || !isArray(params) || !params.every((param) => typeof param === 'string')) {
      socket.destroy();
      return;
    }
    const answer = (result: string | null, error: string | null): void => {
      socket.write(stringify({ id, result, error }));
    };
    try {
      answer(withNewline(await this.#run(method, params as readonly string[])), null);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      answer(null, withNewline(error.message));
    }
  }

  #run(name: string, args: readonly string[]): string | Promise<string> {
    const command = this.#commands.get(name);
    if (!command) {
      throw new CommandError(`"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`);
    }
    const { argsMin, argsMax } = command;
    if (args.length < argsMin) throw new CommandError(`"${name}" command requires at least ${argsMin} arguments`);
    if (args.length > argsMax) throw new CommandError(`"${name}" command takes at most ${argsMax} arguments`);
    return command.run(args);
  }

  /** Ends when the answers on their way have left. */
  async close(): Promise<void> {
    this.#listener?.close();
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise<void>((done) => socket.end(() => done()).once('close', done))),
    );
    rmSync(this.#path, { force: true });
  }
}

const withNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
