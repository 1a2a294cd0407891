/** What a TCP connection shows of itself, and what it needs of its host. */
import type { Tcp } from '../../packet/index.ts';
import type { Scheduler } from '../scheduler.ts';

export type TcpState =
  | 'SYN_SENT'
  | 'SYN_RECEIVED'
  | 'ESTABLISHED'
  | 'FIN_WAIT_1'
  | 'FIN_WAIT_2'
  | 'CLOSE_WAIT'
  | 'CLOSING'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSED';

export type CloseReason = 'closed' | 'reset' | 'refused' | 'timeout' | 'aborted';

/** What a connection needs of its host. */
export interface TcpWorld {
  readonly scheduler: Scheduler;
  /** Bytes of payload that a segment from here may carry. */
  readonly mss: number;
  readonly localPort: number;
  readonly remotePort: number;
  readonly remoteAddress: string;
  readonly initialSequence: number;
  transmit(header: Tcp, payload: Uint8Array): void;
  /** The connection is gone: its ports are free again. */
  released(): void;
}
