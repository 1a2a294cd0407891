/** A bare JSON-RPC client of a database server, for tests that ask more than ovsdb-client can. */
import { connect, type Socket } from 'node:net';
import { type Json, JsonStream, stringify } from '../../src/ovsdb/json.ts';

interface Message {
  readonly id?: Json;
  readonly method?: string;
  readonly params?: readonly Json[];
  readonly result?: Json;
  readonly error?: Json;
}

export class RpcClient {
  readonly #socket: Socket;
  readonly #stream = new JsonStream();
  readonly #waiting = new Map<number, (message: Message) => void>();
  /** Notifications so far. */
  readonly notifications: Message[] = [];
  #id = 0;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      for (const json of this.#stream.feed(bytes)) this.#receive(json as unknown as Message);
    });
    socket.on('close', () => {
      this.#isClosed = true;
      for (const answer of this.#waiting.values()) answer({ error: 'closed' });
    });
  }

  /** @param path of a Unix-domain socket, or `unix:` and the path */
  static async connect(path: string): Promise<RpcClient> {
    const socket = connect(path.replace(/^unix:/, ''));
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RpcClient(socket);
  }

  #receive(message: Message): void {
    if (message.method !== undefined) {
      this.notifications.push(message);
      return;
    }
    this.#waiting.get(Number(message.id))?.(message);
    this.#waiting.delete(Number(message.id));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a request and waits for the answer; a connection that ends answers with the error "closed". */
  request(method: string, params: readonly Json[]): Promise<Message> {
    const id = ++this.#id;
    return new Promise((resolve) => {
      if (this.#isClosed) return resolve({ error: 'closed' });
      this.#waiting.set(id, resolve);
      this.#socket.write(stringify({ id, method, params }));
    });
  }

  notify(method: string, params: readonly Json[]): void {
    this.#socket.write(stringify({ id: null, method, params }));
  }

  /** Any bytes at all. */
  sendRaw(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  async transact(name: string, ...operations: readonly Json[]): Promise<readonly Json[]> {
    const { result, error } = await this.request('transact', [name, ...operations]);
    return (result as readonly Json[]) ?? [{ error: error ?? null }];
  }

  close(): void {
    this.#socket.destroy();
  }
}
