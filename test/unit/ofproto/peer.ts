/** A controller without a connection: it asks a bridge of a switch in messages of any version, and keeps the answers. */
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import type { Micros } from '../../../src/lib/clock.ts';
import { must } from '../../../src/lib/result.ts';
import type { BundleFailure, OfEvents, OfPeer, OfRequest } from '../../../src/ofproto/connections/types.ts';
import { parseActions } from '../../../src/openflow/action/index.ts';
import type { OfAction } from '../../../src/openflow/action/types.ts';
import type { OfError } from '../../../src/openflow/error.ts';
import { parseMatch } from '../../../src/openflow/match-text.ts';
import type { OfMessage } from '../../../src/openflow/message/families.ts';
import type { FlowModMessage } from '../../../src/openflow/message/flow-mod.ts';
import { decodeMessage, encodeMessage } from '../../../src/openflow/message/message.ts';
import type { OfVersion } from '../../../src/openflow/version.ts';
import type { OfErrorName } from '../../../src/spec/of-errors.ts';
import { createSwitch, type Switch } from '../../../src/vswitchd/switch.ts';

export const versions: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];
export const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0xaa);

const nameOf = (error: OfError | OfErrorName): OfErrorName => (typeof error === 'string' ? error : error.name);

function decoded(bytes: Uint8Array) {
  const read = decodeMessage(bytes);
  if (!read.ok) throw new Error(`${read.error.name}: ${Buffer.from(bytes).toString('hex').slice(0, 200)}`);
  return read.value;
}

export class FakePeer implements OfPeer {
  readonly id = 1;
  readonly name = 'fake#1';
  readonly version: OfVersion;
  hasTableIds = false;
  readonly usesNxm = false;
  kind: 'primary' | 'service' = 'service';
  role: OfPeer['role'] = 'equal';
  missSendLength = 0;
  wantsInvalidTtl = false;
  /** Answers as they came back from the wire, errors as their names. */
  answers: (OfMessage | OfErrorName)[] = [];

  constructor(version: OfVersion) {
    this.version = version;
  }

  #throughWire(message: OfMessage, xid: number): OfMessage {
    const bytes = encodeMessage(message, this.version, xid);
    if (!bytes) throw new Error(`version ${this.version} has no ${message.kind}`);
    return decoded(bytes).message;
  }

  reply({ envelope }: OfRequest, message: OfMessage): void {
    this.answers.push(this.#throughWire(message, envelope.header.xid));
  }

  replyMultipart({ envelope }: OfRequest, parts: Iterable<OfMessage>, empty: OfMessage): void {
    const { xid } = envelope.header;
    const all = [...parts];
    this.answers.push(...(all.length > 0 ? all : [empty]).map((part) => this.#throughWire(part, xid)));
  }

  fail(_: OfRequest, error: OfError | OfErrorName): void {
    this.answers.push(nameOf(error));
  }
}

export interface Bed {
  readonly sw: Switch;
  readonly devices: readonly MemoryNetdev[];
  now: Micros;
  /** Asks in one version. @returns the answers */
  ask(message: OfMessage, version?: OfVersion, peer?: FakePeer): (OfMessage | OfErrorName)[];
  bundle(messages: readonly OfMessage[], version?: OfVersion): OfErrorName | null;
  /** A frame comes in by a port, counted from 1. */
  inject(port: number, frame: Uint8Array): void;
  /** Frames that a port has sent since the last time. */
  sent(port: number): Uint8Array[];
  warp(micros: Micros): void;
  listen(events: Partial<OfEvents>): void;
}

export const nobody: OfEvents = {
  flowsChanged: () => undefined,
  groupsChanged: () => undefined,
  metersChanged: () => undefined,
  portChanged: () => undefined,
  packetIn: () => undefined,
};

/** @returns the request as it comes from the wire */
export function requestOf(message: OfMessage, version: OfVersion, xid = 7): OfRequest {
  const bytes = encodeMessage(message, version, xid);
  if (!bytes) throw new Error(`version ${version} has no ${message.kind}`);
  return { envelope: decoded(bytes), bytes };
}

/** A switch with a bridge `br0` and three ports. */
export function makeBed(failMode: 'secure' | 'standalone' = 'secure'): Bed {
  const sw = createSwitch({ frameCount: 256 });
  const devices = [1, 2, 3].map((n) => new MemoryNetdev(`p${n}`, { mac: Uint8Array.of(2, 0, 0, 0, 0, n) }));
  let now = 1_000_000;
  sw.poll(now);
  sw.addBridge({ name: 'br0', mac: MAC, failMode });
  devices.forEach((netdev, i) => void sw.addPort('br0', { name: netdev.name, netdev, ofport: i + 1 }));
  const { requests } = sw.ofproto('br0');
  return {
    sw,
    devices,
    get now() {
      return now;
    },
    ask(message, version = 4, peer = new FakePeer(version)) {
      requests.handle(peer, requestOf(message, version), now);
      sw.poll(now);
      return peer.answers.splice(0);
    },
    bundle(messages, version = 5) {
      const failure: BundleFailure | null = requests.commitBundle(
        new FakePeer(version),
        messages.map((message, i) => requestOf(message, version, 100 + i)),
        now,
      );
      sw.poll(now);
      return failure && nameOf(failure.error);
    },
    inject(port, frame) {
      devices[port - 1]!.send(frame);
      sw.poll(now);
    },
    sent: (port) => devices[port - 1]!.takeSent(),
    warp(micros) {
      now += micros;
      sw.poll(now);
    },
    listen: (events) => sw.ofproto('br0').setEvents({ ...nobody, ...events }),
  };
}

export const actions = (text: string): OfAction[] => must(parseActions(text));
export const match = (text: string) => must(parseMatch(text));

/** A flow-mod in words. */
export const flowMod = (
  matchText: string,
  actionText: string,
  settings: Partial<FlowModMessage> = {},
): FlowModMessage => ({
  kind: 'flow_mod',
  command: 'add',
  table: 0,
  match: match(matchText),
  priority: 100,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: 0n,
  idleTimeout: 0,
  hardTimeout: 0,
  importance: 0,
  buffer: 0xffffffff,
  outPort: 0xffff,
  outGroup: 0xffffffff,
  flags: [],
  actions: actions(actionText),
  ...settings,
});

/** What dump-flows would show of every table, a line a flow: table, priority, packets and actions. */
export function flows(bed: Bed): string[] {
  const request = { table: 0xff, match: match(''), outPort: 0xffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
  const answers = bed.ask({ kind: 'flow_stats_request', ...request }, 5);
  return answers.flatMap((answer) => {
    if (typeof answer === 'string' || answer.kind !== 'flow_stats_reply') throw new Error(`no flows: ${answer}`);
    return answer.flows.map(
      ({ table, priority, packets, actions: list }) => `${table}/${priority} n=${packets} ${list.map(word).join()}`,
    );
  });
}

const word = (action: OfAction): string =>
  action.type === 'output' ? `output:${action.port}` : action.type === 'group' ? `group:${action.group}` : action.type;
