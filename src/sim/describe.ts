/** A network as data: what a JSON file says, checked, and built. */
import { HOST_OPTION_NAMES, type HostOptions } from './host/config.ts';
import { LINK_OPTION_NAMES, type LinkOptions } from './link.ts';
import { Network } from './network.ts';
import type { SimBridgeOptions, SimPort, SimPortOptions, SimTunnelOptions } from './switch.ts';

export interface SwitchDescription {
  readonly bridges?: Readonly<Record<string, SimBridgeOptions>>;
  readonly ports?: Readonly<Record<string, SimPortOptions>>;
  readonly tunnels?: Readonly<Record<string, SimTunnelOptions>>;
  /** Pairs of `bridge:port`, joined. */
  readonly patches?: readonly (readonly [string, string])[];
}

/** `a` and `b` are a host's name, or switch and port with a colon between. */
export interface LinkDescription extends LinkOptions {
  readonly a: string;
  readonly b: string;
}

export interface NetworkDescription {
  readonly hosts?: Readonly<Record<string, HostOptions>>;
  readonly switches?: Readonly<Record<string, SwitchDescription>>;
  readonly links?: readonly LinkDescription[];
}

const BRIDGE_NAMES = ['mac', 'addresses', 'macAging', 'forwardBpdu'];
const PORT_NAMES = ['bridge', 'tag', 'trunks', 'ofport', 'mtu'];
const TUNNEL_NAMES = ['bridge', 'type', 'remoteIp', 'localIp', 'key', 'dstPort', 'csum', 'tag'];

type Json = Readonly<Record<string, unknown>>;

function objectAt(value: unknown, path: string, names: readonly string[] | null): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path} must be an object`);
  for (const name of Object.keys(value))
    if (names && !names.includes(name)) throw new Error(`${path}.${name} is not known (${names.join(', ')} are)`);
  return value as Json;
}

const arrayAt = (value: unknown, path: string): readonly unknown[] => {
  if (!Array.isArray(value)) throw new Error(`${path} must be an array`);
  return value;
};

/** Each value of an object whose names are the user's. */
function checkEach(value: unknown, path: string, check: (value: unknown, path: string) => void): void {
  if (value === undefined) return;
  for (const [name, entry] of Object.entries(objectAt(value, path, null))) check(entry, `${path}.${name}`);
}

function checkSwitch(value: unknown, path: string): void {
  const one = objectAt(value, path, ['bridges', 'ports', 'tunnels', 'patches']);
  checkEach(one.bridges, `${path}.bridges`, (entry, at) => objectAt(entry, at, BRIDGE_NAMES));
  checkEach(one.ports, `${path}.ports`, (entry, at) => objectAt(entry, at, PORT_NAMES));
  checkEach(one.tunnels, `${path}.tunnels`, (entry, at) => {
    const tunnel = objectAt(entry, at, TUNNEL_NAMES);
    if (!['vxlan', 'geneve', 'gre'].includes(String(tunnel.type)))
      throw new Error(`${at}.type is vxlan, geneve or gre`);
    if (typeof tunnel.remoteIp !== 'string') throw new Error(`${at}.remoteIp must be an address`);
  });
  for (const pair of arrayAt(one.patches ?? [], `${path}.patches`))
    if (arrayAt(pair, `${path}.patches`).length !== 2) throw new Error(`${path}.patches: a patch has two ends`);
}

function checkLink(value: unknown, path: string): void {
  const link = objectAt(value, path, ['a', 'b', ...LINK_OPTION_NAMES]);
  for (const end of ['a', 'b']) if (typeof link[end] !== 'string') throw new Error(`${path}.${end} must be a name`);
}

/** @throws with the path of what is wrong */
export function checkDescription(value: unknown): NetworkDescription {
  const whole = objectAt(value, 'network', ['hosts', 'switches', 'links']);
  checkEach(whole.hosts, 'hosts', (entry, at) => objectAt(entry, at, HOST_OPTION_NAMES));
  checkEach(whole.switches, 'switches', checkSwitch);
  arrayAt(whole.links ?? [], 'links').forEach((link, i) => {
    checkLink(link, `links[${i}]`);
  });
  return value as NetworkDescription;
}

const splitEnd = (text: string): [string, string] => {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
};

function buildSwitch(network: Network, name: string, description: SwitchDescription): void {
  const built = network.addSwitch(name);
  for (const [bridge, options] of Object.entries(description.bridges ?? {})) built.addBridge(bridge, options);
  for (const [port, options] of Object.entries(description.ports ?? {})) built.addPort(port, options);
  for (const [port, options] of Object.entries(description.tunnels ?? {})) built.addTunnel(port, options);
  for (const [a, b] of description.patches ?? []) built.addPatch(...splitEnd(a), ...splitEnd(b));
}

/** @throws for names that are not there and for options that make no sense */
export function buildNetwork(description: NetworkDescription, seed?: number): Network {
  const network = new Network(seed === undefined ? {} : { seed });
  for (const [name, options] of Object.entries(description.hosts ?? {})) network.addHost(name, options);
  for (const [name, one] of Object.entries(description.switches ?? {})) buildSwitch(network, name, one);
  const endOf = (text: string): ReturnType<Network['host']> | SimPort => {
    const [name, port] = splitEnd(text);
    return port === '' ? network.host(name) : network.switch(name).port(port);
  };
  for (const { a, b, ...options } of description.links ?? []) network.link(endOf(a), endOf(b), options);
  return network;
}
