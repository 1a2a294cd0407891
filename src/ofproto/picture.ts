/** The picture of the whole switch, drawn anew when something in it changed. */
import { NeighborCache, RouteTable } from '../protocol/index.ts';

import type { LocalAddress, SwitchPicture, TunnelEndpoint } from '../translate/types.ts';
import type { Bridge } from './bridge.ts';

export class SwitchState {
  readonly bridges = new Map<string, Bridge>();
  readonly routes = new RouteTable();
  readonly neighbors = new NeighborCache();
  /** Receiving ends of tunnels, one a datapath port. */
  endpoints: readonly TunnelEndpoint[] = [];
  localAddresses: readonly LocalAddress[] = [];
  #edits = 0;
  #generation = 0;
  #seen = '';
  #picture: SwitchPicture | null = null;

  /** Something that is not a bridge, route or neighbour changed. */
  touch(): void {
    this.#edits++;
  }

  picture(): SwitchPicture {
    const seen = this.#fingerprint();
    if (this.#picture && seen === this.#seen) return this.#picture;
    this.#seen = seen;
    this.#picture = this.#draw(++this.#generation);
    return this.#picture;
  }

  /** Numbers that change with every part: pictures are compared by it, not by what is in them. */
  #fingerprint(): string {
    let sum = `${this.#edits},${this.routes.generation},${this.neighbors.generation}`;
    for (const bridge of this.bridges.values()) sum += `,${bridge.name}:${bridge.generation}`;
    return sum;
  }

  #draw(generation: number): SwitchPicture {
    const bridges = [...this.bridges.values()].map((bridge) => bridge.picture());
    const ports = bridges.flatMap((bridge) => [...bridge.ports.values()]);
    const devices = ports.filter((port) => port.kind !== 'tunnel' && port.dpPort !== null);
    return {
      generation,
      bridges: new Map(bridges.map((bridge) => [bridge.name, bridge])),
      portsByDpPort: new Map(devices.map((port) => [port.dpPort!, port])),
      tunnelPorts: ports.filter((port) => port.kind === 'tunnel'),
      endpoints: this.endpoints,
      localAddresses: this.localAddresses,
      routes: this.routes,
      neighbors: this.neighbors,
    };
  }
}
