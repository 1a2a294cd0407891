/**
 * A file for `weft run` → the desired state. YAML, of which JSON is a part.
 *
 * Invariants. Everything wrong is said, with its path; then nothing of the file takes effect. What can only be known when it
 * is tried (an interface that is not there, rights) is not looked at here.
 */
import { createHash } from 'node:crypto';
import { LineCounter, parseDocument } from 'yaml';
import { SECOND } from '../../lib/clock.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import { parseTarget } from '../../stream/target.ts';
import type { TunnelConfig, VlanConfig } from '../../translate/types.ts';
import { checkDeviceOptions, checkInterfaceName } from '../devices.ts';
import { Mistakes, record } from './fields.ts';
import { bridgeFields, type FileValues, fileFields, type PortValues, portFields } from './settings.ts';
import type { DesiredBridge, DesiredPort, DesiredRoute, DesiredSettings, DesiredState } from './types.ts';

const FILE_SIZE_MAX = 4 << 20;
const PORT_FRAMES = 1024;
const FRAMES_MIN = 8192;

/** @param isPort whether a name is that of a port of the flow's bridge */
export type FlowCheck = (flow: string, isPort: (name: string) => boolean) => string | null;

/**
 * Fails with one line for each mistake.
 * @param checkFlow what is wrong with a flow; null for nothing
 * @param machine what tells this machine from others: bridges without a MAC are given one that follows from it and the name
 */
export function readDesired(
  source: string,
  machine: string,
  checkFlow: FlowCheck,
): Result<DesiredState, readonly string[]> {
  if (source.length > FILE_SIZE_MAX) return fail([`the file: is longer than ${FILE_SIZE_MAX} bytes`]);
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return fail(
      document.errors.map(({ message, pos }) => {
        const { line, col } = lines.linePos(pos[0]);
        return `line ${line}, column ${col}: ${message}`;
      }),
    );
  }
  const mistakes = new Mistakes();
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return fail([`the file: ${(error as Error).message}`]);
  }
  const state = new FileReader(mistakes, machine, checkFlow).read(value ?? {});
  return mistakes.lines.length > 0 || !state ? fail(mistakes.lines) : ok(state);
}

class FileReader {
  readonly #mistakes: Mistakes;
  readonly #machine: string;
  readonly #checkFlow: FlowCheck;
  readonly #flows = new Map<string, readonly string[]>();
  readonly #bridges = new Map<string, DesiredBridge>();
  readonly #ports = new Map<string, DesiredPort>();
  /** Paths of patch ports, by name, with the peer they name. */
  readonly #patches = new Map<string, { readonly path: string; readonly peer: string }>();

  constructor(mistakes: Mistakes, machine: string, checkFlow: FlowCheck) {
    this.#checkFlow = checkFlow;
    this.#mistakes = mistakes;
    this.#machine = machine;
  }

  read(value: unknown): DesiredState | null {
    const file = record(fileFields)(value, '', this.#mistakes);
    if (!file) return null;
    (file.bridges ?? []).forEach((entry, i) => {
      this.#bridge(entry, `bridges[${i}]`);
    });
    this.#joinPatches();
    const knows = (bridge: string | undefined, path: string): void => {
      if (bridge !== undefined && !this.#bridges.has(bridge))
        this.#mistakes.add(path, `there is no bridge "${bridge}"`);
    };
    const routes = (file.routes ?? []).map(({ to, bridge, via }, i): DesiredRoute => {
      knows(bridge, `routes[${i}].bridge`);
      if (to) this.#checkRoute(`routes[${i}]`, to.address, bridge ?? '', via ?? null);
      return {
        prefix: to?.address ?? new Uint8Array(4),
        prefixLength: to?.prefixLength ?? 0,
        bridge: bridge ?? '',
        gateway: via ?? null,
      };
    });
    const neighbors = (file.neighbors ?? []).map(
      ({ bridge = '', address: at = new Uint8Array(4), mac: to = new Uint8Array(6) }, i) => {
        knows(bridge, `neighbors[${i}].bridge`);
        return { bridge, address: at, mac: to };
      },
    );
    return {
      settings: this.#settings(file),
      bridges: this.#bridges,
      ports: this.#ports,
      routes,
      neighbors,
      flows: this.#flows,
    };
  }

  #checkRoute(path: string, prefix: Uint8Array, bridge: string, gateway: Uint8Array | null): void {
    if (gateway && gateway.length !== prefix.length)
      this.#mistakes.add(`${path}.via`, 'has another address family than the destination');
    const addresses = this.#bridges.get(bridge)?.addresses;
    if (addresses && !addresses.some((own) => own.address.length === prefix.length))
      this.#mistakes.add(`${path}.bridge`, `${bridge} has no address of the destination's family`);
  }

  #settings(file: FileValues): DesiredSettings {
    const wanted = Math.max(FRAMES_MIN, 2 * PORT_FRAMES * this.#ports.size);
    return {
      options: {
        ringSize: file.ring_size ?? PORT_FRAMES,
        frameCount: file.frame_count ?? Math.min(1 << 18, 2 ** Math.ceil(Math.log2(wanted))),
        ...(file.chunk_size === undefined ? {} : { chunkSize: file.chunk_size }),
        ...(file.memory === undefined ? {} : { memorySize: file.memory }),
        ...(file.flow_limit === undefined ? {} : { flowLimit: file.flow_limit }),
        ...(file.max_idle === undefined ? {} : { maxIdle: file.max_idle * 1000 }),
      },
      spinMax: file.spin_max ?? null,
      cpus: file.cpus ?? [],
      workers: file.workers ?? null,
    };
  }

  /** Names are unique in a switch, as the names of network devices are. */
  #claim(name: string | undefined, path: string): name is string {
    if (name === undefined) return false;
    if (this.#bridges.has(name) || this.#ports.has(name)) {
      this.#mistakes.add(`${path}.name`, `"${name}" is there already`);
      return false;
    }
    return true;
  }

  #bridge(entry: unknown, path: string): void {
    const read = record(bridgeFields, ['name'])(entry, path, this.#mistakes);
    if (!read || !this.#claim(read.name, path)) return;
    const { name, addresses = [] } = read;
    const local = read.local ?? (addresses.length > 0 ? 'embedded' : 'none');
    const badName = local === 'internal' ? checkInterfaceName(name!) : null;
    if (badName !== null) this.#mistakes.add(`${path}.name`, badName);
    read.controllers?.forEach((target, i) => {
      const known = parseTarget(target);
      if (!known.ok) this.#mistakes.add(`${path}.controllers[${i}]`, `"${target}": ${known.error}`);
    });
    if (read.controllers && read.flows)
      this.#mistakes.add(`${path}.flows`, 'a bridge with controllers has its flows from them');
    if (read.mtu !== undefined && local !== 'internal')
      this.#mistakes.add(`${path}.mtu`, 'is for bridges with "local: internal"');
    this.#bridges.set(name!, {
      name: name!,
      mac: read.mac ?? macFor(this.#machine, name!),
      local,
      addresses,
      mtu: read.mtu ?? null,
      // a bridge whose flows are all said has no other ones
      failMode: read.fail_mode ?? (read.flows ? 'secure' : 'standalone'),
      forwardBpdu: read.forward_bpdu ?? false,
      macAging: (read.mac_aging ?? 300) * SECOND,
      macTableSize: read.mac_table_size ?? 8192,
      controllers: read.controllers ?? null,
    });
    (read.ports ?? []).forEach((port, i) => {
      this.#port(port, `${path}.ports[${i}]`, name!);
    });
    const isPort = (word: string): boolean => word === name || this.#ports.get(word)?.bridge === name;
    read.flows?.forEach((flow, i) => {
      const wrong = this.#checkFlow(flow, isPort);
      if (wrong !== null) this.#mistakes.add(`${path}.flows[${i}]`, wrong);
    });
    if (read.flows) this.#flows.set(name!, read.flows);
  }

  #port(entry: unknown, path: string, bridge: string): void {
    const read = record(portFields, ['name'])(entry, path, this.#mistakes);
    if (!read || !this.#claim(read.name, path)) return;
    const target = this.#target(read, path);
    if (!target) return;
    const name = read.name!;
    for (const other of this.#ports.values())
      if (read.ofport !== undefined && other.bridge === bridge && other.ofport === read.ofport)
        this.#mistakes.add(`${path}.ofport`, `${other.name} has ${read.ofport} already`);
    const vlan = this.#vlan(read, path);
    const { ofport = null, protected: isProtected = false } = read;
    this.#ports.set(name, { bridge, name, ofport, vlan, protected: isProtected, target });
  }

  #target(read: PortValues, path: string): DesiredPort['target'] | null {
    const kinds = (['backend', 'patch', 'tunnel'] as const).filter((kind) => kind in read);
    if (kinds.length !== 1) {
      const found = kinds.length === 0 ? 'none of them' : kinds.join(' and ');
      this.#mistakes.add(path, `should have one of backend, patch and tunnel, and has ${found}`);
      return null;
    }
    for (const setting of ['interface', 'options'] as const)
      if (kinds[0] !== 'backend' && setting in read)
        this.#mistakes.add(`${path}.${setting}`, 'is for ports with a backend');
    if (read.patch !== undefined) {
      this.#patches.set(read.name!, { path, peer: read.patch });
      return { kind: 'patch', peer: { bridge: '', port: read.patch } };
    }
    if (read.tunnel) {
      const tunnel = this.#tunnel(read.tunnel, `${path}.tunnel`);
      return tunnel && { kind: 'tunnel', tunnel };
    }
    if (read.backend === undefined) return null;
    const { backend, options = {} } = read;
    const name = read.interface ?? read.name!;
    const badName = checkInterfaceName(name);
    if (badName !== null) this.#mistakes.add(`${path}.${read.interface === undefined ? 'name' : 'interface'}`, badName);
    const wrong = checkDeviceOptions(backend, options);
    if (wrong) this.#mistakes.add(`${path}.options.${wrong.option}`, wrong.message);
    return { kind: 'device', backend, interface: name, options };
  }

  #tunnel(read: NonNullable<PortValues['tunnel']>, path: string): TunnelConfig | null {
    const { type, remote, local = null } = read;
    if (type === undefined || remote === undefined) return null;
    if (remote !== 'flow' && local !== null && local !== 'flow' && remote.length !== local.length)
      this.#mistakes.add(`${path}.local`, 'has another address family than the remote end');
    if (type === 'gre' && read.dst_port !== undefined) this.#mistakes.add(`${path}.dst_port`, 'GRE has no ports');
    const bits = type === 'gre' ? 32 : 24;
    const keyOf = (name: 'key' | 'in_key' | 'out_key'): bigint | 'flow' | null => {
      const key = read[name];
      if (typeof key === 'number' && key >= 2 ** bits)
        this.#mistakes.add(`${path}.${name}`, `a key of ${type} has ${bits} bits: ${key} does not fit`);
      return key === undefined || key === 'flow' ? (key ?? null) : BigInt(key);
    };
    const key = keyOf('key');
    return {
      type,
      remoteIp: remote,
      localIp: local,
      inKey: keyOf('in_key') ?? key,
      outKey: keyOf('out_key') ?? key,
      dstPort: read.dst_port ?? { vxlan: 4789, geneve: 6081, gre: 0 }[type],
      tos: read.tos ?? 0,
      ttl: read.ttl ?? 64,
      dontFragment: read.df ?? true,
      csum: read.csum ?? false,
    };
  }

  #vlan(read: PortValues, path: string): Partial<VlanConfig> {
    const { tag, trunks, cvlans, vlan_mode: mode, qinq_ethertype: ethertype, priority_tags: priorityTags } = read;
    if (tag === undefined && mode !== undefined && mode !== 'trunk')
      this.#mistakes.add(`${path}.tag`, `${mode} needs a tag`);
    if (trunks && (mode === 'access' || (mode === undefined && tag !== undefined)))
      this.#mistakes.add(`${path}.trunks`, 'an access port (a tag without vlan_mode) carries no other VLANs');
    if (cvlans && mode !== 'dot1q-tunnel') this.#mistakes.add(`${path}.cvlans`, 'is for vlan_mode: dot1q-tunnel');
    return {
      ...(mode === undefined ? {} : { mode }),
      ...(tag === undefined ? {} : { tag }),
      ...(trunks ? { trunks } : {}),
      ...(cvlans ? { cvlans } : {}),
      ...(ethertype === undefined
        ? {}
        : { qinqEthertype: ethertype === '802.1q' ? (0x8100 as const) : (0x88a8 as const) }),
      ...(priorityTags === undefined ? {} : { priorityTags }),
    };
  }

  /** A patch port names its peer, and the peer names it. */
  #joinPatches(): void {
    for (const [name, { path, peer }] of this.#patches) {
      const other = this.#ports.get(peer);
      const port = this.#ports.get(name)!;
      if (!other) this.#mistakes.add(`${path}.patch`, `there is no port "${peer}"`);
      else if (this.#patches.get(peer)?.peer !== name)
        this.#mistakes.add(`${path}.patch`, `${peer} is no patch to ${name}`);
      else if (other.bridge === port.bridge)
        this.#mistakes.add(`${path}.patch`, `${peer} is a port of the same bridge`);
      else this.#ports.set(name, { ...port, target: { kind: 'patch', peer: { bridge: other.bridge, port: peer } } });
    }
  }
}

/** A locally administered address that the same name on the same machine gives again. */
function macFor(machine: string, name: string): Uint8Array {
  const bytes = new Uint8Array(createHash('sha256').update(`${machine} ${name}`).digest().subarray(0, 6));
  bytes[0] = (bytes[0]! & 0xfc) | 0x02;
  return bytes;
}
