/** Flow-mods of the measurements, in OpenFlow 1.4, made by patching templates: the client must not be what is measured. */
import { message } from './client.ts';

const FLOW_MOD = 14;
const ADD = 0;
const DELETE = 3;
/** Behind header, cookie and the rest of the fixed part. */
const MATCH_AT = 48;
const PORTS = 16;

interface Template {
  readonly bytes: Buffer;
  /** Where the unique word goes: an address. */
  readonly addressAt: number;
  readonly portAt: number;
}

const oxm = (field: number, value: string, hasMask = false): Buffer => {
  const bytes = Buffer.from(value, 'hex');
  return Buffer.concat([Buffer.from([0x80, 0, (field << 1) | Number(hasMask), bytes.length]), bytes]);
};

/** In the order of the specification, so that both sides read them in theirs. */
const ethTypeIp = oxm(5, '0800');
const matches: readonly { readonly fields: readonly Buffer[]; readonly unique: number }[] = [
  { fields: [ethTypeIp, oxm(12, '00000000')], unique: 1 },
  { fields: [oxm(0, '00000001'), ethTypeIp, oxm(11, '0a000000ff000000', true), oxm(12, '00000000')], unique: 3 },
  { fields: [ethTypeIp, oxm(10, '06'), oxm(11, '0a010203'), oxm(12, '00000000'), oxm(14, '0050')], unique: 3 },
  { fields: [oxm(3, '020000000000')], unique: 0 },
];

function template(fields: readonly Buffer[], unique: number): Template {
  const size = 4 + fields.reduce((sum, { length }) => sum + length, 0);
  const padded = (size + 7) & ~7;
  const bytes = message(FLOW_MOD, MATCH_AT - 8 + padded + 24, 0);
  bytes[25] = ADD;
  bytes.writeUInt16BE(1000, 30);
  bytes.fill(0xff, 32, 44);
  bytes.writeUInt16BE(1, MATCH_AT);
  bytes.writeUInt16BE(size, MATCH_AT + 2);
  Buffer.concat(fields).copy(bytes, MATCH_AT + 4);
  const before = fields.slice(0, unique + 1).reduce((sum, { length }) => sum + length, 0);
  const actions = MATCH_AT + padded;
  bytes.writeUInt16BE(4, actions);
  bytes.writeUInt16BE(24, actions + 2);
  bytes.writeUInt16BE(16, actions + 10);
  return { bytes, addressAt: MATCH_AT + 4 + before - 4, portAt: actions + 12 };
}

const templates = matches.map(({ fields, unique }) => template(fields, unique));

/** The n-th flow of four shapes in turn: no two are alike; sixteen different actions. */
export function addFlow(n: number): Buffer {
  const { bytes, addressAt, portAt } = templates[n & 3]!;
  const flow = Buffer.from(bytes);
  flow.writeUInt32BE(n, 4);
  // Spread over the number space, each once
  flow.writeUInt32BE(Math.imul((n >>> 2) + 1, 0x9e3779b1) >>> 0, addressAt);
  flow.writeUInt32BE(1 + ((n >>> 2) % PORTS), portAt);
  return flow;
}

export function deleteAll(): Buffer {
  const bytes = message(FLOW_MOD, 48, 0);
  bytes[24] = 0xff;
  bytes[25] = DELETE;
  bytes.fill(0xff, 32, 44);
  bytes.writeUInt16BE(1, MATCH_AT);
  bytes.writeUInt16BE(4, MATCH_AT + 2);
  return bytes;
}
