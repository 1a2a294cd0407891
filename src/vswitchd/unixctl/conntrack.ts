/**
 * The commands dpctl/ct-*, dpctl/ipf-* and those for connections: what is set is kept and shown.
 *
 * Not supported: connections themselves: the datapath tracks none, so that tables are empty and all counts are zero.
 */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { behindDatapath, type DpctlName, dpctlError, registerDpctl } from './datapath-argument.ts';

const CONNECTIONS_MAX = 3_000_000;
const ZONE_MAX = 0xffff;

interface Limits {
  fallback: number;
  readonly zones: Map<number, number>;
}

const numberOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : null;

/** Zones of `zone=N1,N2…`. */
function zonesOf(text: string): number[] {
  const list = /^zone=(.*)$/.exec(text)?.[1]?.split(',').map(numberOf);
  if (!list?.every((zone) => zone !== null && zone <= ZONE_MAX)) throw dpctlError(`invalid argument ${text}`, 'EINVAL');
  return list as number[];
}

function setLimits(limits: Limits, words: readonly string[]): string {
  for (const word of words) {
    const [, fallback] = /^default=(\d+)$/.exec(word) ?? [];
    const [, zone, limit] = /^zone=(\d+),limit=(\d+)$/.exec(word) ?? [];
    if (fallback !== undefined) limits.fallback = Number(fallback);
    else if (zone !== undefined && Number(zone) <= ZONE_MAX) limits.zones.set(Number(zone), Number(limit));
    else if (!word.includes('=')) throw dpctlError(`field ${word} missing value`, 'EINVAL');
    else throw dpctlError(`invalid argument ${word}`, 'EINVAL');
  }
  return '';
}

function showLimits({ fallback, zones }: Limits, [word]: readonly string[]): string {
  const wanted = word === undefined ? [...zones.keys()].sort((a, b) => a - b) : zonesOf(word);
  const lines = wanted.map((zone) => `zone=${zone},limit=${zones.get(zone) ?? fallback},count=0\n`);
  return `default limit=${fallback}\n${lines.join('')}`;
}

function registerLimits(control: ControlSocket, daemon: SwitchDaemon): void {
  const limits: Limits = { fallback: 0, zones: new Map() };
  registerDpctl(control, 'ct-set-limits', (args) => setLimits(limits, behindDatapath(daemon, args, ARGS_MAX)));
  registerDpctl(control, 'ct-get-limits', (args) => showLimits(limits, behindDatapath(daemon, args, 3)));
  registerDpctl(control, 'ct-del-limits', (args) => {
    const [word] = behindDatapath(daemon, args, 3);
    for (const zone of zonesOf(word ?? '')) limits.zones.delete(zone);
    return '';
  });
}

const ARGS_MAX = 2000;

/** What stands before the last word when that one is `zone=N`. */
const withoutZone = (args: readonly string[]): readonly string[] =>
  /^zone=\d+$/.test(args.at(-1) ?? '') ? args.slice(0, -1) : args;

function flush(daemon: SwitchDaemon, args: readonly string[]): string {
  const words = behindDatapath(daemon, args, 5);
  for (const word of words) {
    if (/^zone=\d+$/.test(word)) continue;
    const bad = word.split(',').find((field) => !field.includes('='));
    if (bad !== undefined) throw dpctlError(`field ${bad} missing value`, 'EINVAL');
    const unknown = word.split(',').find((field) => !/^(ct|icmp)_\w+=/.test(field));
    if (unknown !== undefined) throw dpctlError(`invalid conntrack tuple field: ${unknown.split('=')[0]}`, 'EINVAL');
  }
  return '';
}

function registerConnections(control: ControlSocket, daemon: SwitchDaemon): void {
  let connectionsMax = CONNECTIONS_MAX;
  let isChecking = true;
  const plain = (name: DpctlName, max: number, run: (words: readonly string[]) => string): void =>
    registerDpctl(control, name, (args) => run(behindDatapath(daemon, args, max)));
  registerDpctl(control, 'dump-conntrack', (args) => {
    behindDatapath(daemon, withoutZone(args), 1);
    return '';
  });
  registerDpctl(control, 'flush-conntrack', (args) => flush(daemon, args));
  registerDpctl(control, 'ct-stats-show', (args) => {
    behindDatapath(daemon, withoutZone(args), 3);
    return 'Connections Stats:\n    Total: 0\n';
  });
  plain('ct-bkts', 3, () => 'Total Buckets: 1\nCurrent Connections: 0\n\n');
  plain('ct-get-nconns', 1, () => '0\n');
  plain('ct-get-maxconns', 1, () => `${connectionsMax}\n`);
  plain('ct-set-maxconns', 2, ([text]) => {
    const number = numberOf(text);
    if (number === null) throw dpctlError('maxconns missing or malformed', 'EINVAL');
    connectionsMax = number;
    return 'setting maxconns successful\n';
  });
  plain('ct-get-tcp-seq-chk', 1, () => `TCP sequence checking: ${isChecking ? 'enabled' : 'disabled'}\n`);
  for (const isOn of [true, false]) {
    plain(isOn ? 'ct-enable-tcp-seq-chk' : 'ct-disable-tcp-seq-chk', 1, () => {
      isChecking = isOn;
      return `${isOn ? 'enabling' : 'disabling'} TCP sequence checking successful\n`;
    });
  }
}

// ---- fragments ----

interface Family {
  isOn: boolean;
  sizeMin: number;
}

const families = ['v4', 'v6'] as const;
type FamilyName = (typeof families)[number];

/** Bytes: what a fragment may be limited to at the least (ovs-vswitchd(8), "dpctl/ipf-set-min-frag"). */
const sizeLeast: Readonly<Record<FamilyName, number>> = { v4: 400, v6: 400 };
const FRAGMENTS_MAX = 5000;
const countNames = ['accepted', 'completed', 'expired', 'too small', 'overlapped', 'purged'] as const;

function familyOf(word: string | undefined, quote: string): FamilyName {
  const name = families.find((family) => family === word);
  if (!name)
    throw dpctlError(`parameter missing: ${quote}v4${quote} for IPv4 or ${quote}v6${quote} for IPv6`, 'EINVAL');
  return name;
}

function registerFragments(control: ControlSocket, daemon: SwitchDaemon): void {
  const state: Record<FamilyName, Family> = { v4: { isOn: true, sizeMin: 1200 }, v6: { isOn: true, sizeMin: 1280 } };
  let fragmentsMax = 1000;
  for (const isOn of [true, false]) {
    registerDpctl(control, isOn ? 'ipf-set-enabled' : 'ipf-set-disabled', (args) => {
      const [word] = behindDatapath(daemon, args, 2);
      state[familyOf(word, "'")].isOn = isOn;
      return `${isOn ? 'enabling' : 'disabling'} fragmentation reassembly successful\n`;
    });
  }
  registerDpctl(control, 'ipf-set-min-frag', (args) => {
    const [word, text] = behindDatapath(daemon, args, 3);
    const family = familyOf(word, '');
    const size = numberOf(text);
    if (size === null) throw dpctlError('parameter missing for minimum fragment size', 'EINVAL');
    if (size < sizeLeast[family])
      throw dpctlError('requested minimum fragment size too small; see documentation', 'EPERM');
    state[family].sizeMin = size;
    return 'setting minimum fragment size successful\n';
  });
  registerDpctl(control, 'ipf-set-max-nfrags', (args) => {
    const [text] = behindDatapath(daemon, args, 2);
    const number = numberOf(text);
    if (number === null) throw dpctlError('parameter missing for maximum fragments', 'EINVAL');
    if (number > FRAGMENTS_MAX) throw dpctlError('setting maximum fragments failed', 'EPERM');
    fragmentsMax = number;
    return 'setting maximum fragments successful\n';
  });
  registerDpctl(control, 'ipf-get-status', (args) => {
    behindDatapath(daemon, args, 1);
    const lines = [
      'Fragmentation Module Status',
      '---------------------------',
      `v4 enabled: ${Number(state.v4.isOn)}`,
      `v6 enabled: ${Number(state.v6.isOn)}`,
      `max num frags (v4/v6): ${fragmentsMax}`,
      'num frag: 0',
      ...families.flatMap((family) => [
        `min ${family} frag size: ${state[family].sizeMin}`,
        ...countNames.map((name) => `${family} frags ${name}: 0`),
      ]),
    ].map((line) => `        ${line}\n`);
    return `${lines.join('')}${args.includes('-m') ? '\n        Fragment Lists:\n\n' : ''}`;
  });
}

export function registerConntrack(control: ControlSocket, daemon: SwitchDaemon): void {
  registerConnections(control, daemon);
  registerLimits(control, daemon);
  registerFragments(control, daemon);
}

/** Datapaths are those of the bridges: none is made or changed by hand. */
export function registerDatapathChanges(control: ControlSocket, daemon: SwitchDaemon): void {
  const types: ReadonlySet<string> = new Set(daemon.options.dummies === 'none' ? ['netdev'] : ['netdev', 'dummy']);
  registerDpctl(control, 'add-dp', ([name]) => {
    const [type] = name!.includes('@') ? name!.split('@') : ['system'];
    if (!types.has(type!)) throw new CommandError('ovs-vswitchd: add_dp (Address family not supported by protocol)');
    throw dpctlError('add_dp', isThere(daemon, name!) ? 'EEXIST' : 'EOPNOTSUPP');
  });
  for (const name of ['del-dp', 'add-if', 'set-if', 'del-if'] as const) {
    registerDpctl(control, name, ([datapath]) => {
      if (isThere(daemon, datapath!)) throw dpctlError(`${name.replace('-', '_')}: ${datapath}`, 'EOPNOTSUPP');
      const isShort = isThere(daemon, `dummy@${datapath}`) || isThere(daemon, `netdev@${datapath}`);
      throw dpctlError('opening datapath', isShort ? 'EINVAL' : 'ENODEV');
    });
  }
}

function isThere(daemon: SwitchDaemon, name: string): boolean {
  try {
    return behindDatapath(daemon, [name], 1).length === 0;
  } catch {
    return false;
  }
}
