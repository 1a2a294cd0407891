/** Bridges, ports and interfaces, with fake bridges as bridges of their own. */
import { Fatal } from '../common/io.ts';
import type { WorkRow, Workspace } from './workspace.ts';

export interface Bridge {
  readonly name: string;
  /** The bridge's own row; of a fake bridge, its parent's. */
  readonly row: WorkRow;
  /** Of a fake bridge. */
  readonly parent: Bridge | null;
  readonly vlan: number;
  readonly ports: Port[];
  readonly children: Bridge[];
}

export interface Port {
  readonly name: string;
  readonly row: WorkRow;
  readonly bridge: Bridge;
  readonly interfaces: Interface[];
}

export interface Interface {
  readonly name: string;
  readonly row: WorkRow;
  readonly port: Port;
}

const isVlan = (tag: unknown): boolean => typeof tag === 'number' && tag >= 0 && tag <= 4095;
const isFakeBridge = (port: WorkRow): boolean => port.first('fake_bridge') === true && isVlan(port.first('tag'));

export class BridgeModel {
  readonly bridges = new Map<string, Bridge>();
  readonly #ports = new Map<string, Port>();
  readonly #interfaces = new Map<string, Interface>();
  readonly #work: Workspace;

  constructor(work: Workspace, root: WorkRow) {
    this.#work = work;
    root.verify('bridges');
    for (const row of work.follow(root, 'bridges', 'Bridge')) this.#addBridge(row);
    for (const bridge of [...this.bridges.values()]) if (!bridge.parent) this.#addPorts(bridge);
  }

  #addBridge(row: WorkRow): void {
    const name = row.string('name');
    row.verify('name', 'ports');
    if (this.bridges.has(name)) return;
    const bridge: Bridge = { name, row, parent: null, vlan: 0, ports: [], children: [] };
    this.bridges.set(name, bridge);
    for (const port of this.#work.follow(row, 'ports', 'Port')) {
      const fake = port.string('name');
      port.verify('name', 'interfaces');
      if (!isFakeBridge(port) || this.bridges.has(fake)) continue;
      const child = { name: fake, row, parent: bridge, vlan: Number(port.first('tag')), ports: [], children: [] };
      this.bridges.set(fake, child);
      bridge.children.push(child);
    }
  }

  #addPorts(bridge: Bridge): void {
    for (const row of this.#work.follow(bridge.row, 'ports', 'Port')) this.addPort(bridge, row);
  }

  /** Takes a port of a real bridge in; on the VLAN of a fake one it is that one's. */
  addPort(bridge: Bridge, row: WorkRow): void {
    const name = row.string('name');
    if (this.#ports.has(name)) return;
    const tag = row.first('tag');
    const home = bridge.children.find(({ vlan }) => isVlan(tag) && vlan === tag) ?? bridge;
    const port: Port = { name, row, bridge: home, interfaces: [] };
    this.#ports.set(name, port);
    home.ports.push(port);
    for (const face of this.#work.follow(row, 'interfaces', 'Interface')) {
      const faceName = face.string('name');
      face.verify('name');
      if (this.#interfaces.has(faceName)) continue;
      const found: Interface = { name: faceName, row: face, port };
      this.#interfaces.set(faceName, found);
      port.interfaces.push(found);
    }
  }

  findBridge(name: string): Bridge | null {
    return this.bridges.get(name) ?? null;
  }

  /** @throws Fatal */
  bridge(name: string): Bridge {
    const bridge = this.findBridge(name);
    if (!bridge) throw new Fatal(`no bridge named ${name}`);
    return bridge;
  }

  /** @throws Fatal for a fake bridge as well */
  realBridge(name: string): Bridge {
    const bridge = this.bridge(name);
    if (bridge.parent) throw new Fatal(`${name} is a fake bridge`);
    return bridge;
  }

  /** A port that is no bridge's own. */
  findPort(name: string): Port | null {
    const port = this.#ports.get(name) ?? null;
    return port && port.bridge.name !== name ? port : null;
  }

  /** @throws Fatal */
  port(name: string): Port {
    const port = this.findPort(name);
    if (!port) throw new Fatal(`no port named ${name}`);
    return port;
  }

  /** The port behind a bridge, or any other. */
  anyPort(name: string): Port | null {
    return this.#ports.get(name) ?? null;
  }

  findInterface(name: string): Interface | null {
    const face = this.#interfaces.get(name) ?? null;
    return face && face.port.bridge.name !== name ? face : null;
  }

  /** @throws Fatal */
  interface(name: string): Interface {
    const face = this.findInterface(name);
    if (!face) throw new Fatal(`no interface named ${name}`);
    return face;
  }

  /** @param what was to be done with the name @throws Fatal when something has it */
  checkFree(name: string, what: string): void {
    if (this.bridges.has(name)) throw new Fatal(`${what} because a bridge named ${name} already exists`);
    const port = this.#ports.get(name);
    if (port) throw new Fatal(`${what} because a port named ${name} already exists on bridge ${port.bridge.name}`);
    const face = this.#interfaces.get(name);
    if (!face) return;
    throw new Fatal(`${what} because an interface named ${name} already exists on bridge ${face.port.bridge.name}`);
  }

  /** Takes a port, its interfaces and the reference to it away. */
  deletePort(port: Port): void {
    const { row } = port.bridge;
    row.setMany(
      'ports',
      row.strings('ports').filter((uuid) => uuid !== port.row.uuid),
    );
    for (const face of port.interfaces) {
      face.row.delete();
      this.#interfaces.delete(face.name);
    }
    port.row.delete();
    this.#ports.delete(port.name);
    port.bridge.ports.splice(port.bridge.ports.indexOf(port), 1);
  }
}
