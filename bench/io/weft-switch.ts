/**
 * node bench/io/weft-switch.ts BACKEND rewrite|plain INTERFACE INTERFACE: two ports of Weft's datapath, the whole thread for them.
 *
 * Frames of each go out of the other. With `rewrite`, IPv4 gets a new destination and a smaller TTL by a megaflow that matches on port,
 * Ethertype, fragment bits and TTL: parse, look up, rewrite, output. Says "ready" when both ports are there; ends with its standard
 * input.
 */
import { XdpNetdev } from '../../backends/afxdp/index.ts';
import { PacketNetdev } from '../../backends/packet/index.ts';
import { TapNetdev } from '../../backends/tap/index.ts';
import { Datapath } from '../../src/datapath/datapath.ts';
import { parseActions, parseMatch } from '../../src/flow/odp/parse.ts';
import { must, type Result } from '../../src/lib/result.ts';
import type { Netdev } from '../../src/netdev/netdev.ts';

const [backend, mode, ...names] = process.argv.slice(2);
const openers: Readonly<Record<string, (name: string) => Result<Netdev>>> = {
  afxdp: (name) => XdpNetdev.open(name),
  packet: (name) => PacketNetdev.open(name),
  tap: (name) => TapNetdev.open(name),
};
const RING = 2048;
/** Polls between two looks at standard input. */
const TURNS = 2000;

const datapath = must(Datapath.create({ framesCount: 16_384 }));
for (const [i, name] of names.entries()) {
  const device = must(openers[backend!]!(name));
  must(datapath.addPort(i + 1, device, { ringEntries: RING, fillTarget: RING / 2 }));
}
const put = (match: string, actions: string): void => {
  must(datapath.putFlow(must(parseMatch(match)), must(parseActions(actions))));
};
for (const [from, to] of [
  [1, 2],
  [2, 1],
]) {
  if (mode === 'rewrite') {
    const match = `recirc_id(0),in_port(${from}),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(ttl=64,frag=no)`;
    put(match, `set(eth(dst=02:00:00:00:00:03)),set(ipv4(ttl=63)),${to}`);
  } else {
    put(`recirc_id(0),in_port(${from}),packet_type(ns=0,id=0)`, String(to));
  }
}
console.log('ready');
let isOver = false;
process.stdin.on('end', () => {
  isOver = true;
});
process.stdin.resume();

function turn(): void {
  for (let i = 0; i < TURNS; i++) datapath.poll(performance.now() * 1000);
  // What no megaflow takes is not part of the measurement
  datapath.takeUpcalls((upcall) => datapath.release(upcall, 'consumed'));
  if (isOver) {
    datapath.close();
    process.exit(0);
  }
  setImmediate(turn);
}
turn();
