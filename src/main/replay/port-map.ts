/**
 * Which port a captured packet comes in by. Rules are tried in the order given; the first that fits decides.
 *
 *   all=PORT            every packet
 *   mac:MAC=PORT        source address
 *   vlan:ID=PORT        VLAN of the outermost tag; `vlan:none` is a packet without one
 *   if:NAME=PORT        interface of a pcapng capture, by name or by number from 0
 *   mac                 a port of its own for each source address: mac1, mac2 …
 *   vlan                for each VLAN: vlan10, untagged
 *   if                  for each interface: its name, or if0, if1 …
 */
import { formatMac, parseMac } from '../../lib/addresses.ts';
import { u16At } from '../../lib/bytes.ts';
import { ETH_TYPE } from '../../packet/index.ts';
import { UsageError } from '../failure.ts';

/** Ports that a rule without `=PORT` makes at the most; packets beyond them do not fit it. */
export const EACH_PORTS_MAX = 64;

interface CapturedPacket {
  readonly data: Uint8Array;
  readonly interfaceIndex: number;
  /** Empty when the capture does not say. */
  readonly interfaceName: string;
}

export interface PortMap {
  /** Ports that the rules name. */
  readonly names: readonly string[];
  /** The name of the port; null when no rule fits. */
  portOf(packet: CapturedPacket): string | null;
}

interface Rule {
  /** null: ports are named as packets turn up. */
  readonly name: string | null;
  readonly portOf: (packet: CapturedPacket) => string | null;
}

const PORT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/;

export function checkPortName(name: string): string {
  if (!PORT_NAME.test(name)) throw new UsageError(`not a port name: "${name}" (letters, digits, ".", "_", "-")`);
  return name;
}

const sourceOf = (data: Uint8Array): string | null => (data.length < 12 ? null : formatMac(data.subarray(6, 12)));

/** -1 without a tag. */
function vlanOf(data: Uint8Array): number {
  if (data.length < 16) return -1;
  const tpid = u16At(data, 12);
  return tpid === ETH_TYPE.VLAN || tpid === ETH_TYPE.QINQ ? u16At(data, 14) & 0xfff : -1;
}

function fixedRule(kind: string, value: string, port: string, text: string): Rule['portOf'] {
  if (kind === 'all' && value === '') return () => port;
  if (kind === 'mac') {
    const mac = parseMac(value);
    if (!mac) throw new UsageError(`port map "${text}": not a MAC address: "${value}"`);
    const wanted = formatMac(mac);
    return ({ data }) => (sourceOf(data) === wanted ? port : null);
  }
  if (kind === 'vlan') {
    const wanted = value === 'none' ? -1 : Number(value);
    if (value === '' || !Number.isInteger(wanted) || wanted < -1 || wanted > 4095)
      throw new UsageError(`port map "${text}": not a VLAN: "${value}" (0 to 4095, or none)`);
    return ({ data }) => (vlanOf(data) === wanted ? port : null);
  }
  if (kind === 'if' && value !== '')
    return ({ interfaceIndex, interfaceName }) =>
      interfaceName === value || String(interfaceIndex) === value ? port : null;
  throw new UsageError(
    `port map "${text}": rules are all=PORT, mac:MAC=PORT, vlan:ID=PORT, if:NAME=PORT, mac, vlan, if`,
  );
}

/** Names ports as new values turn up. */
function eachRule(kind: string): Rule['portOf'] {
  const names = new Map<string, string | null>();
  const named = (value: string, name: (index: number) => string): string | null => {
    let port = names.get(value);
    if (port === undefined) {
      if (names.size >= EACH_PORTS_MAX) return null;
      port = name(names.size + 1);
      names.set(value, port);
    }
    return port;
  };
  if (kind === 'mac')
    return ({ data }) => {
      const source = sourceOf(data);
      return source === null ? null : named(source, (index) => `mac${index}`);
    };
  if (kind === 'vlan')
    return ({ data }) => {
      const vlan = vlanOf(data);
      return named(String(vlan), () => (vlan < 0 ? 'untagged' : `vlan${vlan}`));
    };
  if (kind === 'if')
    return ({ interfaceIndex, interfaceName }) =>
      named(String(interfaceIndex), () => (PORT_NAME.test(interfaceName) ? interfaceName : `if${interfaceIndex}`));
  throw new UsageError(`port map "${kind}": no "=PORT", and neither mac, vlan nor if`);
}

function parseRule(text: string): Rule {
  const at = text.lastIndexOf('=');
  if (at < 0) return { name: null, portOf: eachRule(text) };
  const [condition, port] = [text.slice(0, at), checkPortName(text.slice(at + 1))];
  const colon = condition.indexOf(':');
  const kind = colon < 0 ? condition : condition.slice(0, colon);
  return { name: port, portOf: fixedRule(kind, colon < 0 ? '' : condition.slice(colon + 1), port, text) };
}

/** @throws UsageError */
export function parsePortMap(rules: readonly string[]): PortMap {
  const parsed = rules.map(parseRule);
  return {
    names: parsed.map((rule) => rule.name).filter((name) => name !== null),
    portOf(packet) {
      for (const rule of parsed) {
        const port = rule.portOf(packet);
        if (port !== null) return port;
      }
      return null;
    },
  };
}
