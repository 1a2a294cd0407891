/** The optional datapath of the commands dpctl/*, and their way to say that something is wrong. */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { byDatapath } from './datapath-names.ts';

/** Error numbers by name, in the words of the operating system. */
const words = {
  EINVAL: 'Invalid argument',
  ENODEV: 'No such device',
  ENOENT: 'No such file or directory',
  EEXIST: 'File exists',
  EPERM: 'Operation not permitted',
  EOPNOTSUPP: 'Operation not supported',
} as const;

export const dpctlError = (what: string, error: keyof typeof words): CommandError =>
  new CommandError(`ovs-vswitchd: ${what} (${words[error]})`);

/**
 * The words behind the datapath, when the first word is one; else all of them, when there is exactly one datapath.
 * @param max words at the most, the datapath's included
 * @throws CommandError
 */
export function behindDatapath(daemon: SwitchDaemon, args: readonly string[], max: number): readonly string[] {
  const plain = args.filter((arg) => !arg.startsWith('-'));
  const all = [...byDatapath(daemon).keys()];
  const [first] = plain;
  if (first !== undefined) {
    if (all.includes(first)) return plain.slice(1);
    // A name without a type is that of a datapath of type "system"
    if (all.some((name) => name.split('@')[1] === first)) throw dpctlError('opening datapath', 'EINVAL');
  }
  if (plain.length >= max) throw dpctlError('datapath not found', 'EINVAL');
  if (all.length === 1) return plain;
  const why = all.length === 0 ? 'no datapaths exist' : 'multiple datapaths, specify one';
  throw new CommandError(`ovs-vswitchd: ${why}\novs-vswitchd: datapath not found (Invalid argument)`);
}

/** Words of every command dpctl/*, in the order in which `dpctl/list-commands` tells them. */
export const dpctlUsages = {
  'add-dp': 'dp [iface...]',
  'del-dp': 'dp',
  'add-if': 'dp iface...',
  'del-if': 'dp iface...',
  'set-if': 'dp iface...',
  'dump-dps': '',
  show: '[-s] [dp...]',
  'dump-flows': '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]',
  'add-flow': '[dp] flow actions',
  'mod-flow': '[dp] flow actions',
  'get-flow': '[dp] ufid',
  'del-flow': '[dp] flow',
  'add-flows': '[dp] file',
  'mod-flows': '[dp] file',
  'del-flows': '[dp] [file]',
  'offload-stats-show': '[dp]',
  'dump-conntrack': '[-m] [-s] [dp] [zone=N]',
  'flush-conntrack': '[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]',
  'cache-get-size': '[dp]',
  'cache-set-size': 'dp cache <size>',
  'ct-stats-show': '[dp] [zone=N]',
  'ct-bkts': '[dp] [gt=N]',
  'ct-set-maxconns': '[dp] maxconns',
  'ct-get-maxconns': '[dp]',
  'ct-get-nconns': '[dp]',
  'ct-enable-tcp-seq-chk': '[dp]',
  'ct-disable-tcp-seq-chk': '[dp]',
  'ct-get-tcp-seq-chk': '[dp]',
  'ct-set-limits': '[dp] [default=L] [zone=N,limit=L]...',
  'ct-del-limits': '[dp] zone=N1[,N2]...',
  'ct-get-limits': '[dp] [zone=N1[,N2]...]',
  'ipf-set-enabled': '[dp] v4|v6',
  'ipf-set-disabled': '[dp] v4|v6',
  'ipf-set-min-frag': '[dp] v4|v6 minfragment',
  'ipf-set-max-nfrags': '[dp] maxfrags',
  'ipf-get-status': '[dp]',
  'list-commands': '',
  'parse-actions': 'actions',
  'normalize-actions': 'actions',
} as const;

export type DpctlName = keyof typeof dpctlUsages;

/** Words that a command needs at the least; 0 for those that are not named. */
const needed: Partial<Record<DpctlName, number>> = {
  'add-dp': 1,
  'del-dp': 1,
  'add-if': 2,
  'del-if': 2,
  'set-if': 2,
  'add-flow': 2,
  'mod-flow': 2,
  'get-flow': 1,
  'del-flow': 1,
  'add-flows': 1,
  'mod-flows': 1,
  'cache-set-size': 3,
  'ct-set-maxconns': 1,
  'ct-set-limits': 1,
  'ct-del-limits': 1,
  'ipf-set-enabled': 1,
  'ipf-set-disabled': 1,
  'ipf-set-min-frag': 2,
  'ipf-set-max-nfrags': 1,
  'parse-actions': 1,
  'normalize-actions': 2,
};
const ARGS_MAX = 2000;

export function registerDpctl(control: ControlSocket, name: DpctlName, run: (args: readonly string[]) => string): void {
  control.register(`dpctl/${name}`, dpctlUsages[name], needed[name] ?? 0, ARGS_MAX, run);
}
