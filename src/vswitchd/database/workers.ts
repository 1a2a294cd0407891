/** Which of several workers a device of the database goes to: options:worker, other_config:pmd-rxq-affinity, or the least busy. */
import type { Datapath } from '../../datapath/datapath.ts';
import type { Result } from '../../lib/result.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import { type DeviceRequest, queueRequests } from '../devices.ts';

/** Processor of a device's first queue in `0:3,1:5`; null for none. */
function coreOf(affinity: string | undefined): number | null {
  const core = /(?:^|,)\s*0:(\d+)/.exec(affinity ?? '')?.[1];
  return core === undefined ? null : Number(core);
}

/** Processors of a mask in hexadecimal digits (other_config:pmd-cpu-mask), lowest first; empty when it is none. */
export function cpusOfMask(mask: string): number[] {
  if (!/^(0x)?[0-9a-fA-F]{1,256}$/.test(mask)) return [];
  const bits = BigInt(`0x${mask.replace(/^0x/i, '')}`).toString(2);
  return [...bits]
    .map((bit, i) => (bit === '1' ? bits.length - 1 - i : -1))
    .filter((cpu) => cpu >= 0)
    .reverse();
}

/** Opens devices in the threads of workers. @param cpus processors of the workers, by their index */
export function workerOpener(datapath: Datapath, cpus: readonly number[]) {
  return (request: DeviceRequest, options: ReadonlyMap<string, string>): Result<Netdev> => {
    const asked = Number(options.get('worker') ?? Number.NaN);
    const core = coreOf(options.get('pmd-rxq-affinity'));
    const pinned = core === null ? -1 : cpus.indexOf(core);
    const worker = Number.isInteger(asked) ? asked : pinned;
    const isThere = worker >= 0 && worker < datapath.workerCount;
    const requests = queueRequests(request);
    const first = isThere ? worker : undefined;
    return requests.length > 1 ? datapath.openQueues(requests, first) : datapath.openDevice(request, first);
  };
}
