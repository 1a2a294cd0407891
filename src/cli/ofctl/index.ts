/**
 * ovs-ofctl's commands (ovs-ofctl(8)): everything that it does to an OpenFlow switch, with its output, its errors and its
 * exit status.
 *
 * What: options.ts reads the command line, connection.ts speaks to a switch, flow-text.ts and its like read flows, groups,
 * meters; one file for each family of commands.
 * Terms: *flow protocol*, a version and, in OpenFlow 1.0, the form of messages about flows; *usable*, the protocols that can
 * say a flow, a group, a bundle.
 * Invariants: a command sends what ovs-ofctl sends, in its order, over as many connections, so that transaction ids agree;
 * messages bear the name ovs-ofctl. Nothing is sent when the command line or a file cannot be read.
 * Not supported: log lines and --log-file, --detach, --pidfile, --unixctl and what can be told a running monitor; --help's
 * wording. Of the commands for Open vSwitch's own tests only parse-flow, parse-flows, ofp-print, compose-packet and parse-pcap
 * are here; ofp-parse-pcap is not. `monitor … resume` prints packets and does not resume them. Tables in printed messages are
 * numbers. A flow's actions are not checked against its match before they are sent: the switch does.
 */

import { type CliIo, Exit, Fatal } from '../common/io.ts';
import { bundle } from './bundle.ts';
import { Context } from './context.ts';
import { addFlow, addFlows, delFlows, diffFlows, dumpAggregate, dumpFlows, modFlows, replaceFlows } from './flows.ts';
import {
  addGroup,
  addGroups,
  delGroups,
  dumpGroupFeatures,
  dumpGroupStats,
  dumpGroups,
  insertBuckets,
  modGroup,
  removeBuckets,
} from './groups.ts';
import { addMeter, delMeters, dumpMeters, meterFeatures, meterStats, modMeter } from './meters.ts';
import { monitor, snoop } from './monitor.ts';
import { composePacket, ofpParse, ofpPrint, parseFlow, parseFlows, parsePcap } from './offline.ts';
import { parseCommandLine } from './options.ts';
import { dumpPorts, dumpPortsDesc, modPort, queueGetConfig, queueStats } from './ports.ts';
import { dumpDesc, dumpTableDesc, dumpTableFeatures, dumpTables, getFrags, modTable, setFrags, show } from './show.ts';
import {
  addTlvMap,
  benchmark,
  ctFlush,
  ctFlushZone,
  delTlvMap,
  dumpIpfixBridge,
  dumpIpfixFlow,
  dumpTlvMap,
  packetOut,
  ping,
  probe,
} from './various.ts';

type Run = (context: Context, args: readonly string[]) => Promise<void> | void;

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  readonly writes: boolean;
  readonly run: Run;
}

type Row = readonly [name: string, usage: string, least: number, most: number, access: 'ro' | 'rw', run: Run];

const MANY = Number.MAX_SAFE_INTEGER;

const rows: readonly Row[] = [
  ['show', 'SWITCH', 1, 1, 'ro', show],
  ['monitor', 'SWITCH [MISSLEN] [invalid_ttl] [watch:...]', 1, 3, 'ro', monitor],
  ['snoop', 'SWITCH', 1, 1, 'ro', snoop],
  ['dump-desc', 'SWITCH', 1, 1, 'ro', dumpDesc],
  ['dump-tables', 'SWITCH', 1, 1, 'ro', dumpTables],
  ['dump-table-features', 'SWITCH', 1, 1, 'ro', dumpTableFeatures],
  ['dump-table-desc', 'SWITCH', 1, 1, 'ro', dumpTableDesc],
  ['dump-flows', 'SWITCH [FLOW]', 1, 2, 'ro', dumpFlows],
  ['dump-aggregate', 'SWITCH [FLOW]', 1, 2, 'ro', dumpAggregate],
  ['queue-stats', 'SWITCH [PORT [QUEUE]]', 1, 3, 'ro', queueStats],
  ['queue-get-config', 'SWITCH [PORT [QUEUE]]', 1, 3, 'ro', queueGetConfig],
  ['add-flow', 'SWITCH FLOW', 2, 2, 'rw', addFlow],
  ['add-flows', 'SWITCH FILE', 2, 2, 'rw', addFlows],
  ['mod-flows', 'SWITCH FLOW', 2, 2, 'rw', modFlows],
  ['del-flows', 'SWITCH [FLOW]', 1, 2, 'rw', delFlows],
  ['replace-flows', 'SWITCH FILE', 2, 2, 'rw', replaceFlows],
  ['diff-flows', 'SOURCE1 SOURCE2', 2, 2, 'rw', diffFlows],
  ['add-meter', 'SWITCH METER', 2, 2, 'rw', addMeter],
  ['mod-meter', 'SWITCH METER', 2, 2, 'rw', modMeter],
  ['del-meter', 'SWITCH METER', 1, 2, 'rw', delMeters],
  ['del-meters', 'SWITCH [METER]', 1, 2, 'rw', delMeters],
  ['dump-meter', 'SWITCH METER', 1, 2, 'ro', dumpMeters],
  ['dump-meters', 'SWITCH [METER]', 1, 2, 'ro', dumpMeters],
  ['meter-stats', 'SWITCH [METER]', 1, 2, 'ro', meterStats],
  ['meter-features', 'SWITCH', 1, 1, 'ro', meterFeatures],
  ['packet-out', 'SWITCH IN_PORT ACTIONS PACKET...', 2, MANY, 'rw', packetOut],
  ['dump-ports', 'SWITCH [PORT]', 1, 2, 'ro', dumpPorts],
  ['dump-ports-desc', 'SWITCH [PORT]', 1, 2, 'ro', dumpPortsDesc],
  ['mod-port', 'SWITCH IFACE ACT', 3, 3, 'rw', modPort],
  ['mod-table', 'SWITCH TABLE MOD', 3, 3, 'rw', modTable],
  ['get-frags', 'SWITCH', 1, 1, 'ro', getFrags],
  ['set-frags', 'SWITCH FRAG_MODE', 2, 2, 'rw', setFrags],
  ['probe', 'TARGET', 1, 1, 'ro', probe],
  ['ping', 'TARGET [N]', 1, 2, 'ro', ping],
  ['benchmark', 'TARGET N COUNT', 3, 3, 'ro', benchmark],
  ['dump-ipfix-bridge', 'SWITCH', 1, 1, 'ro', dumpIpfixBridge],
  ['dump-ipfix-flow', 'SWITCH', 1, 1, 'ro', dumpIpfixFlow],
  ['ct-flush-zone', 'SWITCH ZONE', 2, 2, 'rw', ctFlushZone],
  ['ct-flush', 'SWITCH [ZONE] [CT_ORIG_TUPLE [CT_REPLY_TUPLE]]', 1, 4, 'rw', ctFlush],
  ['ofp-parse', 'FILE', 1, 1, 'rw', ofpParse],
  ['add-group', 'SWITCH GROUP', 1, 2, 'rw', addGroup],
  ['add-groups', 'SWITCH FILE', 1, 2, 'rw', addGroups],
  ['mod-group', 'SWITCH GROUP', 1, 2, 'rw', modGroup],
  ['del-groups', 'SWITCH [GROUP]', 1, 2, 'rw', delGroups],
  ['insert-buckets', 'SWITCH GROUP', 1, 2, 'rw', insertBuckets],
  ['remove-buckets', 'SWITCH GROUP', 1, 2, 'rw', removeBuckets],
  ['dump-groups', 'SWITCH [GROUP]', 1, 2, 'ro', dumpGroups],
  ['dump-group-stats', 'SWITCH [GROUP]', 1, 2, 'ro', dumpGroupStats],
  ['dump-group-features', 'SWITCH', 1, 1, 'ro', dumpGroupFeatures],
  ['bundle', 'SWITCH FILE', 2, 2, 'rw', bundle],
  ['add-tlv-map', 'SWITCH MAP', 2, 2, 'rw', addTlvMap],
  ['del-tlv-map', 'SWITCH [MAP]', 1, 2, 'rw', delTlvMap],
  ['dump-tlv-map', 'SWITCH', 1, 1, 'ro', dumpTlvMap],
  ['parse-flow', 'FLOW', 1, 1, 'rw', parseFlow],
  ['parse-flows', 'FILE', 1, 1, 'rw', parseFlows],
  ['ofp-print', 'HEX [VERBOSITY]', 1, 2, 'rw', ofpPrint],
  ['compose-packet', 'FLOW [L7]', 1, 2, 'rw', composePacket],
  ['parse-pcap', 'PCAP...', 1, MANY, 'rw', parsePcap],
];

const commands: readonly Command[] = rows.map(([name, usage, least, most, access, run]) => ({
  name,
  usage,
  least,
  most,
  writes: access === 'rw',
  run,
}));

function helpText(): string {
  const lines = commands.map(({ name, usage }) => `  ${`${name} ${usage}`.trimEnd()}\n`);
  return `ovs-ofctl: OpenFlow switch management utility\nusage: ovs-ofctl [OPTIONS] COMMAND [ARG...]\n\n${lines.join('')}`;
}

function find(words: readonly string[], isReadOnly: boolean): Command {
  const [name, ...args] = words;
  if (name === undefined) throw new Fatal('missing command name; use --help for help');
  const command = commands.find((c) => c.name === name);
  if (!command) throw new Fatal(`unknown command '${name}'; use --help for help`);
  if (args.length < command.least) {
    throw new Fatal(`'${name}' command requires at least ${command.least} arguments`);
  }
  if (args.length > command.most) throw new Fatal(`'${name}' command takes at most ${command.most} arguments`);
  if (isReadOnly && command.writes) throw new Fatal(`'${name}' command does not work in read only mode`);
  return command;
}

/** Ends a run that takes too long, as the signal of an alarm clock does. */
const ALARM_STATUS = 142;

async function withTimeout(seconds: number | null, io: CliIo, run: Promise<void> | void): Promise<void> {
  if (seconds === null) {
    await run;
    return;
  }
  let timer: NodeJS.Timeout | null = null;
  const alarm = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      io.err('ovs-ofctl: terminating with signal 14 (Alarm clock)\n');
      reject(new Exit(ALARM_STATUS));
    }, seconds * 1000);
  });
  try {
    await Promise.race([run, alarm]);
  } finally {
    if (timer) clearTimeout(timer);
  }
}

/** Runs one command line. @returns the exit status: 0, 1 for an error, 2 when diff-flows found differences */
export async function runOfctl(args: readonly string[], io: CliIo): Promise<number> {
  try {
    const { options, words, wants } = parseCommandLine(args, io.err);
    if (wants === 'help' || wants === 'option') {
      io.out(helpText());
      return 0;
    }
    if (wants === 'version') {
      io.out('ovs-ofctl (Open vSwitch) 3.1.0\nOpenFlow versions 0x1:0x6\n');
      return 0;
    }
    const command = find(words, options.isReadOnly);
    const context = new Context(options, io);
    try {
      await withTimeout(options.timeout, io, (async () => command.run(context, words.slice(1)))());
    } finally {
      context.end();
    }
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.status;
    if (!(error instanceof Fatal)) throw error;
    io.err(`ovs-ofctl: ${error.message}\n`);
    return error.status;
  }
}
