/**
 * The miss path: frames that no megaflow takes, from the upcall ring to the installed megaflow and the frame's way out.
 *
 *   node bench/upcall.ts [--rounds N] [--json]
 *
 * A switch forwards as NORMAL says; each frame is the first of its flow, so each costs an upcall, a translation, an
 * installation and an execution. Microseconds of CPU time a miss, garbage collection included; making frames and letting
 * megaflows expire is not timed. Time stands still meanwhile, so no revalidation is in it: that has a column of its own,
 * the cost of translating a megaflow again after the configuration changed.
 *
 *   known     UDP between learned addresses: one output
 *   unknown   a new source address each, which is learned; the frame is flooded to two ports
 *   tagged    known, in by an access port and out by a trunk: a tag is pushed
 *   tunnel    flooded to the local port and out by VXLAN: outer headers are built
 */
import { parseArgs } from 'node:util';
import { MemoryNetdev } from '../backends/memory/index.ts';
import { concatBytes, putU16, putU32 } from '../src/lib/bytes.ts';
import { SECOND } from '../src/lib/clock.ts';
import type { VlanConfig } from '../src/translate/types.ts';
import { createSwitch, type Switch } from '../src/vswitchd/switch.ts';
import { spreadOf } from './statistics.ts';

const BURST = 32;
/** Megaflows of one round: below what would make the revalidator keep a part of them for later polls. */
const ROUND = 16_384;
/** Stations on each of the two sides: every pair of them is a flow of its own. */
const STATIONS = 200;
/** Numbers of the stations on the far side, and of those that nobody has seen. */
const FAR = 0x1000;
const NEW = 0x100_0000;

const station = (n: number): Uint8Array => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 0);
  putU32(mac, 2, n);
  return mac;
};

/** A UDP datagram in a frame of 60 bytes. */
function frame(dst: number, src: number): Uint8Array {
  const ip = Uint8Array.of(0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, src >>> 8, src, 10, 0, dst >>> 8, dst);
  const udp = new Uint8Array(26);
  putU16(udp, 0, 1000);
  putU16(udp, 2, 2000);
  putU16(udp, 4, 26);
  return concatBytes(station(dst), station(src), Uint8Array.of(8, 0), ip, udp);
}

interface Case {
  readonly name: string;
  /** VLANs of the port that frames come in by. */
  readonly vlan: Partial<VlanConfig>;
  readonly isTunnel: boolean;
  readonly frameOf: (n: number) => Uint8Array;
}

const pair = (n: number): Uint8Array => frame(FAR + (n % STATIONS), Math.floor(n / STATIONS) % STATIONS);
const fresh = (n: number): Uint8Array => frame(2 * NEW + n, NEW + n);

const cases: readonly Case[] = [
  { name: 'known', vlan: {}, isTunnel: false, frameOf: pair },
  { name: 'unknown', vlan: {}, isTunnel: false, frameOf: fresh },
  { name: 'tagged', vlan: { mode: 'access', tag: 10 }, isTunnel: false, frameOf: pair },
  { name: 'tunnel', vlan: {}, isTunnel: true, frameOf: pair },
];

const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

class Bed {
  readonly #one: Switch;
  readonly #near = new MemoryNetdev('near', { onFrame: () => {} });
  readonly #far = new MemoryNetdev('far', { onFrame: () => {} });
  readonly #case: Case;
  #now = SECOND;
  #next = 0;

  constructor(what: Case) {
    this.#case = what;
    const one = createSwitch({ flowLimit: 2 * ROUND, memorySize: 64 << 20 });
    this.#one = one;
    one.addBridge({ name: 'br0', mac: station(0xfff0), macTableSize: 1 << 22, macAging: 1e9 * SECOND });
    one.addPort('br0', { name: 'near', netdev: this.#near, vlan: what.vlan });
    if (what.isTunnel) this.#addTunnel();
    else one.addPort('br0', { name: 'far', netdev: this.#far });
    for (let n = 0; n < STATIONS; n++) this.#speak(n);
    this.#rest();
  }

  #addTunnel(): void {
    const [own, remote] = [Uint8Array.of(172, 16, 0, 1), Uint8Array.of(172, 16, 0, 2)];
    const one = this.#one;
    one.addBridge({ name: 'phy', mac: station(0xfff1), addresses: [{ address: own, prefixLength: 24 }] });
    one.addPort('phy', { name: 'far', netdev: this.#far });
    one.setNeighbor('phy', remote, station(0xfff2));
    const addresses = { remoteIp: remote, localIp: null, inKey: 1n, outKey: 1n, dstPort: 4789 };
    const header = { tos: 0, ttl: 64, dontFragment: true, csum: false };
    one.addPort('br0', { name: 'tun', tunnel: { type: 'vxlan', ...addresses, ...header } });
  }

  /** A station on each side makes itself known. */
  #speak(n: number): void {
    const { tag } = this.#case.vlan;
    this.#near.send(frame(2 * NEW, n));
    const untagged = frame(2 * NEW, FAR + n);
    const tagged = (vid: number): Uint8Array =>
      concatBytes(untagged.subarray(0, 12), Uint8Array.of(0x81, 0, 0, vid), untagged.subarray(12));
    if (!this.#case.isTunnel) this.#far.send(tag === undefined ? untagged : tagged(tag));
    this.#one.poll(++this.#now);
  }

  /** Lets every megaflow expire. */
  #rest(): void {
    for (let i = 0; i < 1000 && this.#one.datapath.flowCount > 0; i++) this.#one.poll((this.#now += SECOND));
    if (this.#one.datapath.flowCount > 0) throw new Error('megaflows do not expire');
  }

  /** Microseconds a miss, then a megaflow that is translated again. */
  round(): { readonly miss: number; readonly again: number } {
    const one = this.#one;
    let cpu = 0;
    for (let sent = 0; sent < ROUND; sent += BURST) {
      const frames = Array.from({ length: BURST }, (_, i) => this.#case.frameOf(this.#next + i));
      this.#next += BURST;
      for (const bytes of frames) if (!this.#near.send(bytes)) throw new Error('a frame was not taken');
      const before = cpuMicros();
      one.poll(++this.#now);
      cpu += cpuMicros() - before;
    }
    if (one.datapath.flowCount !== ROUND) throw new Error(`${one.datapath.flowCount} megaflows of ${ROUND}`);
    const again = this.#retranslate();
    this.#rest();
    return { miss: cpu / ROUND, again };
  }

  #retranslate(): number {
    const one = this.#one;
    const count = (): number => one.counters().upcall.retranslated!;
    // what was learned in this round is settled before
    for (let i = 0; i < 10; i++) one.poll((this.#now += SECOND / 10));
    const done = count();
    one.setNeighbor('br0', Uint8Array.of(10, 0, 0, 99), station(1));
    const before = cpuMicros();
    for (let i = 0; i < 1000 && count() < done + ROUND; i++) one.poll((this.#now += SECOND / 200));
    const cpu = cpuMicros() - before;
    return cpu / (count() - done);
  }
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, json: { type: 'boolean' } } });
const results = cases.map((what) => {
  const bed = new Bed(what);
  // the compiler's own start
  for (let i = 0; i < 2; i++) bed.round();
  const rounds = Array.from({ length: Number(values.rounds) }, () => bed.round());
  return { name: what.name, miss: spreadOf(rounds.map((r) => r.miss)), again: spreadOf(rounds.map((r) => r.again)) };
});
if (values.json) console.log(JSON.stringify(results, null, 2));
else {
  console.log('µs of CPU time       a miss               a megaflow translated again');
  for (const { name, miss, again } of results) {
    const text = [miss, again].map((s) => `${s.median.toFixed(2)} (${s.min.toFixed(2)}–${s.max.toFixed(2)})`);
    console.log(`${name.padEnd(20)} ${text[0]!.padEnd(20)} ${text[1]}`);
  }
}
