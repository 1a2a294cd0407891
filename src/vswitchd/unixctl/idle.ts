/**
 * Commands of features that are not in use: they answer what the reference answers then. An object that is named is not there; a
 * list is empty.
 */
import { parseMac } from '../../lib/addresses.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { hashWords } from '../database/reference-order.ts';
import { bridgeOf } from './fdb.ts';

interface Idle {
  readonly name: string;
  readonly usage: string;
  readonly min: number;
  readonly max: number;
  /** Without an object named; null when the command needs one. */
  readonly empty: string | null;
  /** The error for an object that is named; null when that is no error. */
  readonly missing: string | null;
}

const idle = (
  name: string,
  usage: string,
  min: number,
  max: number,
  empty: string | null,
  missing: string | null,
): Idle => ({
  name,
  usage,
  min,
  max,
  empty,
  missing,
});

const NO_BOND = 'no such bond';
const NO_LACP = 'no such lacp object';
const NO_STP = 'no such stp object';
const NO_RSTP = 'No such RSTP object';

const commands: readonly Idle[] = [
  idle('autoattach/show-isid', '[bridge]', 0, 1, '', null),
  idle('autoattach/statistics', '[bridge]', 0, 1, '', null),
  idle('autoattach/status', '[bridge]', 0, 1, '', null),
  idle('bfd/set-forwarding', '[interface] normal|false|true', 1, 2, 'OK', 'no such BFD object'),
  idle('bfd/show', '[interface]', 0, 1, '', 'no such bfd object'),
  idle('bond/disable-member', 'port member', 2, 2, null, NO_BOND),
  idle('bond/enable-member', 'port member', 2, 2, null, NO_BOND),
  idle('bond/list', '', 0, 0, 'bond\ttype\trecircID\tmembers\n', null),
  idle('bond/migrate', 'port hash member', 3, 3, null, NO_BOND),
  idle('bond/set-active-member', 'port member', 2, 2, null, NO_BOND),
  idle('bond/show', '[port]', 0, 1, '', NO_BOND),
  idle('cfm/set-fault', '[interface] normal|false|true', 1, 2, 'OK', 'no such CFM object'),
  idle('cfm/show', '[interface]', 0, 1, '', 'no such CFM object'),
  idle('lacp/show', '[port]', 0, 1, '', NO_LACP),
  idle('lacp/show-stats', '[port]', 0, 1, '', NO_LACP),
  idle('rstp/show', '[bridge]', 0, 1, '', NO_RSTP),
  idle('rstp/tcn', '[bridge]', 0, 1, 'OK', NO_RSTP),
  idle('stp/show', '[bridge]', 0, 1, '', NO_STP),
  idle('stp/tcn', '[bridge]', 0, 1, 'OK', NO_STP),
];

/** The bucket of a bond that a source address falls into: two numbers of 32 bits, hashed as the reference does. */
function bondHash([macText, vlanText = '0', basisText = '0']: readonly string[]): string {
  const mac = parseMac(macText!);
  if (!mac) throw new CommandError('invalid mac');
  if (!/^\d+$/.test(vlanText)) throw new CommandError('invalid vlan');
  if (!/^\d+$/.test(basisText)) throw new CommandError('invalid basis');
  const low = mac.reduce((sum, byte, i) => (i < 2 ? sum : (sum << 8) | byte), 0);
  const high = (Number(vlanText) << 16) | (mac[0]! << 8) | mac[1]!;
  return `${hashWords([low, high], Number(basisText)) & BUCKETS_MASK}\n`;
}

const BUCKETS_MASK = 0xff;

export function registerIdle(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('bond/hash', 'mac [vlan] [basis]', 1, 3, bondHash);
  for (const { name, usage, min, max, empty, missing } of commands) {
    control.register(name, usage, min, max, (args) => {
      // Commands that take a state have it behind the object
      const isNamed = args.length > (usage.includes('normal|') ? 1 : 0);
      if (isNamed && missing !== null) throw new CommandError(missing);
      return empty ?? '';
    });
  }
  control.register('mdb/flush', '[bridge]', 0, 1, ([name]) => {
    if (name === undefined) return 'table successfully flushed';
    bridgeOf(daemon, name);
    throw new CommandError('multicast snooping is disabled');
  });
  control.register('mdb/show', 'bridge', 1, 1, ([name]) => {
    bridgeOf(daemon, name!);
    throw new CommandError('multicast snooping is disabled');
  });
  control.register('qos/show', 'interface', 1, 1, ([name]) => {
    if (!daemon.config.interfaceOf(name!)) throw new CommandError('no such interface');
    return `QoS not configured on ${name}\n`;
  });
  control.register('qos/show-types', 'interface', 1, 1, ([name]) => {
    if (!daemon.config.interfaceOf(name!)) throw new CommandError('no such interface');
    return `No QoS types supported for interface: ${name}\n`;
  });
  control.register('memory/show', '', 0, 0, () => {
    const bridges = [...daemon.target.state.bridges.values()];
    const rules = bridges.reduce(
      (sum, { ofproto }) => sum + ofproto.tables.tables.reduce((n, t) => n + t.flowCount, 0),
      0,
    );
    const ports = bridges.reduce((sum, bridge) => sum + bridge.ofports.length, 0);
    return `idl-cells-Open_vSwitch:${daemon.cellCount} ports:${ports} rules:${rules}\n`;
  });
}
