/** Commands about ports and interfaces. */
import { Fatal } from '../common/io.ts';
import { appendReference } from './bridge-commands.ts';
import { type Context, MANY, type VsctlCommand } from './context.ts';
import { checkSetting, setColumn } from './database-commands.ts';
import type { Bridge, Port } from './model.ts';
import type { WorkRow } from './workspace.ts';

interface NewPort {
  readonly bridge: string;
  readonly name: string;
  readonly interfaces: readonly string[];
  readonly settings: readonly string[];
  readonly isFakeInterface: boolean;
}

const sorted = (names: readonly string[]): string[] => [...names].sort();
const namesOf = (port: Port): string[] => sorted(port.interfaces.map(({ name }) => name));

/** True when the port is there and is what --may-exist asks for. @throws Fatal when it is something else */
function isThere(context: Context, wanted: NewPort): boolean {
  const port = context.bridges.findPort(wanted.name);
  if (!context.has('--may-exist') || !port) return false;
  const bond = context.name === 'add-bond' ? wanted.interfaces : [];
  const command = `"--may-exist ${[context.name, wanted.bridge, wanted.name, ...bond].join(' ')}"`;
  if (port.bridge.name !== wanted.bridge) {
    throw new Fatal(`${command} but ${wanted.name} is actually attached to bridge ${port.bridge.name}`);
  }
  const have = namesOf(port);
  if (have.join('\n') === sorted(wanted.interfaces).join('\n')) return true;
  throw new Fatal(`${command} but ${wanted.name} actually has interface(s) ${have.join(', ')}`);
}

function insertInterface(context: Context, name: string): WorkRow {
  const face = context.work.insert('Interface');
  face.setOne('name', name);
  context.run.expected.add(name);
  return face;
}

function insertPort(context: Context, wanted: NewPort): void {
  const { name, interfaces } = wanted;
  if (name === '') throw new Fatal('port name must not be empty string');
  if (interfaces.includes('')) throw new Fatal('interface name must not be empty string');
  if (isThere(context, wanted)) return;
  const model = context.bridges;
  model.checkFree(name, `cannot create a port named ${name}`);
  for (const face of interfaces) model.checkFree(face, `cannot create an interface named ${face}`);
  const bridge = model.bridge(wanted.bridge);
  const faces = interfaces.map((face) => insertInterface(context, face).uuid);
  const port = context.work.insert('Port');
  port.setOne('name', name);
  port.setMany('interfaces', faces);
  if (wanted.isFakeInterface) port.setOne('bond_fake_iface', true);
  if (bridge.parent) port.setOne('tag', bridge.vlan);
  for (const setting of wanted.settings) setColumn(context, port, setting);
  appendReference(bridge.row, 'ports', port.uuid);
  model.addPort(bridge.parent ?? bridge, port);
  context.keepModel();
}

function addPort(context: Context): void {
  const [bridge, name, ...settings] = context.args as readonly [string, string, ...string[]];
  insertPort(context, { bridge, name, interfaces: [name], settings, isFakeInterface: false });
}

/** Interfaces of a bond, and what is set on it: from the first `COLUMN=VALUE` on. */
function bondArguments(context: Context): { readonly interfaces: string[]; readonly settings: string[] } {
  const rest = context.args.slice(2);
  const at = rest.findIndex((text) => text.includes('='));
  if (at < 0) return { interfaces: rest, settings: [] };
  return { interfaces: rest.slice(0, at), settings: rest.slice(at) };
}

function addBond(context: Context): void {
  const { interfaces, settings } = bondArguments(context);
  if (interfaces.length < 2) {
    throw new Fatal(`add-bond requires at least 2 interfaces, but only ${interfaces.length} were specified`);
  }
  const [bridge, name] = [context.arg(0), context.arg(1)];
  insertPort(context, { bridge, name, interfaces, settings, isFakeInterface: context.has('--fake-iface') });
}

function addBondInterface(context: Context): void {
  const [bond, name] = [context.arg(0), context.arg(1)];
  const port = context.bridges.port(bond);
  if (name === '') throw new Fatal('interface name must not be empty string');
  const face = context.bridges.findInterface(name);
  if (face && context.has('--may-exist')) {
    if (face.port === port) return;
    const command = `"--may-exist add-bond-iface ${bond} ${name}"`;
    throw new Fatal(`${command} but ${name} is actually attached to port ${face.port.name}`);
  }
  context.bridges.checkFree(name, `cannot create an interface named ${name}`);
  appendReference(port.row, 'interfaces', insertInterface(context, name).uuid);
}

function deleteBondInterface(context: Context): void {
  const name = context.args.at(-1)!;
  const model = context.bridges;
  const face = context.has('--if-exists') ? model.findInterface(name) : model.interface(name);
  if (!face) return;
  if (context.args.length > 1) {
    const port = model.port(context.arg(0));
    if (port !== face.port) throw new Fatal(`port ${port.name} does not have an interface ${name}`);
  }
  const { row, interfaces } = face.port;
  if (interfaces.length < 2) throw new Fatal(`cannot delete last interface from port ${face.port.name}`);
  row.setMany(
    'interfaces',
    row.strings('interfaces').filter((uuid) => uuid !== face.row.uuid),
  );
  face.row.delete();
}

function findDoomed(context: Context, name: string): Port | null {
  const model = context.bridges;
  const mustExist = !context.has('--if-exists');
  if (model.findBridge(name)) {
    if (!mustExist) return null;
    const what = `cannot delete port ${name} because it is the local port for bridge ${name}`;
    throw new Fatal(`${what} (deleting this port requires deleting the entire bridge)`);
  }
  if (!context.has('--with-iface')) return mustExist ? model.port(name) : model.findPort(name);
  const port = model.findPort(name) ?? model.findInterface(name)?.port ?? null;
  if (!port && mustExist) throw new Fatal(`no port or interface named ${name}`);
  return port;
}

function deletePort(context: Context): void {
  const name = context.args.at(-1)!;
  const port = findDoomed(context, name);
  if (!port) return;
  if (context.args.length > 1) checkPlace(context.bridges.bridge(context.arg(0)), port, name);
  context.bridges.deletePort(port);
  context.keepModel();
}

function checkPlace(bridge: Bridge, port: Port, name: string): void {
  if (port.bridge === bridge) return;
  const what = `bridge ${bridge.name} does not have a port ${name}`;
  if (port.bridge.parent !== bridge) throw new Fatal(what);
  throw new Fatal(`${what} (although its child bridge ${port.bridge.name} does)`);
}

function listPorts(context: Context): void {
  const bridge = context.bridges.bridge(context.arg(0));
  const names = bridge.ports.map(({ name }) => name).filter((name) => name !== bridge.name);
  for (const name of names.sort()) context.say(name);
}

function listInterfaces(context: Context): void {
  const bridge = context.bridges.bridge(context.arg(0));
  const names = bridge.ports.flatMap(({ interfaces }) => interfaces.map(({ name }) => name));
  for (const name of names.filter((one) => one !== bridge.name).sort()) context.say(name);
}

const checkSettings = (context: Context, settings: readonly string[]): void => {
  const table = context.work.schema('Port');
  for (const text of settings) checkSetting(table, text, true);
};

export const portCommands: readonly VsctlCommand[] = [
  {
    name: 'list-ports',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the names of all ports of a bridge',
    syntax: '!BRIDGE',
    run: listPorts,
  },
  {
    name: 'add-port',
    usage: 'BRIDGE PORT [COLUMN[:KEY]=VALUE]...',
    least: 2,
    most: MANY,
    options: ['--may-exist'],
    help: 'add a network device to a bridge',
    syntax: '!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE',
    check: (context) => checkSettings(context, context.args.slice(2)),
    run: addPort,
  },
  {
    name: 'add-bond',
    usage: 'BRIDGE PORT IFACE... [COLUMN[:KEY]=VALUE]...',
    least: 4,
    most: MANY,
    options: ['--may-exist', '--fake-iface'],
    help: 'add a port of several interfaces to a bridge',
    syntax: '!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE',
    check: (context) => checkSettings(context, bondArguments(context).settings),
    run: addBond,
  },
  {
    name: 'add-bond-iface',
    usage: 'BOND IFACE',
    least: 2,
    most: 2,
    options: ['--may-exist'],
    help: 'add an interface to a bonded port',
    syntax: '!BOND !IFACE',
    run: addBondInterface,
  },
  {
    name: 'del-bond-iface',
    usage: '[BOND] IFACE',
    least: 1,
    most: 2,
    options: ['--if-exists'],
    help: 'take an interface out of a bonded port',
    syntax: '?BOND !IFACE',
    run: deleteBondInterface,
  },
  {
    name: 'del-port',
    usage: '[BRIDGE] PORT',
    least: 1,
    most: 2,
    options: ['--if-exists', '--with-iface'],
    help: 'delete a port',
    syntax: '?BRIDGE !PORT|IFACE',
    run: deletePort,
  },
  {
    name: 'port-to-br',
    usage: 'PORT',
    least: 1,
    most: 1,
    options: [],
    help: 'show the bridge that has a port',
    syntax: '!PORT',
    run: (context) => context.say(context.bridges.port(context.arg(0)).bridge.name),
  },
  {
    name: 'list-ifaces',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the names of all interfaces of a bridge',
    syntax: '!BRIDGE',
    run: listInterfaces,
  },
  {
    name: 'iface-to-br',
    usage: 'IFACE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the bridge that has an interface',
    syntax: '!IFACE',
    run: (context) => context.say(context.bridges.interface(context.arg(0)).port.bridge.name),
  },
];
