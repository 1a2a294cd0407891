/** Commands about bridges, real and fake. */
import { union } from '../../ovsdb/data.ts';
import { Exit, Fatal } from '../common/io.ts';
import type { Context, VsctlCommand } from './context.ts';
import type { Bridge } from './model.ts';
import type { WorkRow } from './workspace.ts';

/** What br-exists ends with when there is no such bridge. */
const MISSING_STATUS = 2;

/** The number a text begins with, as atoi(3) reads it. */
export const leadingInteger = (text: string): number => Number.parseInt(text, 10) || 0;

export function appendReference(row: WorkRow, column: string, uuid: string): void {
  row.set(column, union(row.get(column), { keys: [uuid], values: null }));
}

/** True when the bridge is there and is what --may-exist asks for. @throws Fatal when it is something else */
function isThere(context: Context, name: string, parent: string | null, vlan: number): boolean {
  const bridge = context.bridges.findBridge(name);
  if (!context.has('--may-exist') || !bridge) return false;
  if (parent === null) {
    if (!bridge.parent) return true;
    throw new Fatal(`"--may-exist add-br ${name}" but ${name} is a VLAN bridge for VLAN ${bridge.vlan}`);
  }
  const wanted = `"--may-exist add-br ${name} ${parent} ${vlan}"`;
  if (!bridge.parent) throw new Fatal(`${wanted} but ${name} is not a VLAN bridge`);
  if (bridge.parent.name !== parent)
    throw new Fatal(`${wanted} but ${name} has the wrong parent ${bridge.parent.name}`);
  if (bridge.vlan === vlan) return true;
  throw new Fatal(`${wanted} but ${name} is a VLAN bridge for the wrong VLAN ${bridge.vlan}`);
}

function insertLocalPort(context: Context, name: string): WorkRow {
  const face = context.work.insert('Interface');
  face.setOne('name', name);
  face.setOne('type', 'internal');
  context.run.expected.add(name);
  const port = context.work.insert('Port');
  port.setOne('name', name);
  port.setOne('interfaces', face.uuid);
  return port;
}

function addBridge(context: Context): void {
  const [name, parent = null, vlanText] = context.args as readonly [string, string?, string?];
  if (name === '') throw new Fatal('bridge name must not be empty string');
  if (context.args.length === 2) throw new Fatal(`'${context.name}' command takes exactly 1 or 3 arguments`);
  const vlan = vlanText === undefined ? 0 : leadingInteger(vlanText);
  if (vlan < 0 || vlan > 4095) throw new Fatal(`${context.name}: vlan must be between 0 and 4095`);
  if (isThere(context, name, parent, vlan)) return;
  context.bridges.checkFree(name, `cannot create a bridge named ${name}`);
  if (parent !== null) {
    addFakeBridge(context, name, parent, vlan);
    return;
  }
  const port = insertLocalPort(context, name);
  const bridge = context.work.insert('Bridge');
  bridge.setOne('name', name);
  bridge.setOne('ports', port.uuid);
  appendReference(context.root, 'bridges', bridge.uuid);
}

function addFakeBridge(context: Context, name: string, parentName: string, vlan: number): void {
  const parent = context.bridges.findBridge(parentName);
  if (parent?.parent) throw new Fatal('cannot create bridge with fake bridge as parent');
  if (!parent) throw new Fatal(`parent bridge ${parentName} does not exist`);
  const other = parent.children.find((child) => child.vlan === vlan);
  if (other) {
    throw new Fatal(`bridge ${parentName} already has a child VLAN bridge ${other.name} on VLAN ${vlan}`);
  }
  const port = insertLocalPort(context, name);
  port.setOne('fake_bridge', true);
  port.setOne('tag', vlan);
  appendReference(parent.row, 'ports', port.uuid);
}

function deleteBridge(context: Context): void {
  const model = context.bridges;
  const name = context.arg(0);
  const bridge = context.has('--if-exists') ? model.findBridge(name) : model.bridge(name);
  if (!bridge) return;
  for (const one of [...bridge.children, bridge]) {
    for (const port of [...one.ports]) model.deletePort(port);
  }
  if (bridge.parent) return;
  context.root.setMany(
    'bridges',
    context.root.strings('bridges').filter((uuid) => uuid !== bridge.row.uuid),
  );
  bridge.row.delete();
}

function listBridges(context: Context): void {
  const [wantsReal, wantsFake] = [context.has('--real'), context.has('--fake')];
  const isWanted = ({ parent }: Bridge): boolean => wantsReal === wantsFake || (parent ? wantsFake : wantsReal);
  const names = [...context.bridges.bridges.values()].filter(isWanted).map(({ name }) => name);
  for (const name of names.sort()) context.say(name);
}

/** Where a bridge's external IDs are: a fake bridge has them in its port, with a prefix. */
function externalIds(context: Context, bridge: Bridge): { readonly row: WorkRow; readonly prefix: string } {
  if (!bridge.parent) return { row: bridge.row, prefix: '' };
  return { row: context.bridges.anyPort(bridge.name)!.row, prefix: 'fake-bridge-' };
}

function setExternalId(context: Context): void {
  const { row, prefix } = externalIds(context, context.bridges.bridge(context.arg(0)));
  row.verify('external_ids');
  const ids = row.map('external_ids');
  const [, key, value] = context.args;
  if (value === undefined) ids.delete(prefix + key!);
  else ids.set(prefix + key!, value);
  row.setMap('external_ids', ids);
}

function getExternalIds(context: Context): void {
  const { row, prefix } = externalIds(context, context.bridges.bridge(context.arg(0)));
  row.verify('external_ids');
  const ids = [...row.map('external_ids')]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value] as const);
  const wanted = context.args[1];
  for (const [key, value] of ids) {
    if (wanted === undefined) context.say(`${key}=${value}`);
    else if (key === wanted) context.say(value);
  }
}

export const bridgeCommands: readonly VsctlCommand[] = [
  {
    name: 'add-br',
    usage: 'BRIDGE [PARENT VLAN]',
    least: 1,
    most: 3,
    options: ['--may-exist'],
    help: 'make a bridge; with PARENT and VLAN a fake one',
    syntax: '!NEW-BRIDGE ?PARENT ?NEW-VLAN',
    run: addBridge,
  },
  {
    name: 'del-br',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: ['--if-exists'],
    help: 'delete a bridge and all its ports',
    syntax: '!BRIDGE',
    run: deleteBridge,
  },
  {
    name: 'list-br',
    usage: '',
    least: 0,
    most: 0,
    options: ['--real', '--fake'],
    help: 'show the names of all bridges',
    syntax: '',
    run: listBridges,
  },
  {
    name: 'br-exists',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'end with status 2 when there is no such bridge',
    syntax: '!BRIDGE',
    run: (context) => {
      if (!context.bridges.findBridge(context.arg(0))) throw new Exit(MISSING_STATUS);
    },
  },
  {
    name: 'br-to-vlan',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the VLAN of a fake bridge, 0 for a real one',
    syntax: '!BRIDGE',
    run: (context) => context.say(String(context.bridges.bridge(context.arg(0)).vlan)),
  },
  {
    name: 'br-to-parent',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the parent of a fake bridge',
    syntax: '!BRIDGE',
    run: (context) => {
      const bridge = context.bridges.bridge(context.arg(0));
      context.say((bridge.parent ?? bridge).name);
    },
  },
  {
    name: 'br-set-external-id',
    usage: 'BRIDGE KEY [VALUE]',
    least: 2,
    most: 3,
    options: [],
    help: 'set an external ID of a bridge, or take it away',
    syntax: '!BRIDGE !KEY ?VALUE',
    run: setExternalId,
  },
  {
    name: 'br-get-external-id',
    usage: 'BRIDGE [KEY]',
    least: 1,
    most: 2,
    options: [],
    help: 'show the external IDs of a bridge, or one of them',
    syntax: '!BRIDGE ?KEY',
    run: getExternalIds,
  },
];
