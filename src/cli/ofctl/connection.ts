/** A connection to a switch: a socket, the hello exchange, requests and their answers, one after the other. */
import { readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { u16At, u32At } from '../../lib/bytes.ts';
import { FrameSplitter } from '../../openflow/framing.ts';
import { type FlowForm, STANDARD_FORM } from '../../openflow/message/codec.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import { decodeMessage, encodeMessage } from '../../openflow/message/message.ts';
import type { OfVersion } from '../../openflow/version.ts';
import { Exit, Fatal } from '../common/io.ts';
import type { Context } from './context.ts';

const DEFAULT_PORT = 6653;
const DEFAULT_RUNDIR = '/var/run/openvswitch';
const OFPT_ERROR = 1;
const OFPT_ECHO_REQUEST = 2;

/** What the system says of an error, without its code. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ECONNRESET: 'Connection reset by peer',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EPIPE: 'Broken pipe',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ENOTFOUND: 'Invalid argument',
  EPROTO: 'Protocol error',
  EOF: 'End of file',
};
export const reasonOf = (error: unknown): string => {
  const code = (error as { code?: string }).code ?? 'EPROTO';
  return reasons[code] ?? code;
};

const isSocket = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;

interface Target {
  readonly open: () => Socket;
  /** Says that it could not be opened, before the reason. */
  readonly failure: string;
  readonly name: string;
}

function unixTarget(path: string, name: string, failure: string): Target {
  return { open: () => connect({ path }), failure, name };
}

/** `host`, `host:port`, `[::1]:port`. */
function hostAndPort(text: string): { host: string; port: number } {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  return { host: found?.[1] ?? found?.[2] ?? text, port: Number(found?.[3] ?? DEFAULT_PORT) };
}

function namedTarget(context: Context, name: string): Target {
  const failure = `connecting to ${name}`;
  const at = name.indexOf(':');
  const [scheme, rest] = [name.slice(0, at), name.slice(at + 1)];
  if (scheme === 'unix') return unixTarget(rest, name, failure);
  const { host, port } = hostAndPort(rest);
  if (scheme === 'tcp') return { open: () => connect({ host, port }), failure, name };
  if (scheme !== 'ssl') throw new Fatal(`${failure} (${reasons.EAFNOSUPPORT})`);
  const { privateKey, certificate, caCert } = context.options.tls;
  if (!privateKey || !certificate || !caCert) throw new Fatal(`${failure} (Protocol not available)`);
  const [key, cert, ca] = [privateKey, certificate, caCert].map((file) => readFileSync(file));
  return {
    open: () => connectTls({ host, port, key, cert, ca, checkServerIdentity: () => undefined }),
    failure,
    name,
  };
}

/** @param suffix `mgmt` or `snoop` */
function findTarget(context: Context, name: string, suffix: string): Target {
  if (name.includes(':')) return namedTarget(context, name);
  const socketFailure = `${name}: failed to open socket`;
  if (statSync(name, { throwIfNoEntry: false })) return unixTarget(name, `unix:${name}`, socketFailure);
  const bridge = name.includes('@') ? name.slice(name.indexOf('@') + 1) : name;
  const path = join(context.io.env.OVS_RUNDIR ?? DEFAULT_RUNDIR, `${bridge}.${suffix}`);
  if (!isSocket(path)) throw new Fatal(`${name} is not a bridge or a socket`);
  return unixTarget(path, `unix:${path}`, socketFailure);
}

export class Session {
  readonly name: string;
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter();
  readonly #queue: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #failed: unknown = null;
  version: OfVersion = 1;
  /** Of messages about flows, while OpenFlow 1.0 is spoken. */
  form: FlowForm = STANDARD_FORM;

  private constructor(context: Context, socket: Socket, name: string) {
    this.#context = context;
    this.#socket = socket;
    this.name = name;
    socket.on('data', (data) => {
      this.#queue.push(...this.#splitter.push(data));
      this.#wake?.();
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail({ code: 'EOF' }));
  }

  #fail(error: unknown): void {
    this.#failed ??= error;
    this.#wake?.();
  }

  /** Opens a connection and says hello. @param versions bits of versions, where they are not those of the options */
  static async open(context: Context, name: string, suffix = 'mgmt', versions?: number): Promise<Session> {
    const target = findTarget(context, name, suffix);
    const socket = target.open();
    context.atEnd(() => socket.destroy());
    const isTls = 'encrypted' in socket;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(isTls ? 'secureConnect' : 'connect', () => resolve());
        socket.once('error', reject);
      });
    } catch (error) {
      throw new Fatal(`${target.failure} (${reasonOf(error)})`);
    }
    const session = new Session(context, socket, target.name);
    try {
      await session.#sayHello(versions ?? context.options.versions);
    } catch (error) {
      session.close();
      throw new Fatal(`${target.failure} (${reasonOf(error)})`);
    }
    return session;
  }

  async #sayHello(versions: number): Promise<void> {
    const highest = (31 - Math.clz32(versions)) as OfVersion;
    const hello = { kind: 'hello', versions, unknown: false, bytes: new Uint8Array(0) } as const;
    this.#write(encodeMessage(hello, highest, this.#context.nextXid())!);
    const answer = await this.receive();
    const read = decodeMessage(answer);
    if (!read.ok || read.value.message.kind !== 'hello') throw { code: 'EPROTO' };
    const shared = versions & read.value.message.versions;
    if (shared === 0) throw { code: 'EPROTO' };
    this.version = (31 - Math.clz32(shared)) as OfVersion;
  }

  #write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next message; echo requests are answered. @throws what the connection failed with */
  async receive(): Promise<Uint8Array> {
    for (;;) {
      const message = this.#queue.shift();
      if (message) return message;
      if (this.#failed) throw this.#failed;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  /** With a transaction id of its own. @throws Fatal when the version has none of its kind */
  encode(message: OfMessage): Uint8Array {
    const bytes = encodeMessage(message, this.version, this.#context.nextXid(), 0, this.form);
    if (!bytes) throw new Fatal(`OpenFlow 1.${this.version - 1} has no message ${message.kind}`);
    return bytes;
  }

  /** @returns the message's transaction id */
  send(message: OfMessage): number {
    const bytes = this.encode(message);
    this.#write(bytes);
    return u32At(bytes, 4);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  async #next(): Promise<Uint8Array> {
    try {
      return await this.receive();
    } catch (error) {
      throw new Fatal(`talking to ${this.name} (${reasonOf(error)})`);
    }
  }

  /** A message within a bundle: it shares its transaction id with what it holds. */
  encodeBundled(bundle: number, flags: number, inner: Uint8Array): Uint8Array {
    const message = { kind: 'bundle_add', bundle, flags, inner } as const;
    return encodeMessage(message, this.version, u32At(inner, 4))!;
  }

  /** The answer with this transaction id; others are passed over. @param errors takes errors about other messages */
  async answerTo(xid: number, errors: Uint8Array[] | null = null): Promise<Uint8Array> {
    for (;;) {
      const message = await this.#next();
      if (errors && message[1] === OFPT_ERROR && u32At(message, 4) !== xid) errors.push(message);
      if (message[1] === OFPT_ECHO_REQUEST && u32At(message, 4) !== xid) this.answerEcho(message);
      else if (u32At(message, 4) === xid) return message;
    }
  }

  /** The next message; null when the other end is gone. */
  async receiveOrEnd(): Promise<Uint8Array | null> {
    try {
      return await this.receive();
    } catch {
      return null;
    }
  }

  /** Answers an echo request, and nothing else. */
  answerEcho(message: Uint8Array): void {
    if (message[1] !== OFPT_ECHO_REQUEST) return;
    const reply = message.slice();
    reply[1] = OFPT_ECHO_REQUEST + 1;
    this.#write(reply);
  }

  async transact(message: OfMessage): Promise<Uint8Array> {
    return this.answerTo(this.send(message));
  }

  /** Requests that are answered only when they fail: prints the first error and ends the program. */
  async transactAll(messages: readonly OfMessage[], form?: FlowForm): Promise<void> {
    const errors = await this.tryAll(messages, form);
    if (errors.length === 0) return;
    const { io, options } = this.#context;
    io.err(formatBytes(errors[0]!, options.verbosity + 2));
    throw new Exit(1);
  }

  /** As transactAll, but hands back the errors of the first that fails. */
  async tryAll(messages: readonly OfMessage[], form?: FlowForm): Promise<Uint8Array[]> {
    if (form) this.form = form;
    const encoded = messages.map((message) => this.encode(message));
    for (const bytes of encoded) {
      this.#write(bytes);
      const errors = await this.barrier();
      if (errors.length > 0) return errors;
    }
    return [];
  }

  /** Waits until everything that was sent is done. @returns errors that came meanwhile */
  async barrier(): Promise<Uint8Array[]> {
    const errors: Uint8Array[] = [];
    const xid = this.send({ kind: 'barrier_request' });
    for (;;) {
      const message = await this.#next();
      if (u32At(message, 4) === xid) return errors;
      if (message[1] === OFPT_ERROR) errors.push(message);
      else if (message[1] === OFPT_ECHO_REQUEST) this.answerEcho(message);
    }
  }

  /** All parts of a multipart answer. An error ends it. */
  async *multipart(message: OfMessage): AsyncGenerator<Uint8Array> {
    const xid = this.send(message);
    for (;;) {
      const reply = await this.answerTo(xid);
      yield reply;
      const isReply = reply[1] === (this.version === 1 ? 17 : 19);
      if (!isReply || (u16At(reply, 10) & 1) === 0) return;
    }
  }
}
