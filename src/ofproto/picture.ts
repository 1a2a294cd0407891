/** The picture of the whole switch, drawn anew when something in it changed. */
import { NeighborCache, RouteTable } from '../protocol/index.ts';

import type { LocalAddress, SwitchPicture, TunnelEndpoint } from '../translate/types.ts';
import type { Bridge } from './bridge.ts';
import { RecircTable } from './recircs.ts';

export class SwitchState {
  readonly #bridges = new Map<string, Bridge>();
  readonly routes = new RouteTable();
  readonly neighbors = new NeighborCache();
  readonly recircs = new RecircTable();
  /** Receiving ends of tunnels, one a datapath port. */
  endpoints: readonly TunnelEndpoint[] = [];
  localAddresses: readonly LocalAddress[] = [];
  #edits = 0;
  /** Grows with every change of what is configured, and of what was learned. */
  #seenConfig = -1;
  #seenLearned = -1;
  #picture: SwitchPicture | null = null;

  get bridges(): ReadonlyMap<string, Bridge> {
    return this.#bridges;
  }

  /** Something that is not a bridge, route or neighbour changed. */
  touch(): void {
    this.#edits++;
  }

  picture(): SwitchPicture {
    let config = this.#edits;
    let learned = this.routes.generation + this.neighbors.generation;
    for (const bridge of this.bridges.values()) {
      config += bridge.configGeneration;
      learned += bridge.macs.generation + bridge.ofproto.generation;
    }
    const last = this.#picture;
    if (!last || config !== this.#seenConfig) this.#picture = this.#draw((last?.generation ?? 0) + 1);
    else if (learned !== this.#seenLearned) this.#picture = { ...last, generation: last.generation + 1 };
    this.#seenConfig = config;
    this.#seenLearned = learned;
    return this.#picture!;
  }

  /** A bridge takes the place of none, and goes again. */
  addBridge(bridge: Bridge): void {
    this.#bridges.set(bridge.name, bridge);
    this.#edits++;
  }

  removeBridge(name: string): void {
    const bridge = this.#bridges.get(name);
    if (!bridge) return;
    this.#bridges.delete(name);
    // The sum of what is left must not be one that was there before
    this.#edits += bridge.configGeneration + bridge.macs.generation + bridge.ofproto.generation + 1;
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
      recircs: this.recircs,
    };
  }
}
