/** Commands about auto-attach mappings, time-outs of conntrack zones, and what a datapath can do. */
import { Fatal } from '../common/io.ts';
import { leadingInteger } from './bridge-commands.ts';
import { type Context, MANY, type VsctlCommand } from './context.ts';
import type { WorkRow } from './workspace.ts';

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Fatal(`Invalid argument ${text}`);
  return Number(text);
}

function mappingsOf(row: WorkRow): Map<number, number> {
  row.verify('mappings');
  const { keys, values } = row.get('mappings');
  return new Map(keys.map((key, i) => [Number(key), Number(values![i])]));
}

function setMappings(row: WorkRow, mappings: ReadonlyMap<number, number>): void {
  const sorted = [...mappings].sort(([a], [b]) => a - b);
  row.set('mappings', { keys: sorted.map(([key]) => key), values: sorted.map(([, value]) => value) });
}

function autoAttach(context: Context): { readonly bridge: WorkRow; readonly row: WorkRow | null } {
  const bridge = context.bridges.realBridge(context.arg(0)).row;
  bridge.verify('auto_attach');
  const [row = null] = context.work.follow(bridge, 'auto_attach', 'AutoAttach');
  return { bridge, row };
}

function addMapping(context: Context): void {
  const [isid, vlan] = [parseNumber(context.arg(1)), parseNumber(context.arg(2))];
  const { bridge, row } = autoAttach(context);
  const target = row ?? context.work.insert('AutoAttach');
  if (!row) bridge.setOne('auto_attach', target.uuid);
  setMappings(target, mappingsOf(target).set(isid, vlan));
}

function deleteMapping(context: Context): void {
  const [isid, vlan] = [parseNumber(context.arg(1)), parseNumber(context.arg(2))];
  const { row } = autoAttach(context);
  if (!row) return;
  const mappings = mappingsOf(row);
  if (mappings.get(isid) !== vlan) return;
  mappings.delete(isid);
  setMappings(row, mappings);
}

function getMappings(context: Context): void {
  const bridge = context.bridges.bridge(context.arg(0)).row;
  const [row] = context.work.follow(bridge, 'auto_attach', 'AutoAttach');
  if (row) for (const [isid, vlan] of mappingsOf(row)) context.say(`${isid} ${vlan}`);
}

function findDatapath(context: Context, name: string): WorkRow | null {
  context.root.verify('datapaths');
  const { keys, values } = context.root.get('datapaths');
  const at = keys.indexOf(name);
  return at < 0 ? null : context.work.row('Datapath', values![at] as string);
}

function datapath(context: Context): WorkRow {
  const found = findDatapath(context, context.arg(0));
  if (!found) throw new Fatal(`datapath ${context.arg(0)} does not exist`);
  found.verify('ct_zones');
  return found;
}

/** `zone=NUMBER`. */
const zoneOf = (text: string): number => leadingInteger(text.startsWith('zone=') ? text.slice('zone='.length) : '');

function zoneRow(context: Context, owner: WorkRow, zone: number): WorkRow | null {
  const { keys, values } = owner.get('ct_zones');
  const at = keys.indexOf(zone);
  return at < 0 ? null : context.work.row('CT_Zone', values![at] as string);
}

function addZone(context: Context): void {
  const owner = datapath(context);
  const zone = zoneOf(context.arg(1));
  const old = zoneRow(context, owner, zone);
  if (old && !context.has('--may-exist')) throw new Fatal(`zone id ${zone} already exists`);
  const settings = context.args.slice(2).flatMap((text) => {
    const at = text.indexOf('=');
    return at < 0 ? [] : [[text.slice(0, at), leadingInteger(text.slice(at + 1))] as const];
  });
  if (settings.length === 0) throw new Fatal('No timeout policy');
  const policy = context.work.insert('CT_Timeout_Policy');
  const sorted = [...new Map(settings)].sort(([a], [b]) => (a < b ? -1 : 1));
  policy.set('timeouts', { keys: sorted.map(([key]) => key), values: sorted.map(([, value]) => value) });
  const row = old ?? context.work.insert('CT_Zone');
  row.setOne('timeout_policy', policy.uuid);
  if (old) return;
  const { keys, values } = owner.get('ct_zones');
  setZones(owner, [...keys.map((key, i) => [Number(key), values![i] as string] as const), [zone, row.uuid]]);
}

function setZones(owner: WorkRow, zones: readonly (readonly [number, string])[]): void {
  const sorted = [...zones].sort(([a], [b]) => a - b);
  owner.set('ct_zones', { keys: sorted.map(([key]) => key), values: sorted.map(([, uuid]) => uuid) });
}

function deleteZone(context: Context): void {
  const owner = datapath(context);
  const zone = zoneOf(context.arg(1));
  const row = zoneRow(context, owner, zone);
  if (!row) {
    if (context.has('--if-exists')) return;
    throw new Fatal(`zone id ${zone} does not exist`);
  }
  const { keys, values } = owner.get('ct_zones');
  const zones = keys.map((key, i) => [Number(key), values![i] as string] as const);
  setZones(
    owner,
    zones.filter(([key]) => key !== zone),
  );
}

function listZones(context: Context): void {
  const owner = findDatapath(context, context.arg(0));
  if (!owner) throw new Fatal(`datapath: ${context.arg(0)} record not found`);
  const { keys, values } = owner.get('ct_zones');
  keys.forEach((zone, i) => {
    const row = context.work.row('CT_Zone', values![i] as string);
    const policy = row && context.work.follow(row, 'timeout_policy', 'CT_Timeout_Policy')[0];
    const timeouts = policy ? [...policy.map('timeouts')].map(([key, value]) => `${key}=${value}`).join(' ') : '';
    context.say(`Zone:${zone}, Timeout Policies: ${timeouts === '' ? 'system default' : timeouts}`);
  });
}

function listCapabilities(context: Context): void {
  const owner = findDatapath(context, context.arg(0));
  if (!owner) throw new Fatal(`datapath "${context.arg(0)}" record not found`);
  context.say([...owner.map('capabilities')].map(([key, value]) => `${key}=${value}`).join(' '));
}

export const zoneCommands: readonly VsctlCommand[] = [
  {
    name: 'add-aa-mapping',
    usage: 'BRIDGE I-SID VLAN',
    least: 3,
    most: 3,
    options: [],
    help: 'add an auto-attach mapping to a bridge',
    syntax: '!BRIDGE !ARG !ARG',
    run: addMapping,
  },
  {
    name: 'del-aa-mapping',
    usage: 'BRIDGE I-SID VLAN',
    least: 3,
    most: 3,
    options: [],
    help: 'delete an auto-attach mapping of a bridge',
    syntax: '!BRIDGE !ARG !ARG',
    run: deleteMapping,
  },
  {
    name: 'get-aa-mapping',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the auto-attach mappings of a bridge',
    syntax: '!BRIDGE',
    run: getMappings,
  },
  {
    name: 'add-zone-tp',
    usage: 'DATAPATH zone=ZONE TIMEOUT=SECONDS...',
    least: 3,
    most: MANY,
    options: ['--may-exist'],
    help: 'give a conntrack zone time-outs of its own',
    syntax: '',
    run: addZone,
  },
  {
    name: 'del-zone-tp',
    usage: 'DATAPATH zone=ZONE',
    least: 2,
    most: 2,
    options: ['--if-exists'],
    help: 'take the time-outs of a conntrack zone away',
    syntax: '',
    run: deleteZone,
  },
  {
    name: 'list-zone-tp',
    usage: 'DATAPATH',
    least: 1,
    most: 1,
    options: [],
    help: 'show the time-outs of all conntrack zones',
    syntax: '',
    run: listZones,
  },
  {
    name: 'list-dp-cap',
    usage: 'DATAPATH',
    least: 1,
    most: 1,
    options: [],
    help: 'show what a datapath can do',
    syntax: '',
    run: listCapabilities,
  },
];
