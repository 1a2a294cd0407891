/**
 * A whole switch under random configuration and random traffic: bridges, patch ports, tunnels and devices come and go,
 * frames are well formed, mutated, nonsense, or what the switch itself sent, turned round. After every step every frame is
 * accounted for, and nothing threw but what is told to throw.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { KEY } from '../../../src/flow/key.ts';
import { formatActions, formatMatch } from '../../../src/flow/odp/format.ts';
import { u16At } from '../../../src/lib/bytes.ts';
import { type Micros, SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import type { TunnelConfig, VlanConfig } from '../../../src/translate/types.ts';
import { createSwitch } from '../../../src/vswitchd/switch.ts';
import type { BridgeConfig, PortConfig } from '../../../src/vswitchd/types.ts';
import { mutate, plainFrame, randomFrame } from '../../support/frames.ts';

const SEED = Number(process.env.WEFT_SEED ?? 1);
const RUNS = process.env.WEFT_NIGHTLY ? 200 : 6;
const STEPS = 250;
const BRIDGES = ['br0', 'br1', 'br2'];
/** Patch ports that are ever made in one run. */
const PATCHES_MAX = 8;
/** Sent frames that are kept to come back. */
const ECHOES_MAX = 64;

const VLANS = [0, 1, 10, 4095];
const modes: readonly VlanConfig['mode'][] = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'];

const TAGS = [
  [KEY.vlan_tpid, KEY.vlan_tci],
  [KEY.vlan2_tpid, KEY.vlan2_tci],
] as const;

/** The other way round: whoever sent it is now who gets it. Checksums stay right. */
function turned(frame: Uint8Array): Uint8Array {
  const out = frame.slice();
  const swap = (a: number, b: number, size: number): void => {
    if (out.length < b + size) return;
    const kept = out.slice(a, a + size);
    out.copyWithin(a, b, b + size);
    out.set(kept, b);
  };
  swap(0, 6, 6);
  if (u16At(out, 12) === 0x0800) swap(26, 30, 4);
  if (u16At(out, 12) === 0x86dd) swap(22, 38, 16);
  return out;
}

interface PortName {
  readonly bridge: string;
  readonly name: string;
}

class Fuzz {
  readonly #random: Random;
  readonly #one = createSwitch({
    frameCount: 1024,
    memorySize: 2 << 20,
    flowLimit: 300,
    ringSize: 64,
    maxIdle: SECOND,
  });
  readonly #devices = new Map<string, MemoryNetdev>();
  readonly #ports: PortName[] = [];
  readonly #bridges = new Set<string>();
  readonly #echoes: Uint8Array[] = [];
  #made = 0;
  #patches = 0;
  #now: Micros = 1;
  /** Megaflows that checkTruth compared. */
  truths = 0;
  /** What the step at hand does. */
  story = '';

  constructor(random: Random) {
    this.#random = random;
    this.#addBridge();
  }

  step(): void {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 55) this.#traffic();
    else if (dice < 67) this.#addPort();
    else if (dice < 72) this.#removePort();
    else if (dice < 77) this.#change();
    else if (dice < 80) this.#addBridge();
    else if (dice < 82) this.#removeBridge();
    else if (dice < 88) this.#misconfigure();
    else if (dice < 94) this.#ask();
    else this.#now += random.below(3 * SECOND);
    this.#now += random.below(2000);
    this.#one.poll(this.#now);
    this.check();
  }

  check(): void {
    const { difference, problems } = this.#one.audit();
    assert.deepEqual({ difference, problems }, { difference: 0, problems: [] });
  }

  /** Polls until nothing is translated again. False when that does not come: in a loop, addresses move for ever. */
  #settle(): boolean {
    let last = -1;
    for (let i = 0, quiet = 0; i < 100; i++) {
      this.#one.poll((this.#now += 5000));
      const { retranslated } = this.#one.counters().upcall;
      quiet = retranslated === last ? quiet + 1 : 0;
      if (quiet === 5) return true;
      last = retranslated!;
    }
    return false;
  }

  /** When nothing changes any more, every megaflow does what translation says of its packets now. */
  checkTruth(): void {
    if (!this.#settle()) return;
    const ports = [...this.#bridges].flatMap((bridge) =>
      [bridge, ...this.#ports.filter((port) => port.bridge === bridge).map(({ name }) => name)].map(
        (name) => this.#one.port(bridge, name)!,
      ),
    );
    for (const { match, actions } of this.#one.datapath.flows()) {
      const from = ports.find(({ dpPort }) => dpPort === match.key.get(KEY.in_port));
      const text = formatActions(actions);
      if (!from || text.startsWith('drop')) continue;
      if (!match.key.isZero(KEY.tun_dst) || !match.key.isZero(KEY.tun_ipv6_dst)) continue;
      const key = match.key.clone().set(KEY.in_port, from.ofport);
      // A packet's tag has a TPID, also where the megaflow takes any
      for (const [tpid, tci] of TAGS) if (key.get(tci) !== 0 && key.isZero(tpid)) key.set(tpid, 0x8100);
      const report = this.#one.trace(from.bridge, { key }, this.#now);
      assert.equal(report.actions, text, `${formatMatch(match)} by ${from.name}\n${report.text}`);
      this.truths++;
    }
  }

  /** Everything comes to rest: nothing is held, and no megaflow stays. */
  finish(): void {
    for (let i = 0; i < 50; i++) this.#one.poll((this.#now += SECOND));
    assert.equal(this.#one.datapath.flowCount, 0);
    assert.equal(this.#one.datapath.audit().chunks.held, 0);
    this.#one.close();
    this.check();
    assert.equal(this.#one.datapath.arenaUsed >= 0, true);
  }

  #address(isIpv4 = this.#random.chance(0.6)): Uint8Array {
    const last = this.#random.below(3) + 1;
    if (isIpv4) return Uint8Array.of(10, 0, 0, last);
    return Uint8Array.of(0xfd, ...new Array<number>(14).fill(0), last);
  }

  #mac(): Uint8Array {
    return Uint8Array.of(2, 0, 0, 0, 0, this.#random.below(8));
  }

  #vlan(): Partial<VlanConfig> {
    const random = this.#random;
    const some = (): Set<number> => new Set(VLANS.filter(() => random.chance(0.6)));
    return {
      ...(random.chance(0.7) ? { mode: random.pick(modes) } : {}),
      ...(random.chance(0.6) ? { tag: random.pick(VLANS) } : {}),
      ...(random.chance(0.3) ? { trunks: some() } : {}),
      ...(random.chance(0.3) ? { cvlans: some() } : {}),
      priorityTags: random.pick(['never', 'if-nonzero', 'always'] as const),
    };
  }

  #tunnel(): TunnelConfig {
    const random = this.#random;
    const type = random.pick(['vxlan', 'geneve', 'gre'] as const);
    const isIpv4 = random.chance(0.6);
    const key = (): TunnelConfig['inKey'] => random.pick([1n, 2n, null, 'flow']);
    return {
      type,
      remoteIp: random.chance(0.8) ? this.#address(isIpv4) : 'flow',
      localIp: random.pick([null, null, this.#address(isIpv4), 'flow'] as const),
      inKey: key(),
      outKey: key(),
      dstPort: type === 'gre' ? 0 : random.pick([4789, 6081]),
      tos: random.pick([0, 3, 'inherit'] as const),
      ttl: random.pick([64, 'inherit'] as const),
      dontFragment: random.chance(0.5),
      csum: random.chance(0.5),
    };
  }

  #addBridge(): void {
    const name = BRIDGES.find((one) => !this.#bridges.has(one));
    if (!name) return;
    const random = this.#random;
    const addresses = random.chance(0.7) ? [{ address: this.#address(), prefixLength: 24 }] : [];
    const config: BridgeConfig = {
      name,
      mac: this.#mac(),
      addresses,
      local: random.pick(['none', 'embedded'] as const),
      forwardBpdu: random.chance(0.3),
      macTableSize: random.pick([4, 1000]),
      macAging: random.pick([SECOND, 300 * SECOND]),
      failMode: random.chance(0.9) ? 'standalone' : 'secure',
    };
    this.story = `add bridge ${name}`;
    this.#one.addBridge(config);
    this.#bridges.add(name);
  }

  #removeBridge(): void {
    if (this.#bridges.size < 2) return;
    const name = this.#random.pick([...this.#bridges]);
    this.story = `remove bridge ${name}`;
    this.#one.removeBridge(name);
    this.#bridges.delete(name);
    for (const port of this.#ports.filter(({ bridge }) => bridge === name)) this.#forget(port);
  }

  #forget(port: PortName): void {
    this.#ports.splice(this.#ports.indexOf(port), 1);
    this.#devices.delete(port.name);
  }

  #addPort(): void {
    if (this.#ports.length >= 12) return;
    const random = this.#random;
    const bridge = random.pick([...this.#bridges]);
    const name = `p${this.#made++}`;
    // Loops of patch ports multiply what is flooded: few of them are enough
    const dice = this.#patches < PATCHES_MAX ? random.below(10) : random.pick([0, 9]);
    const rest = { name, vlan: this.#vlan(), protected: random.chance(0.2) };
    this.story = `add port ${name} to ${bridge}`;
    if (dice < 5) {
      const device = new MemoryNetdev(name, { mac: this.#mac(), mtu: random.pick([1500, 1500, 100]) });
      device.onFrame = (memory, start, size) => {
        if (this.#echoes.length < ECHOES_MAX) this.#echoes.push(memory.slice(start, start + size));
        else this.#echoes[random.below(ECHOES_MAX)] = memory.slice(start, start + size);
      };
      this.#one.addPort(bridge, { ...rest, netdev: device });
      this.#devices.set(name, device);
    } else if (dice < 8) {
      // The other end may be there, come later, be the port itself, or never come
      const peer = `p${random.pick([this.#made - 2, this.#made, this.#made - 1])}`;
      this.#patches++;
      this.#one.addPort(bridge, { ...rest, patch: { bridge: random.pick(BRIDGES), port: peer } });
    } else {
      this.#one.addPort(bridge, { ...rest, tunnel: this.#tunnel() });
    }
    this.#ports.push({ bridge, name });
  }

  #removePort(): void {
    if (this.#ports.length === 0) return;
    const port = this.#random.pick(this.#ports);
    this.story = `remove port ${port.name} of ${port.bridge}`;
    this.#one.removePort(port.bridge, port.name);
    this.#forget(port);
  }

  #change(): void {
    const random = this.#random;
    const device = this.#devices.size > 0 ? random.pick([...this.#devices.values()]) : null;
    const dice = random.below(4);
    this.story = `change ${dice} ${device?.name ?? ''}`;
    const bridge = random.pick([...this.#bridges]);
    if (dice === 0 && this.#ports.length > 0) {
      const { bridge: owner, name } = random.pick(this.#ports);
      this.#one.setPortVlan(owner, name, this.#vlan());
    } else if (dice === 1 && device) device.isUp = !device.isUp;
    else if (dice === 2 && device) device.mtu = random.pick([1500, 100]);
    else this.#one.setNeighbor(bridge, this.#address(), this.#mac());
  }

  #frame(): Uint8Array {
    const random = this.#random;
    const dice = random.below(10);
    if (dice < 3) return plainFrame(random);
    if (dice < 5) return randomFrame(random);
    if (dice < 6) return random.bytes(random.below(200));
    const echo = this.#echoes.length > 0 ? random.pick(this.#echoes) : randomFrame(random);
    if (dice < 8) return turned(echo);
    return mutate(random, random.chance(0.5) ? turned(echo) : echo);
  }

  #traffic(): void {
    this.story = 'traffic';
    for (const device of this.#devices.values())
      for (let n = this.#random.below(12); n > 0; n--) device.send(this.#frame());
  }

  /** Configuration that cannot be: it throws, and everything is as it was. */
  #misconfigure(): void {
    const bridge = this.#random.pick([...this.#bridges]);
    const taken = this.#ports[0]?.name ?? bridge;
    const netdev = new MemoryNetdev('bad');
    const bad: readonly (() => unknown)[] = [
      () => this.#one.addBridge({ name: bridge, mac: this.#mac() }),
      () => this.#one.removeBridge('nowhere'),
      () => this.#one.addPort('nowhere', { name: 'bad', netdev }),
      () => this.#one.addPort(bridge, { name: taken, netdev }),
      () => this.#one.addPort(bridge, { name: 'bad', ofport: 70_000, netdev } as PortConfig),
      () => this.#one.removePort(bridge, 'nowhere'),
      () => this.#one.removePort(bridge, bridge),
      () => this.#one.setPortVlan(bridge, 'nowhere', {}),
      () => this.#one.setPortVlan(bridge, bridge, { tag: 5000 }),
      () => this.#one.addPort(bridge, { name: 'bad', tunnel: { ...this.#tunnel(), inKey: -1n } }),
      () => this.#one.addRoute(this.#address(), 200, bridge, null),
      () => this.#one.trace(bridge, { flow: 'no such field=1' }, this.#now),
      () =>
        this.#one.addBridge({
          name: 'bad',
          mac: this.#mac(),
          addresses: [{ address: new Uint8Array(3), prefixLength: 1 }],
        }),
    ];
    const index = this.#random.below(bad.length);
    this.story = `misconfigure ${index}`;
    const state = (): unknown => [this.#one.datapath.portNumbers(), this.#one.datapath.ringSpaceFree];
    const before = state();
    assert.throws(bad[index]!, Error);
    assert.deepEqual(state(), before);
    assert.equal(netdev.isAttached, false);
  }

  #ask(): void {
    const bridge = this.#random.pick([...this.#bridges]);
    const inPort = this.#ports.find((port) => port.bridge === bridge)?.name ?? bridge;
    this.story = `ask about ${inPort} of ${bridge}`;
    const report = this.#one.trace(bridge, { frame: this.#frame(), inPort }, this.#now, {
      sideEffects: this.#random.chance(0.5),
    });
    assert.ok(report.text.includes('Datapath actions:'));
    assert.equal(report.drop === 'none', report.actions !== 'drop');
    this.#one.dumpFlows(this.#now);
    this.#one.counters();
    this.#one.nextWake(this.#now);
  }
}

let truths = 0;

for (let n = 0; n < RUNS; n++) {
  const seed = SEED + n;
  test(`a switch under fuzz, seed ${seed}`, () => {
    const fuzz = new Fuzz(new Random(seed));
    for (let step = 0; step < STEPS; step++) {
      try {
        fuzz.step();
        if (step % 25 === 24) fuzz.checkTruth();
      } catch (error) {
        throw new Error(`WEFT_SEED=${seed}, step ${step}, ${fuzz.story}`, { cause: error });
      }
    }
    truths += fuzz.truths;
    fuzz.finish();
  });
}

test('megaflows were compared with translation', () => {
  assert.ok(truths > 10 * RUNS, `only ${truths}`);
});
