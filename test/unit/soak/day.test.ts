/** A day of virtual time with addresses, flows and ports that come and go: at its end the tables are as at its beginning. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { MILLISECOND, type Micros, SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { createSwitch, type Switch } from '../../../src/vswitchd/switch.ts';
import { testMac, udpFrame } from '../../support/udp-frame.ts';

const seed = Number(process.env.WEFT_SEED ?? 24);
const HOUR = 3600 * SECOND;
const STEP = 20 * SECOND;
/** Longer than any entry lives without traffic. */
const REST = HOUR;

/** Everything that grows when something is not given back. */
function measure(one: Switch): Record<string, number> {
  const { datapath } = one;
  const { chunks } = datapath.audit();
  return {
    arena: datapath.arenaUsed,
    flows: datapath.flowCount,
    ringSpace: datapath.ringSpaceFree,
    freeChunks: chunks.free,
    fillChunks: chunks.fill,
    heldChunks: chunks.held,
    ports: datapath.portNumbers.length,
    macs: one.macTable('br0', 0).length,
  };
}

/** Runs the switch until `end`, waking up when it wants to. */
function rest(one: Switch, from: Micros, end: Micros): void {
  let now = from;
  while (now < end) {
    one.poll(now);
    now = Math.max(now + MILLISECOND, Math.min(one.nextWake(now) ?? end, end));
  }
  one.poll(end);
}

class Churn {
  readonly #one: Switch;
  readonly #random: Random;
  readonly #ports: MemoryNetdev[] = [];
  #made = 0;

  constructor(one: Switch, random: Random) {
    this.#one = one;
    this.#random = random;
  }

  addPort(): void {
    const netdev = new MemoryNetdev(`p${this.#made++}`, { mac: testMac(this.#made), onFrame: () => {} });
    const tag = this.#random.below(3);
    this.#one.addPort('br0', { name: netdev.name, netdev, ...(tag > 0 ? { vlan: { mode: 'access', tag } } : {}) });
    this.#ports.push(netdev);
  }

  removePort(): void {
    const [gone] = this.#ports.splice(this.#random.below(this.#ports.length), 1);
    this.#one.removePort('br0', gone!.name);
  }

  step(): void {
    const random = this.#random;
    if (this.#ports.length < 8 && random.chance(0.05)) this.addPort();
    if (this.#ports.length > 2 && random.chance(0.05)) this.removePort();
    for (let i = random.below(8); i > 0; i--) {
      const options = { src: random.below(50_000), dst: random.below(50_000), sport: random.below(1000) };
      random.pick(this.#ports).send(udpFrame(options));
    }
  }

  end(): void {
    while (this.#ports.length > 2) this.removePort();
  }
}

test(`a day of churn leaves nothing behind (seed ${seed})`, () => {
  const one = createSwitch({ frameCount: 1024, memorySize: 4 << 20, flowLimit: 5000 });
  one.addBridge({ name: 'br0', mac: testMac(0xffff), macTableSize: 500 });
  const churn = new Churn(one, new Random(seed));
  churn.addPort();
  churn.addPort();
  rest(one, 0, SECOND);
  const before = measure(one);
  assert.equal(before.flows, 0);
  let now = SECOND;
  let flowsMax = 0;
  let macsMax = 0;
  for (; now < 24 * HOUR; now += STEP) {
    churn.step();
    one.poll(now);
    if (now % HOUR === SECOND) {
      const audit = one.audit();
      assert.deepEqual({ difference: audit.difference, problems: audit.problems }, { difference: 0, problems: [] });
    }
    flowsMax = Math.max(flowsMax, one.datapath.flowCount);
    macsMax = Math.max(macsMax, one.macTable('br0', now).length);
  }
  churn.end();
  rest(one, now, now + REST);
  assert.ok(flowsMax > 5 && macsMax > 20, `it did learn: ${flowsMax} flows, ${macsMax} addresses`);
  assert.ok(macsMax <= 500);
  assert.deepEqual(measure(one), before);
  assert.equal(one.audit().difference, 0);
  one.close();
});
