/** Commands about controllers, fail modes, managers and SSL. */
import { Fatal } from '../common/io.ts';
import { leadingInteger } from './bridge-commands.ts';
import { type Context, MANY, type VsctlCommand } from './context.ts';
import type { WorkRow } from './workspace.ts';

const KNOWN_TARGET = /^(tcp|ssl|unix|ptcp|pssl|punix):/;

function showTargets(context: Context, rows: readonly WorkRow[]): void {
  for (const row of rows) row.verify('target');
  for (const target of rows.map((row) => row.string('target')).sort()) context.say(target);
}

/** Rows for targets, with what the command's options say of them. */
function insertTargets(context: Context, table: string, targets: readonly string[]): string[] {
  const probe = context.options.get('--inactivity-probe');
  return targets.map((target) => {
    if (!KNOWN_TARGET.test(target)) context.warn('vsctl', `target type "${target}" is possibly erroneous`);
    const row = context.work.insert(table);
    row.setOne('target', target);
    if (probe !== undefined) row.setOne('inactivity_probe', leadingInteger(probe));
    return row.uuid;
  });
}

/** Deletes the rows that a column refers to, and puts others in their place. */
function replace(context: Context, row: WorkRow, column: string, table: string, uuids: readonly string[]): void {
  row.verify(column);
  for (const old of context.work.follow(row, column, table)) old.delete();
  row.setMany(column, uuids);
}

function getController(context: Context): void {
  const { row } = context.bridges.bridge(context.arg(0));
  row.verify('controller');
  showTargets(context, context.work.follow(row, 'controller', 'Controller'));
}

function setController(context: Context): void {
  const { row } = context.bridges.realBridge(context.arg(0));
  replace(context, row, 'controller', 'Controller', insertTargets(context, 'Controller', context.args.slice(1)));
}

function getFailMode(context: Context): void {
  const { row } = context.bridges.bridge(context.arg(0));
  row.verify('fail_mode');
  const mode = row.string('fail_mode');
  if (mode !== '') context.say(mode);
}

function setFailMode(context: Context): void {
  const { row } = context.bridges.realBridge(context.arg(0));
  const mode = context.arg(1);
  if (mode !== 'standalone' && mode !== 'secure') throw new Fatal('fail-mode must be "standalone" or "secure"');
  row.setOne('fail_mode', mode);
}

function getManager(context: Context): void {
  context.root.verify('manager_options');
  showTargets(context, context.work.follow(context.root, 'manager_options', 'Manager'));
}

const setManager = (context: Context): void =>
  replace(context, context.root, 'manager_options', 'Manager', insertTargets(context, 'Manager', context.args));

function getSsl(context: Context): void {
  context.root.verify('ssl');
  const [row] = context.work.follow(context.root, 'ssl', 'SSL');
  if (!row) return;
  row.verify('private_key', 'certificate', 'ca_cert', 'bootstrap_ca_cert');
  context.say(`Private key: ${row.string('private_key')}`);
  context.say(`Certificate: ${row.string('certificate')}`);
  context.say(`CA Certificate: ${row.string('ca_cert')}`);
  context.say(`Bootstrap: ${row.first('bootstrap_ca_cert') === true}`);
}

function setSsl(context: Context): void {
  const [privateKey, certificate, caCert] = context.args as readonly [string, string, string];
  const row = context.work.insert('SSL');
  row.setOne('private_key', privateKey);
  row.setOne('certificate', certificate);
  row.setOne('ca_cert', caCert);
  row.setOne('bootstrap_ca_cert', context.has('--bootstrap'));
  replace(context, context.root, 'ssl', 'SSL', [row.uuid]);
}

export const controlCommands: readonly VsctlCommand[] = [
  {
    name: 'get-controller',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show the controllers of a bridge',
    syntax: '!BRIDGE',
    run: getController,
  },
  {
    name: 'set-controller',
    usage: 'BRIDGE TARGET...',
    least: 1,
    most: MANY,
    options: ['--inactivity-probe='],
    help: 'set the controllers of a bridge',
    syntax: '!BRIDGE +TARGET',
    run: setController,
  },
  {
    name: 'del-controller',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'delete the controllers of a bridge',
    syntax: '!BRIDGE',
    run: (context) => replace(context, context.bridges.realBridge(context.arg(0)).row, 'controller', 'Controller', []),
  },
  {
    name: 'get-fail-mode',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'show what a bridge does without a controller',
    syntax: '!BRIDGE',
    run: getFailMode,
  },
  {
    name: 'set-fail-mode',
    usage: 'BRIDGE MODE',
    least: 2,
    most: 2,
    options: [],
    help: 'set what a bridge does without a controller: standalone or secure',
    syntax: '!BRIDGE !MODE',
    run: setFailMode,
  },
  {
    name: 'del-fail-mode',
    usage: 'BRIDGE',
    least: 1,
    most: 1,
    options: [],
    help: 'let a bridge without a controller do what is usual',
    syntax: '!BRIDGE',
    run: (context) => context.bridges.realBridge(context.arg(0)).row.clear('fail_mode'),
  },
  {
    name: 'get-manager',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'show the managers',
    syntax: '',
    run: getManager,
  },
  {
    name: 'set-manager',
    usage: 'TARGET...',
    least: 1,
    most: MANY,
    options: ['--inactivity-probe='],
    help: 'set the managers',
    syntax: '+TARGET',
    run: setManager,
  },
  {
    name: 'del-manager',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'delete the managers',
    syntax: '',
    run: (context) => replace(context, context.root, 'manager_options', 'Manager', []),
  },
  {
    name: 'get-ssl',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'show the files of SSL',
    syntax: '',
    run: getSsl,
  },
  {
    name: 'set-ssl',
    usage: 'PRIVATE-KEY CERTIFICATE CA-CERT',
    least: 3,
    most: 3,
    options: ['--bootstrap'],
    help: 'set the files of SSL',
    syntax: '!PRIVATE-KEY !CERTIFICATE !CA-CERT',
    run: setSsl,
  },
  {
    name: 'del-ssl',
    usage: '',
    least: 0,
    most: 0,
    options: [],
    help: 'forget the files of SSL',
    syntax: '',
    run: (context) => replace(context, context.root, 'ssl', 'SSL', []),
  },
];
