/** What the daemon says to a bridge's OpenFlow connections, and what they tell it. */
import type { Match } from '../../flow/key.ts';
import type { Micros } from '../../lib/clock.ts';
import type { OfActions, OfRequestHandler } from '../../ofproto/connections/types.ts';
import type { FlowTables } from '../../ofproto/flow-tables.ts';
import type { OfMatch } from '../../openflow/match.ts';
import type { SslConfig } from '../../stream/socket.ts';

/** One row of the database's Controller table. */
export interface ControllerConfig {
  /** `tcp:HOST[:PORT]`, `ssl:…`, `unix:PATH` (active); `ptcp:[PORT][:HOST]`, `pssl:…`, `punix:PATH` (passive). */
  readonly target: string;
  /** Null: primary for an active target, service for a passive one. */
  readonly type: 'primary' | 'service' | null;
  /** Longest wait between two attempts (max_backoff; 8 s by default). */
  readonly backoffMax?: Micros;
  /** Silence after which the peer is probed (inactivity_probe; 5 s by default); 0 for never. */
  readonly probeInterval?: Micros;
  /** Packet-ins a second (controller_rate_limit); 0 or left out for no limit. */
  readonly rateLimit?: number;
  /** Packet-ins that may come at once (controller_burst_limit). */
  readonly burstLimit?: number;
  /** Packet-ins that may wait for the socket (controller_queue_size; 100 by default). */
  readonly queueSize?: number;
  /** False: nothing is told unasked before the controller sets an asynchronous configuration. */
  readonly asyncMessages?: boolean;
}

export interface BridgeConnectionsConfig {
  readonly controllers: readonly ControllerConfig[];
  /** Bit n: wire version n; 0 for all of them (the column `protocols`). */
  readonly versions: number;
  /** The bridge's own socket `BR.mgmt`; null for none. */
  readonly managementPath: string | null;
  /** `BR.snoop`; null for none. */
  readonly snoopPath: string | null;
  readonly failMode: 'standalone' | 'secure';
  /** False: controllers are not talked to yet (other_config:flow-restore-wait); true when left out. */
  readonly mayConnect?: boolean;
  /** Null: `ssl:` and `pssl:` targets cannot be used. */
  readonly ssl?: SslConfig | null;
  /** Idle time after which a bundle is dropped (other_config:bundle-idle-timeout of Open_vSwitch; 10 s by default). */
  readonly bundleIdle?: Micros;
}

export interface BridgeConnectionsOptions {
  readonly bridge: string;
  readonly handler: OfRequestHandler;
  /** For flow monitors: what is there when one begins. */
  readonly tables: FlowTables<OfActions>;
  /** A table's match as messages have it, and back: what the bridge's TLV table says of tunnel metadata. */
  readonly toOfMatch?: (match: Match) => OfMatch;
  readonly toMatch?: (match: OfMatch) => Match;
  /** The daemon's clock: data of sockets comes between two runs. */
  readonly now: () => Micros;
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void;
  /** Something has come in: the daemon may want to run sooner than wakeAt(). */
  readonly wake?: () => void;
  /**
   * Fail-open begins or ends (fail-mode standalone, no controller for three probe intervals). When it begins the host removes
   * all flows and puts one of priority FAIL_OPEN_PRIORITY in, which outputs to NORMAL; when it ends it removes that one.
   */
  readonly failOpenChanged?: (isOpen: boolean) => void;
}

/** The columns is_connected, role and status of the Controller table. */
export interface ControllerStatus {
  readonly isConnected: boolean;
  /** As the database has it; null while not connected. */
  readonly role: 'other' | 'master' | 'slave' | null;
  /** last_error, state, sec_since_connect, sec_since_disconnect, packet-in-… */
  readonly status: Readonly<Record<string, string>>;
}
