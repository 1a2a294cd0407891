/** The bridge of trace-support.ts with groups and meters: in the reference and here. */
import { spawnSync } from 'node:child_process';
import { bigToBytes } from '../../src/flow/odp/number.ts';
import { must } from '../../src/lib/result.ts';
import type { GroupMod, GroupType, NewBucket, Selection } from '../../src/ofproto/groups.ts';
import type { Ofproto } from '../../src/ofproto/ofproto.ts';
import { parseActions } from '../../src/openflow/action/index.ts';
import type { OfAction } from '../../src/openflow/action/types.ts';
import { fieldOf, readValue } from '../../src/openflow/field/index.ts';
import { parseMatch } from '../../src/openflow/match-text.ts';
import { noEffects } from '../../src/translate/effects.ts';
import type { Effects } from '../../src/translate/types.ts';
import { traceSwitch } from '../../src/vswitchd/trace.ts';
import { parseCtNext } from '../../src/vswitchd/trace-recirc.ts';
import { FlowTwins } from './trace-support.ts';

type Actions = readonly OfAction[];

function bucketOf(text: string): NewBucket<Actions> {
  const settings: Record<string, number> = {};
  let rest = text;
  for (;;) {
    const found = /^(weight|watch_port|watch_group|bucket_id):(\d+),?/.exec(rest);
    if (!found) break;
    settings[found[1]!] = Number(found[2]);
    rest = rest.slice(found[0].length);
  }
  return {
    id: settings.bucket_id ?? null,
    weight: settings.weight ?? 0,
    watchPort: settings.watch_port ?? null,
    watchGroup: settings.watch_group ?? null,
    actions: rest === '' ? [] : must(parseActions(rest)),
  };
}

/** `nw_src=255.255.0.0,tcp_dst`: a name alone is all of the field. */
function fieldsOf(text: string): Map<string, Uint8Array> {
  const words = text.split(',').map((word) => word.split('=') as [string, string?]);
  return new Map(
    words.map(([name, mask]) => {
      const field = fieldOf(name);
      if (mask === undefined) return [field.name, new Uint8Array(field.size).fill(0xff)];
      const { key } = must(parseMatch(`ip,${name}=${mask}`));
      return [field.name, bigToBytes(readValue(key, field), field.size)];
    }),
  );
}

/** A group as ovs-ofctl takes it, buckets last. */
export function groupMod(text: string): GroupMod<Actions> {
  const [head, ...buckets] = text.split(/,bucket=/);
  const fields = /fields\(([^)]*)\)/.exec(head!)?.[1];
  const settings = new Map(
    head!
      .replace(/,fields\([^)]*\)/, '')
      .split(',')
      .map((word) => word.split('=') as [string, string]),
  );
  const type = settings.get('type')!.replace(/^ff$/, 'fast_failover') as GroupType;
  const isSelect = type === 'select';
  const selection: Selection | null = settings.has('selection_method')
    ? {
        method: settings.get('selection_method') as Selection['method'],
        parameter: BigInt(settings.get('selection_method_param') ?? 0),
        fields: fields ? fieldsOf(fields) : new Map(),
      }
    : null;
  const made = buckets.map(bucketOf).map((bucket, i) => ({
    ...bucket,
    weight: isSelect && !buckets[i]!.includes('weight:') ? 1 : bucket.weight,
  }));
  return { command: 'add', id: Number(settings.get('group_id')), type, buckets: made, selection };
}

/**
 * Every recirculation id and datapath meter becomes the number of its first mention. Ids of copies for controllers stand there in
 * decimal: whether one is shared with a packet's that comes back does not count.
 */
export function withoutIds(text: string): string {
  const seen = new Map<string, number>();
  const meters = new Map<string, number>();
  const named = text.replace(/\bmeter\(([0-9]+)\)/g, (_, id: string) => {
    if (!meters.has(id)) meters.set(id, meters.size);
    return `meter(#${meters.get(id)})`;
  });
  return named.replace(/(recirc\(|recirc_id=)(0x[0-9a-f]+|[0-9]+)/g, (whole, before: string, id: string) => {
    if (Number(id) === 0) return whole;
    if (!seen.has(id)) seen.set(id, seen.size + 1);
    return `${before}#${seen.get(id)}`;
  });
}

export interface TraceSettings {
  /** `ofproto/trace`'s --ct-next, one after the other. */
  readonly ctNext?: readonly string[];
  /** With side effects: -generate. */
  readonly generates?: boolean;
}

export class GroupTwins {
  readonly flows: FlowTwins;

  private constructor(flows: FlowTwins) {
    this.flows = flows;
  }

  static async start(): Promise<GroupTwins> {
    return new GroupTwins(await FlowTwins.start());
  }

  close(): void {
    this.flows.close();
  }

  get #ofproto(): Ofproto {
    return this.flows.twins.state.bridges.get('br0')!.ofproto;
  }

  #ofctl(args: readonly string[], input: string): void {
    const { dir } = this.flows.oracle;
    const env = { ...process.env, OVS_RUNDIR: dir };
    const run = spawnSync('ovs-ofctl', ['-O', 'OpenFlow15', ...args], { input, encoding: 'utf8', env });
    if (run.status !== 0 || run.stderr !== '') throw new Error(`ovs-ofctl ${args.join(' ')}: ${run.stderr}\n${input}`);
  }

  /** Replaces everything. */
  set(flows: readonly string[], groups: readonly string[] = [], meters: readonly string[] = []): void {
    this.flows.setFlows([]);
    const target = `${this.flows.oracle.dir}/br0.mgmt`;
    this.#ofctl(['del-groups', target], '');
    this.#ofctl(['del-meters', target], '');
    if (groups.length > 0) this.#ofctl(['add-groups', target, '-'], `${groups.join('\n')}\n`);
    for (const meter of meters) this.#ofctl(['add-meter', target, meter], '');
    const ofproto = this.#ofproto;
    for (const { id } of ofproto.groups.groups) {
      ofproto.groups.execute({ command: 'delete', id, type: 'all', buckets: [] }, 0);
    }
    for (const group of groups) must(ofproto.groups.execute(groupMod(group), 0));
    for (const { config } of ofproto.meters.meters) ofproto.meters.execute({ command: 'delete', config }, 0);
    for (const meter of meters) {
      const id = /meter=([0-9]+|controller)/.exec(meter)![1]!;
      const config = {
        id: id === 'controller' ? 0xfffffffe : Number(id),
        unit: 'pktps' as const,
        hasBurst: false,
        countsStats: false,
        bands: [{ type: 'drop' as const, rate: 100, burst: 0, precLevel: 0 }],
      };
      must(ofproto.meters.execute({ command: 'add', config }, 0));
    }
    this.flows.setFlows(flows);
  }

  #effects(): Effects {
    const { state } = this.flows.twins;
    return {
      ...noEffects,
      isDry: false,
      learnFlow: (bridge, flow) => state.bridges.get(bridge)!.ofproto.learn(flow, 0),
    };
  }

  trace(flow: string, { ctNext = [], generates = false }: TraceSettings = {}): string {
    const picture = this.flows.twins.state.picture();
    const effects = generates ? this.#effects() : noEffects;
    const states = ctNext.map((text) => must(parseCtNext(text)));
    return traceSwitch(picture, 'br0', { flow }, 0, effects, { ctNext: states }).text;
  }

  traceReference(flow: string, { ctNext = [], generates = false }: TraceSettings = {}): string {
    const next = ctNext.flatMap((text) => ['--ct-next', text]);
    return this.flows.oracle.appctl('ofproto/trace', 'br0', flow, ...next, ...(generates ? ['-generate'] : []));
  }
}
