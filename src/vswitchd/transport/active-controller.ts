/** A controller that the switch connects to, again and again. */
import type { Socket } from 'node:net';
import { type Micros, SECOND } from '../../lib/clock.ts';
import type { Connection, ConnectionSettings } from '../../ofproto/connections/connection.ts';
import type { ConnectionManager } from '../../ofproto/connections/manager.ts';
import { Reconnect } from '../../openflow/connection/reconnect.ts';
import type { SslConfig } from '../../stream/socket.ts';
import { openSocket } from '../../stream/socket.ts';
import type { Target } from '../../stream/target.ts';
import { Link } from './link.ts';
import { controllerStatus } from './status.ts';
import type { ControllerStatus } from './types.ts';

/** A controller that has been there for so long has admitted the switch, whatever it asked. */
const ADMITTED_AFTER: Micros = 30 * SECOND;

export interface ControllerSettings {
  readonly versions: number;
  readonly backoffMax: Micros;
  readonly connection: ConnectionSettings;
  readonly ssl: SslConfig | null;
}

export interface ControllerHost {
  readonly bridge: string;
  readonly manager: ConnectionManager;
  readonly now: () => Micros;
  readonly wake: () => void;
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void;
}

export class ActiveController {
  readonly #name: string;
  readonly #target: Target;
  readonly #host: ControllerHost;
  #settings: ControllerSettings;
  #reconnect: Reconnect;
  #socket: Socket | null = null;
  #link: Link | null = null;
  #lastError: string | null = null;
  #connectedAt: Micros | null = null;
  #disconnectedAt: Micros | null = null;
  #admittedAt: Micros;
  #isClosed = false;

  constructor(name: string, target: Target, settings: ControllerSettings, host: ControllerHost) {
    this.#name = `${host.bridge}<->${name}`;
    this.#target = target;
    this.#settings = settings;
    this.#host = host;
    const now = host.now();
    this.#reconnect = new Reconnect(now, settings.backoffMax);
    this.#admittedAt = now;
  }

  get settings(): ControllerSettings {
    return this.#settings;
  }

  get connection(): Connection | null {
    return this.#link?.connection ?? null;
  }

  /** Since when no controller has had the switch in hand; null: one has. */
  failingSince(now: Micros): Micros | null {
    this.#noteAdmission(now);
    return this.#isAdmitted(now) ? null : this.#admittedAt;
  }

  #isAdmitted(now: Micros): boolean {
    const { connection } = this;
    if (!connection?.isConnected || this.#connectedAt === null) return false;
    return connection.admittedAt !== null || now - this.#connectedAt >= ADMITTED_AFTER;
  }

  #noteAdmission(now: Micros): void {
    if (this.#isAdmitted(now)) this.#admittedAt = now;
  }

  configure(settings: ControllerSettings): void {
    this.#settings = settings;
    this.#reconnect.setWaitMax(settings.backoffMax);
    this.connection?.configure(settings.connection);
  }

  wakeAt(): Micros | null {
    return this.#reconnect.wakeAt();
  }

  run(now: Micros): void {
    if (this.#isClosed) return;
    this.#noteAdmission(now);
    this.#notice(now);
    if (this.#reconnect.hasTimedOut(now)) {
      this.#host.log('info', `${this.#name}: connection timed out`);
      this.#lastError = 'Connection timed out';
      this.#drop(now);
    }
    if (this.#reconnect.run(now)) this.#connect();
    this.#link?.pump();
  }

  #connect(): void {
    const { log, now } = this.#host;
    log('info', `${this.#name}: connecting...`);
    let own: Socket | null = null;
    let isOver = false;
    const closed = (error: string): void => {
      isOver = true;
      // Who closes by itself does not listen any more
      if (this.#isClosed || (own !== null && own !== this.#socket)) return;
      this.#lastError = this.connection?.closedBy ?? error;
      const done = this.#connectedAt !== null && this.connection?.isConnected ? 'dropped' : 'failed';
      log('warn', `${this.#name}: connection ${done} (${this.#lastError})`);
      this.#drop(now());
      this.#host.wake();
    };
    own = openSocket(this.#target, this.#settings.ssl, {
      opened: (socket) => this.#opened(socket),
      closed,
      log: (text) => log('info', `${this.#name}: ${text}`),
    });
    this.#socket = isOver ? null : own;
  }

  #opened(socket: Socket): void {
    const { manager, now, wake } = this.#host;
    const connection = manager.open(now(), {
      name: this.#name,
      versions: this.#settings.versions,
      helloTimeout: 0,
      settings: this.#settings.connection,
      outputReady: () => this.#link?.schedule(),
    });
    this.#link = new Link(socket, connection, now, () => {
      this.#notice(now());
      wake();
    });
    this.#link.pump();
    wake();
  }

  /** Whether a version was agreed on since, or the connection was ended by what came in. */
  #notice(now: Micros): void {
    const { connection } = this;
    if (!connection) return;
    if (connection.isConnected && this.#reconnect.state === 'connecting') {
      this.#reconnect.connected(now);
      this.#connectedAt = now;
      this.#host.log('info', `${this.#name}: connected`);
    }
    if (connection.closedBy !== null) {
      this.#host.log('warn', `${this.#name}: ${connection.closedWhy}`);
      this.#lastError = connection.closedBy;
      this.#drop(now);
    }
  }

  #drop(now: Micros): void {
    const [socket, link] = [this.#socket, this.#link];
    this.#socket = null;
    this.#link = null;
    if (link) {
      link.connection.close(this.#lastError ?? 'End of file', 'disconnected');
      link.pump();
      this.#host.manager.remove(link.connection);
    }
    socket?.destroySoon();
    if (this.#reconnect.state === 'backoff') return;
    // Attempts that failed are no losses
    if (this.#reconnect.state === 'active') this.#disconnectedAt = now;
    this.#reconnect.disconnected(now);
  }

  status(now: Micros): ControllerStatus {
    return controllerStatus(
      {
        state: this.#reconnect.state,
        connection: this.connection,
        lastError: this.#lastError,
        connectedAt: this.#connectedAt,
        disconnectedAt: this.#disconnectedAt,
      },
      now,
    );
  }

  close(now: Micros): void {
    this.#isClosed = true;
    this.#lastError = null;
    this.#drop(now);
  }
}
