/** The commands ovs/route/* and tnl/*: how tunnels find their way. */
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../../lib/addresses.ts';
import { equalBytes } from '../../lib/bytes.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { tunnelPortName } from '../database/tunnel-options.ts';

const addressOf = (text: string): Uint8Array | null => parseIpv4(text) ?? parseIpv6(text);
const format = (address: Uint8Array): string => (address.length === 4 ? formatIpv4(address) : formatIpv6(address));

interface Prefix {
  readonly prefix: Uint8Array;
  readonly length: number;
}

function prefixOf(text: string): Prefix {
  const [address = '', length] = text.split('/');
  const bytes = addressOf(address);
  const bits = 8 * (bytes?.length ?? 0);
  const number = length === undefined ? bits : Number(length);
  if (!bytes || !Number.isInteger(number) || number < 0 || number > bits) throw new CommandError('Invalid parameters');
  const prefix = bytes.map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, number - 8 * i))));
  return { prefix, length: number };
}

function add(daemon: SwitchDaemon, [network, device, ...rest]: readonly string[]): string {
  const { prefix, length } = prefixOf(network!);
  const gatewayText = rest.find((word) => !word.startsWith('pkt_mark='));
  const gateway = gatewayText === undefined ? null : addressOf(gatewayText);
  if (gatewayText !== undefined && !gateway) throw new CommandError('Invalid pkt_mark or gateway');
  try {
    daemon.target.addRoute(prefix, length, device!, gateway);
  } catch {
    throw new CommandError('Error while inserting route.');
  }
  return 'OK';
}

function remove(daemon: SwitchDaemon, network: string): string {
  const { prefix, length } = prefixOf(network);
  if (!daemon.target.state.routes.remove(prefix, length)) throw new CommandError('Not found');
  return 'OK';
}

function show(daemon: SwitchDaemon): string {
  const lines = daemon.target.state.routes.entries().map(({ prefix, prefixLength, device, gateway, source }) => {
    const via = gateway ? ` GW ${format(gateway)}` : '';
    return `User: ${format(prefix)}/${prefixLength} dev ${device}${via} SRC ${format(source)}\n`;
  });
  return `Route Table:\n${lines.join('')}`;
}

function lookup(daemon: SwitchDaemon, text: string): string {
  const address = addressOf(text);
  if (!address) throw new CommandError('Invalid parameters');
  const route = daemon.target.state.routes.lookup(address);
  if (!route) throw new CommandError('Not found');
  const { source, gateway, device } = route;
  const any = address.length === 4 ? '0.0.0.0' : '::';
  return `src ${format(source)}\ngateway ${gateway ? format(gateway) : any}\ndev ${device}\n`;
}

function showNeighbors(daemon: SwitchDaemon): string {
  const head = `${'IP'.padEnd(45)} ${'MAC'.padEnd(19)} Bridge\n${'='.repeat(74)}\n`;
  const lines = daemon.target.state.neighbors
    .entries()
    .filter(({ mac }) => mac !== null)
    .map(({ address, mac, bridge }) => `${format(address).padEnd(45)} ${formatMac(mac!)}   ${bridge}\n`);
  return head + lines.join('');
}

function setNeighbor(daemon: SwitchDaemon, [bridge, addressText, macText]: readonly string[]): string {
  const address = addressOf(addressText!);
  if (!address) throw new CommandError('bad IP address');
  const mac = parseMac(macText!);
  if (!mac) throw new CommandError('bad MAC address');
  if (daemon.target.state.bridges.has(bridge!)) daemon.target.setNeighbor(bridge!, address, mac);
  return 'OK';
}

const PORTS_MIN = 32768;
const PORTS_MAX = 61000;

export function registerRoutes(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('ovs/route/add', 'ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]', 2, 4, (args) =>
    add(daemon, args),
  );
  control.register('ovs/route/del', 'ip_addr/prefix_len [pkt_mark=mark]', 1, 2, ([network]) =>
    remove(daemon, network!),
  );
  control.register('ovs/route/lookup', 'ip_addr [pkt_mark=mark]', 1, 2, ([text]) => lookup(daemon, text!));
  control.register('ovs/route/show', '', 0, 0, () => show(daemon));
  let aging = 900;
  for (const name of ['arp', 'neigh']) {
    control.register(`tnl/${name}/show`, '', 0, 0, () => showNeighbors(daemon));
    control.register(`tnl/${name}/flush`, '', 0, 0, () => {
      daemon.target.state.neighbors.flush();
      return 'OK';
    });
    control.register(`tnl/${name}/set`, 'BRIDGE IP MAC', 3, 3, (args) => setNeighbor(daemon, args));
    control.register(`tnl/${name}/aging`, '[SECS]', 0, 1, ([text]) => {
      if (text === undefined) return String(aging);
      const value = Number(text);
      if (!Number.isInteger(value) || value < 1 || value > 3600) throw new CommandError('bad aging value');
      aging = value;
      return 'OK';
    });
  }
  control.register('tnl/ports/show', '-v', 0, 1, () => {
    const { endpoints, localAddresses } = daemon.target.state;
    const lines = endpoints.map(
      ({ type, dstPort, dpPort }) => `${tunnelPortName({ type, dstPort })} (${dpPort}) ref_cnt=1\n`,
    );
    const hasAddress = localAddresses.some(({ address }) => !equalBytes(address, new Uint8Array(address.length)));
    return `Listening ports:\n${hasAddress ? lines.join('') : ''}`;
  });
  let range = [PORTS_MIN, PORTS_MAX];
  control.register('tnl/egress_port_range', 'min max', 0, 2, ([min, max]) => {
    if (min === undefined || max === undefined) return `Tunnel UDP source port range: ${range[0]}-${range[1]}\n`;
    const wanted = [Number(min), Number(max)];
    if (!wanted.every((port) => port > 0 && port < 65536)) throw new CommandError('Error!');
    wanted.sort((a, b) => a - b);
    range = wanted;
    return 'OK';
  });
}
