/** JSON-RPC to a server over a socket (RFC 7047 §4): requests in turn, notifications in a queue. */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isArray, isObject, type Json, JsonStream, stringify } from '../../ovsdb/json.ts';
import { reasonOf } from './reasons.ts';

export interface TlsFiles {
  privateKey: string | null;
  certificate: string | null;
  caCert: string | null;
}

export interface Reply {
  readonly result: Json;
  readonly error: Json;
}

export interface Notification {
  readonly method: string;
  readonly params: readonly Json[];
}

const DEFAULT_PORT = 6640;

/** A connection that could not be made, or is lost: `message` is the system's word for why. */
export class ConnectionError extends Error {}

/** `PORT`, `HOST:PORT`, `[HOST]:PORT`, `PORT:HOST`: host and port of a remote. */
function hostAndPort(text: string): { host: string; port: number } {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  return { host: found?.[1] ?? found?.[2] ?? text, port: Number(found?.[3] ?? DEFAULT_PORT) };
}

function openTls(rest: string, tls: TlsFiles): Socket {
  const { privateKey, certificate, caCert } = tls;
  if (!privateKey || !certificate || !caCert) throw new ConnectionError('Protocol not available');
  try {
    const [key, cert, ca] = [privateKey, certificate, caCert].map((file) => readFileSync(file));
    return connectTls({ ...hostAndPort(rest), key, cert, ca, checkServerIdentity: () => undefined });
  } catch (error) {
    throw new ConnectionError(reasonOf(error));
  }
}

/** Waits for the other side to connect: `punix:FILE`, `ptcp:PORT[:HOST]`. */
async function accept(scheme: string, rest: string): Promise<Socket> {
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new ConnectionError(reasonOf(error))));
      server.once('connection', resolve);
      if (scheme === 'punix') server.listen(rest);
      else {
        const [port, ...host] = rest.split(':');
        server.listen(Number(port), host.length > 0 ? host.join(':') : '0.0.0.0');
      }
    });
  } finally {
    server.close();
  }
}

async function open(remote: string, tls: TlsFiles): Promise<Socket> {
  const at = remote.indexOf(':');
  const [scheme, rest] = [remote.slice(0, at), remote.slice(at + 1)];
  if (scheme === 'punix' || scheme === 'ptcp') return accept(scheme, rest);
  let socket: Socket;
  if (scheme === 'unix') socket = connect({ path: rest });
  else if (scheme === 'tcp') socket = connect(hostAndPort(rest));
  else if (scheme === 'ssl') socket = openTls(rest, tls);
  else throw new ConnectionError('Address family not supported by protocol');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(scheme === 'ssl' ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  } catch (error) {
    throw new ConnectionError(reasonOf(error));
  }
}

export class Rpc {
  readonly #socket: Socket;
  readonly #stream = new JsonStream();
  readonly #waiting = new Map<number, (reply: Reply | null) => void>();
  readonly #notifications: Notification[] = [];
  #wake: (() => void) | null = null;
  #id = 0;
  #failure: string | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => this.#fail(reasonOf(error)));
    socket.on('close', () => this.#fail('End of file'));
    socket.on('data', (bytes: Buffer) => this.#feed(bytes));
  }

  /**
   * @param remotes one, or several with commas between: the first that answers
   * @throws ConnectionError
   */
  static async connect(remotes: string, tls: TlsFiles): Promise<Rpc> {
    let failure: unknown = null;
    for (const remote of remotes.split(/,(?=[a-z]+:)/)) {
      try {
        return new Rpc(await open(remote, tls));
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  #feed(bytes: Uint8Array): void {
    try {
      for (const message of this.#stream.feed(bytes)) this.#receive(message);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      this.#fail('Protocol error');
      this.#socket.destroy();
    }
  }

  #receive(message: Json): void {
    if (!isObject(message)) return;
    const { id = null, method, params = [], result = null, error = null } = message;
    if (typeof method === 'string') {
      if (method === 'echo' && id !== null) this.#socket.write(stringify({ id, result: params, error: null }));
      else this.#notifications.push({ method, params: isArray(params) ? params : [] });
      this.#wake?.();
      return;
    }
    const answer = this.#waiting.get(Number(id));
    this.#waiting.delete(Number(id));
    answer?.({ result, error });
  }

  #fail(reason: string): void {
    this.#failure ??= reason;
    for (const answer of this.#waiting.values()) answer(null);
    this.#waiting.clear();
    this.#wake?.();
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  /** @throws ConnectionError when the connection ends before the answer */
  async request(method: string, params: Json): Promise<Reply> {
    const id = this.#id++;
    const reply = await new Promise<Reply | null>((resolve) => {
      if (this.#failure !== null) {
        resolve(null);
        return;
      }
      this.#waiting.set(id, resolve);
      this.#socket.write(stringify({ id, method, params }));
    });
    if (!reply) throw new ConnectionError(this.#failure ?? 'End of file');
    return reply;
  }

  /** The next notification that is here already. */
  poll(): Notification | null {
    return this.#notifications.shift() ?? null;
  }

  /** The next notification; null when the connection is over, or the signal came. */
  async next(signal?: AbortSignal): Promise<Notification | null> {
    for (;;) {
      const first = this.#notifications.shift();
      if (first) return first;
      if (this.#failure !== null || signal?.aborted) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
      this.#wake = null;
    }
  }

  get failure(): string {
    return this.#failure ?? 'End of file';
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The options that name the files of TLS, for every client. */
export const tlsOptions = [
  ['private-key', 'p', 'privateKey', 'file with the private key'],
  ['certificate', 'c', 'certificate', 'file with the certificate for the private key'],
  ['ca-cert', 'C', 'caCert', 'file with the certificate of the peer’s authority'],
  ['bootstrap-ca-cert', '', 'caCert', undefined],
  ['peer-ca-cert', '', null, undefined],
  ['ssl-protocols', '', null, undefined],
  ['ssl-ciphers', '', null, undefined],
].map(([long, short, key, help]) => ({
  long: long!,
  ...(short === '' ? {} : { short: short! }),
  argument: 'required' as const,
  metavar: 'FILE',
  ...(help === undefined ? {} : { help: help! }),
  apply: (draft: { tls: TlsFiles }, file: string): void => {
    if (key !== null) draft.tls[key as keyof TlsFiles] = file;
  },
}));

export const noTls = (): TlsFiles => ({ privateKey: null, certificate: null, caCert: null });
