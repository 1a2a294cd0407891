/** Three network namespaces in a row, joined by veth links: a generator, the switch under test, a sink. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const run = (command: string, ...args: readonly string[]): string => execFileSync(command, args, { encoding: 'utf8' });
const tag = process.pid.toString(36);

/** Interfaces: g0 in `generator`, s0 and s1 in `switch`, k0 in `sink`. */
export const netns = { generator: `wg${tag}`, switch: `ws${tag}`, sink: `wk${tag}` } as const;
type Place = keyof typeof netns;
const interfaces: readonly (readonly [Place, string])[] = [
  ['generator', 'g0'],
  ['switch', 's0'],
  ['switch', 's1'],
  ['sink', 'k0'],
];

/** The words that run a command in a namespace, on one processor. */
export const inside = (place: Place, cpu: number, ...command: readonly string[]): readonly string[] => [
  ...['ip', 'netns', 'exec', netns[place], 'taskset', '-c', String(cpu)],
  ...command,
];

/** @param hasOffloads whether the ends leave checksums and segmentation to their device, as Linux does by default */
export function make(hasOffloads: boolean): void {
  for (const name of Object.values(netns)) run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', 'g0', 'netns', netns.generator, 'type', 'veth', 'peer', 'name', 's0', 'netns', netns.switch);
  run('ip', 'link', 'add', 'k0', 'netns', netns.sink, 'type', 'veth', 'peer', 'name', 's1', 'netns', netns.switch);
  for (const [place, name] of interfaces) {
    const within = ['netns', 'exec', netns[place]];
    run('ip', ...within, 'sysctl', '-qw', `net.ipv6.conf.${name}.disable_ipv6=1`);
    run('ip', ...within, 'ip', 'link', 'set', name, 'up');
    // Frames that XDP sends to a veth link are only taken in by its other end with NAPI, which this switches on
    run('ip', ...within, 'ethtool', '-K', name, 'gro', 'on');
    if (!hasOffloads) run('ip', ...within, 'ethtool', '-K', name, 'tx', 'off', 'tso', 'off', 'gso', 'off');
  }
  run('ip', '-n', netns.generator, 'addr', 'add', '10.0.0.1/24', 'dev', 'g0');
  run('ip', '-n', netns.sink, 'addr', 'add', '10.0.0.2/24', 'dev', 'k0');
}

export function remove(): void {
  for (const name of Object.values(netns)) {
    try {
      run('ip', 'netns', 'del', name);
    } catch {
      // it was not made
    }
  }
}

/** Packets that have reached the sink. */
export function sinkPackets(): number {
  const [link] = JSON.parse(run('ip', '-n', netns.sink, '-s', '-j', 'link', 'show', 'k0')) as [
    { stats64: { rx: { packets: number } } },
  ];
  return link.stats64.rx.packets;
}

/** Seconds of processor time that a process and its threads have had. */
export function cpuSeconds(pid: number): number {
  const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ') as [string, string];
  const fields = rest.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
