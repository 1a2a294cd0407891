/** Two virtual machines, each on a TAP port of its own Weft host; the hosts are joined by VXLAN. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { Guest, makeInitramfs, whyNoGuests } from '../support/guest.ts';
import { Namespaces, whyNoNamespaces } from '../support/netns.ts';
import { WeftRun } from '../support/weft-run.ts';

const MEGABYTES = 8;
const BOOT_MS = 120_000;
const UNDERLAY_MTU = '1600';

const machines = [
  { name: 'h1', underlay: '172.16.9.1', guest: '10.99.0.1', peer: '10.99.0.2', mac: '02:99:00:00:00:01' },
  { name: 'h2', underlay: '172.16.9.2', guest: '10.99.0.2', peer: '10.99.0.1', mac: '02:99:00:00:00:02' },
] as const;
type Machine = (typeof machines)[number];
const [first, second] = machines;

/** The first sends a file, the second receives it and sends one back. Both say what they have seen. */
const script = ({ name, guest, peer }: Machine): string => `
ip address add ${guest}/24 dev eth0
echo WEFT up
send() { until nc ${peer} $2 < $1 2>/dev/null; do sleep 0.2; done; }
dd if=/dev/urandom of=/data bs=1M count=${MEGABYTES} 2>/dev/null
echo "WEFT sent $(sha256sum < /data)"
${
  name === 'h1'
    ? `until ping -c 1 -W 1 ${peer} > /dev/null; do :; done
echo "WEFT ping $(ping -c 5 -i 0.2 -s 1400 ${peer} | grep received)"
send /data 5000
echo "WEFT received $(nc -l -p 5001 | sha256sum)"`
    : `echo "WEFT received $(nc -l -p 5000 | sha256sum)"
send /data 5001`
}
echo WEFT done
sleep 2
`;

const stateOf = ({ underlay }: Machine, remote: Machine): object => ({
  bridges: [
    {
      name: 'br-int',
      ports: [
        { name: 'vm0', backend: 'packet' },
        { name: 'vxlan0', tunnel: { type: 'vxlan', local: underlay, remote: remote.underlay, key: 7 } },
      ],
    },
    { name: 'br-phy', addresses: [`${underlay}/24`], ports: [{ name: 'eth0', backend: 'afxdp' }] },
  ],
});

it('two virtual machines on two Weft hosts ping, and exchange files over TCP', {
  skip: whyNoNamespaces() || whyNoGuests(),
  timeout: 300_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-vm-'));
  const names = new Namespaces(['h1', 'h2']);
  const closers: (() => void)[] = [];
  try {
    const peer = ['peer', 'name', 'eth0', 'mtu', UNDERLAY_MTU, 'netns', names.full('h2')];
    names.ip('-n', names.full('h1'), 'link', 'add', 'name', 'eth0', 'mtu', UNDERLAY_MTU, 'type', 'veth', ...peer);
    const runs: WeftRun[] = [];
    const guests: Guest[] = [];
    for (const machine of machines) {
      const remote = machine === first ? second : first;
      const run = await WeftRun.start(names.full(machine.name), folder, machine.name, stateOf(machine, remote));
      runs.push(run);
      closers.push(() => run.kill());
    }
    assert.equal((await runs[0]!.port('vm0')).state, 'waiting', 'qemu has not made the device yet');
    const start = performance.now();
    for (const machine of machines) {
      const { name, mac } = machine;
      mkdirSync(join(folder, `${name}-guest`));
      const initramfs = makeInitramfs(join(folder, `${name}-guest`), script(machine));
      const guest = new Guest({ netns: names.full(name), tap: 'vm0', mac, initramfs });
      guests.push(guest);
      closers.push(() => guest.close());
    }
    const [one, two] = guests as [Guest, Guest];
    await Promise.all(guests.map((guest) => guest.line(/WEFT up$/, BOOT_MS)));
    t.diagnostic(`both up after ${((performance.now() - start) / 1000).toFixed(1)} s`);
    assert.match((await one.line(/WEFT ping (.*)/, BOOT_MS))[1]!, /5 packets transmitted, 5 packets received/);
    const digest = async (guest: Guest, what: string): Promise<string> =>
      (await guest.line(new RegExp(`WEFT ${what} ([0-9a-f]{64})`), BOOT_MS))[1]!;
    assert.equal(await digest(two, 'received'), await digest(one, 'sent'));
    assert.equal(await digest(one, 'received'), await digest(two, 'sent'));
    for (const run of runs) {
      const { ports, drops } = await run.status();
      t.diagnostic(JSON.stringify({ drops, ports: ports.map(({ name, counters }) => [name, counters.rxPackets]) }));
      const underlay = ports.find(({ name }) => name === 'eth0')!;
      assert.ok(underlay.counters.rxBytes > MEGABYTES << 20, 'the file went through the tunnel');
    }
    for (const run of runs) assert.equal(await run.stop(), 0);
  } finally {
    for (const close of closers) close();
    await names.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
