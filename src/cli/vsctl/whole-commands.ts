/** Commands about the whole database: an overview, the first row, everything back to where it was safe. */
import { defaultDatum, equalData } from '../../ovsdb/data.ts';
import { datumText } from '../../ovsdb/text.ts';
import type { Context, VsctlCommand } from './context.ts';
import type { WorkRow } from './workspace.ts';

interface Shown {
  /** Column with the row's name; null for its UUID. */
  readonly name: string | null;
  readonly columns: readonly string[];
}

const shown: Readonly<Record<string, Shown>> = {
  Open_vSwitch: { name: null, columns: ['manager_options', 'bridges', 'ovs_version'] },
  Bridge: { name: 'name', columns: ['controller', 'fail_mode', 'datapath_type', 'ports'] },
  Port: { name: 'name', columns: ['tag', 'trunks', 'interfaces'] },
  Interface: { name: 'name', columns: ['type', 'options', 'error'] },
  Controller: { name: 'target', columns: ['is_connected'] },
  Manager: { name: 'target', columns: ['is_connected'] },
};

function showRow(context: Context, row: WorkRow, level: number): void {
  const { table } = row;
  const { name, columns } = shown[table.name]!;
  const indent = '    '.repeat(level);
  const text = (column: string): string => datumText(row.get(column), table.byName.get(column)!.type);
  context.say(name === null ? indent + row.uuid : `${indent}${table.name} ${text(name)}`);
  for (const column of columns) {
    const { type } = table.byName.get(column)!;
    row.verify(column);
    const { refTable } = type.key;
    if (refTable !== null && shown[refTable]) {
      for (const child of context.work.follow(row, column, refTable)) showRow(context, child, level + 1);
    } else if (!equalData(row.get(column), defaultDatum(type))) {
      context.say(`${indent}    ${column}: ${text(column)}`);
    }
  }
}

function show(context: Context): void {
  for (const row of context.work.rows('Open_vSwitch')) showRow(context, row, 0);
}

/** Columns that an emergency reset empties, by table. */
const resettable: Readonly<Record<string, readonly string[]>> = {
  Open_vSwitch: ['manager_options', 'ssl'],
  Bridge: ['controller', 'fail_mode', 'mirrors', 'netflow', 'sflow', 'ipfix', 'flood_vlans'],
  Port: ['other_config'],
  Interface: ['ingress_policing_rate', 'ingress_policing_burst'],
};

/** Tables whose rows all go. */
const emptied = ['Mirror', 'Controller', 'Manager', 'NetFlow', 'SSL', 'sFlow', 'IPFIX'];

function emergencyReset(context: Context): void {
  for (const [table, columns] of Object.entries(resettable))
    for (const row of context.work.rows(table)) for (const column of columns) row.clear(column);
  for (const bridge of context.work.rows('Bridge')) {
    const hwaddr = bridge.map('other_config').get('hwaddr');
    bridge.setMap('other_config', hwaddr === undefined ? [] : [['hwaddr', hwaddr]]);
  }
  for (const table of emptied) for (const row of context.work.rows(table)) row.delete();
}

export const wholeCommands: readonly VsctlCommand[] = [
  {
    name: 'init',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'make the database’s first row, when it is not there',
    syntax: '',
    run: () => undefined,
  },
  {
    name: 'show',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'show an overview of the database',
    syntax: '',
    run: show,
  },
  {
    name: 'emer-reset',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'empty all settings that could keep the switch from forwarding',
    syntax: '',
    run: emergencyReset,
  },
];
