/** Datapath ports of tunnels: all tunnels of one type and destination port share one. */
import type { DpPort } from '../flow/odp/action.ts';
import type { TunnelConfig, TunnelEndpoint } from '../translate/types.ts';

export interface TunnelPorts {
  add(number: DpPort, type: TunnelConfig['type']): void;
  remove(number: DpPort): void;
}

interface Shared extends TunnelEndpoint {
  users: number;
}

export class TunnelRegistry {
  readonly #ports: TunnelPorts;
  readonly #shared = new Map<string, Shared>();

  constructor(ports: TunnelPorts) {
    this.#ports = ports;
  }

  /** The datapath port for a tunnel with these settings; `free` says the number of a new one. */
  take({ type, dstPort }: TunnelConfig, free: () => DpPort): DpPort {
    const key = `${type}:${dstPort}`;
    let shared = this.#shared.get(key);
    if (!shared) {
      shared = { type, dstPort, dpPort: free(), users: 0 };
      this.#ports.add(shared.dpPort, type);
      this.#shared.set(key, shared);
    }
    shared.users++;
    return shared.dpPort;
  }

  give({ type, dstPort }: TunnelConfig): void {
    const key = `${type}:${dstPort}`;
    const shared = this.#shared.get(key);
    if (!shared || --shared.users > 0) return;
    this.#ports.remove(shared.dpPort);
    this.#shared.delete(key);
  }

  endpoints(): TunnelEndpoint[] {
    return [...this.#shared.values()].map(({ type, dstPort, dpPort }) => ({ type, dstPort, dpPort }));
  }
}
