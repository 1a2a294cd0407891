/** The commands ofproto/trace and ofproto/trace-packet-out (ovs-vswitchd(8), "OFPROTO COMMANDS"). */
import { composeFrame } from '../../flow/compose.ts';
import { extractKey } from '../../flow/extract.ts';
import { type FlowKey, KEY } from '../../flow/key.ts';
import { parseKey } from '../../flow/odp/parse.ts';
import { parseFlowKeyText } from '../../flow/text.ts';
import { fromHex } from '../../lib/bytes.ts';
import { parseActions } from '../../openflow/action/index.ts';
import type { OfAction } from '../../openflow/action/types.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import { OFPP_NONE } from '../../translate/types.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { parseCtNext } from '../trace-recirc.ts';
import { datapathNames } from './datapath-names.ts';

interface Request {
  readonly bridge: string;
  /** in_port is an OpenFlow port. */
  readonly key: FlowKey;
  readonly frame: Uint8Array | null;
}

interface Words {
  readonly positional: string[];
  readonly ctNext: number[];
  generates: boolean;
  isConsistent: boolean;
  /** Bytes behind the headers of a generated packet; null for the default. */
  payloadSize: number | null;
}

function readWords(args: readonly string[], knowsConsistent: boolean): Words {
  const words: Words = { positional: [], ctNext: [], generates: false, isConsistent: false, payloadSize: null };
  const value = (i: number): string => {
    const text = args[i + 1];
    if (text === undefined) throw new CommandError(`Missing argument for option ${args[i]}`);
    return text;
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '-generate' || arg === '--generate') words.generates = true;
    else if (knowsConsistent && (arg === '-consistent' || arg === '--consistent')) words.isConsistent = true;
    else if (arg === '--ct-next') {
      const state = parseCtNext(value(i++));
      if (!state.ok) throw new CommandError(state.error);
      words.ctNext.push(state.value);
    } else if (arg === '--l7') words.payloadSize = (fromHex(value(i++)) ?? new Uint8Array(0)).length;
    else if (arg === '--l7-len') words.payloadSize = Number.parseInt(value(i++), 10) || 0;
    else if (arg.startsWith('-')) throw new CommandError(`${arg}: unknown option`);
    else words.positional.push(arg);
  }
  return words;
}

const positionalsMax = 3;
const FRAME_MIN = 14;

function keyOf(daemon: SwitchDaemon, text: string): FlowKey | null {
  const portByName = (name: string): number | null => {
    const live = daemon.config.interfaceOf(name);
    return live ? (daemon.target.port(live.bridge, name)?.dpPort ?? null) : null;
  };
  const key = parseKey(text, { portByName });
  return key.ok ? key.value : null;
}

/** A flow as the datapath has it: the port says which bridge. */
function datapathRequest(daemon: SwitchDaemon, key: FlowKey): Request {
  const number = key.get(KEY.in_port);
  const port = daemon.target.state.picture().portsByDpPort.get(number);
  if (!port) throw new CommandError(`no OpenFlow port for datapath port ${number}`);
  return { bridge: port.bridge, key: key.clone().set(KEY.in_port, port.ofport), frame: null };
}

function bridgeRequest(daemon: SwitchDaemon, bridge: string, flow: string): Request {
  const picture = daemon.target.state.bridges.get(bridge)?.picture();
  if (!picture) throw new CommandError(`${bridge}: unknown bridge`);
  const portByName = (name: string): number | null => picture.portsByName.get(name)?.ofport ?? null;
  const parsed = parseFlowKeyText(flow, { portByName });
  if (!parsed.ok) throw new CommandError(`Bad openflow flow syntax: ${flow}: ${parsed.error.replaceAll('"', '')}`);
  const { key, inPort } = parsed.value;
  return { bridge, key: key.set(KEY.in_port, inPort ?? OFPP_NONE), frame: null };
}

function requestOf(daemon: SwitchDaemon, { positional, generates, payloadSize }: Words): Request {
  if (positional.length > positionalsMax) throw new CommandError('too many arguments');
  const [first, second, packet] = positional as [string, string | undefined, string | undefined];
  const datapathKey = keyOf(daemon, second ?? first);
  let request: Request;
  if (datapathKey && (second === undefined || packet === undefined)) {
    if (second !== undefined && !datapathNames(daemon).has(first)) throw new CommandError('Cannot find the datapath');
    request = datapathRequest(daemon, datapathKey);
  } else if (second === undefined) {
    throw new CommandError(`syntax error at ${first} (or the bridge name was omitted)`);
  } else request = bridgeRequest(daemon, first, second);
  if (packet !== undefined) {
    const frame = /^[0-9a-fA-F\s]+$/.test(packet) ? fromHex(packet) : null;
    if (!frame) throw new CommandError('Trailing garbage in packet data');
    if (frame.length < FRAME_MIN) throw new CommandError('Packet data too short for Ethernet');
    const key = extractKey(frame).key.set(KEY.in_port, request.key.get(KEY.in_port));
    return { ...request, key, frame };
  }
  if (!generates && payloadSize === null) return request;
  return { ...request, frame: composeFrame(request.key, payloadSize ?? undefined) };
}

function trace(daemon: SwitchDaemon, args: readonly string[], actions: readonly OfAction[] | null): string {
  // Connections that have just gone or come decide what a miss does
  daemon.turn();
  const words = readWords(args, actions !== null);
  const { bridge, key, frame } = requestOf(daemon, words);
  const report = daemon.target.trace(bridge, { key }, daemon.clock.now(), {
    sideEffects: frame !== null && (words.generates || words.positional.length === positionalsMax),
    ctNext: words.ctNext,
    ...(actions ? { actions } : {}),
  });
  return report.text;
}

function tracePacketOut(daemon: SwitchDaemon, args: readonly string[]): string {
  const text = args.at(-1)!;
  const port = (name: string): number | null => daemon.config.interfaceOf(name)?.number ?? null;
  const actions = parseActions(text, { port });
  if (args.length < 3 && !args[0]!.includes('(')) {
    throw new CommandError(`syntax error at ${args[0]} (or the bridge name was omitted)`);
  }
  if (!actions.ok) throw new CommandError(`Bad openflow action syntax: ${actions.error}`);
  return trace(daemon, args.slice(0, -1), actions.value);
}

export function registerTrace(control: ControlSocket, daemon: SwitchDaemon): void {
  const flow = '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]';
  control.register('ofproto/trace', flow, 1, 1000, (args) => trace(daemon, args, null));
  control.register('ofproto/trace-packet-out', `[-consistent] ${flow} actions`, 2, 1000, (args) =>
    tracePacketOut(daemon, args),
  );
}
