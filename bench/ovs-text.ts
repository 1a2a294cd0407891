/** A workload in Open vSwitch's words: megaflows as datapath flow text, the trace as a pcap file. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { FlowKey, KEY, type KeyField } from '../src/flow/key.ts';
import { formatIpv4, formatMac } from '../src/lib/addresses.ts';
import type { Workload, WorkloadMask } from './workload-file.ts';

const hex = (value: number): string => `0x${value.toString(16)}`;

/** name=value or name=value/mask. A field that the mask leaves out is shown too: the value is a packet's. */
function part(name: string, field: KeyField, key: FlowKey, mask: FlowKey, text: (k: FlowKey) => string): string {
  if (mask.isAllOnes(field)) return `${name}=${text(key)}`;
  return `${name}=${text(key)}/${field.size === 2 ? hex(mask.get(field)) : text(mask)}`;
}

const number =
  (field: KeyField) =>
  (k: FlowKey): string =>
    `${k.get(field)}`;

/** @throws for a protocol whose ports Open vSwitch calls otherwise */
function transportText(key: FlowKey, mask: FlowKey): string[] {
  const proto = key.get(KEY.nw_proto);
  const name = { 6: 'tcp', 17: 'udp', 132: 'sctp' }[proto];
  if (!name && !(mask.isZero(KEY.tp_src) && mask.isZero(KEY.tp_dst))) throw new Error('only ports of TCP and UDP');
  if (!name) return proto === 1 ? ['icmp(type=0/0,code=0/0)'] : [];
  const src = part('src', KEY.tp_src, key, mask, number(KEY.tp_src));
  return [`${name}(${src},${part('dst', KEY.tp_dst, key, mask, number(KEY.tp_dst))})`];
}

/** The workload's port number → the datapath's. */
export type PortNumber = (port: number) => number;

/**
 * The match of an untagged IPv4 megaflow in the datapath's text form.
 * @throws for a megaflow of another kind
 */
export function flowText(mask: WorkloadMask, keyBytes: Uint8Array, portNumber: PortNumber): string {
  const key = new FlowKey(keyBytes);
  const m = new FlowKey(mask.bytes);
  if (key.get(KEY.eth_type) !== 0x0800 || key.get(KEY.vlan_tci) !== 0) throw new Error('only untagged IPv4 flows');
  const mac =
    (field: KeyField) =>
    (k: FlowKey): string =>
      formatMac(k.at(field));
  const address =
    (field: KeyField) =>
    (k: FlowKey): string =>
      formatIpv4(k.at(field));
  const eth = [part('src', KEY.eth_src, key, m, mac(KEY.eth_src)), part('dst', KEY.eth_dst, key, m, mac(KEY.eth_dst))];
  const ipv4 = [
    part('src', KEY.ipv4_src, key, m, address(KEY.ipv4_src)),
    part('dst', KEY.ipv4_dst, key, m, address(KEY.ipv4_dst)),
    part('proto', KEY.nw_proto, key, m, number(KEY.nw_proto)),
    part('ttl', KEY.nw_ttl, key, m, number(KEY.nw_ttl)),
    'frag=no',
  ];
  return [
    `recirc_id(0),in_port(${portNumber(key.get(KEY.in_port))}),packet_type(ns=0,id=0)`,
    `eth(${eth.join(',')}),eth_type(0x0800),ipv4(${ipv4.join(',')})`,
    ...transportText(key, m),
  ].join(',');
}

/** The last action is the output. */
const actionsText = (text: string, portNumber: PortNumber): string =>
  text.replace(/(?<=^|,)\d+$/, (port) => `${portNumber(Number(port))}`);

/** One line a megaflow, for `dpctl/add-flows`. */
export function writeFlows(workload: Workload, path: string, portNumber: PortNumber): void {
  const file = openSync(path, 'w');
  let lines: string[] = [];
  const flush = (): void => {
    writeSync(file, lines.join(''));
    lines = [];
  };
  workload.eachFlow((mask, key, actions) => {
    lines.push(`${flowText(mask, key, portNumber)} ${actionsText(actions.text, portNumber)}\n`);
    if (lines.length === 4096) flush();
  });
  flush();
  closeSync(file);
}

/** The first `limit` frames of the trace as a pcap file. Returns how many. */
export function writeTrace(workload: Workload, path: string, limit: number): number {
  const file = openSync(path, 'w');
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65535, 16);
  header.writeUInt32LE(1, 20);
  const count = Math.min(limit, workload.frameCount);
  let parts: Uint8Array[] = [header];
  for (let i = 0; i < count; i++) {
    const { bytes } = workload.frame(i);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    parts.push(record, bytes);
    if (parts.length < 8192) continue;
    writeSync(file, Buffer.concat(parts));
    parts = [];
  }
  writeSync(file, Buffer.concat(parts));
  closeSync(file);
  return count;
}
