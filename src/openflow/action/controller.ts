/** controller: Nicira's forms of output to a controller (ovs-actions(7)). */

import type { Reader } from '../reader.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, variable, wrong } from './codec.ts';
import { formatHexBytes, numberOf, parseHexBytes, splitActionWords } from './text.ts';
import type { OfController } from './types.ts';

/** Reasons of a packet-in by code (OpenFlow 1.5 §7.4.1). */
export const packetInReasons = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const;
const ACTION = 1;

type Draft = { -readonly [K in keyof OfController]: OfController[K] };
const plain = (): Draft => ({
  type: 'controller',
  maxLen: 0xffff,
  controllerId: 0,
  reason: ACTION,
  userdata: new Uint8Array(),
  isPause: false,
  meterId: null,
  hasProperties: false,
});

/** Properties: type, size with its four bytes of header, value, zeros up to eight. */
function decodeProperties(r: Reader): Decoded {
  const action = { ...plain(), hasProperties: true };
  if (!r.isZero(10, 16)) return 'NXBRC_MUST_BE_ZERO';
  for (let at = 16; at < r.size; ) {
    const [type, size] = [r.u16(at), r.u16(at + 2)];
    if (size < 4 || at + size > r.size) return 'OFPBPC_BAD_LEN';
    const value = size - 4;
    if (type === 3) action.userdata = r.slice(at + 4, at + size).slice();
    else {
      const expected = [4, 4, 1, -1, 0, 4][type];
      if (expected === undefined) return 'OFPBPC_BAD_TYPE';
      if (type === 2 ? value < 1 : expected !== value) return 'OFPBPC_BAD_LEN';
      if (type === 0) action.maxLen = r.u16(at + 4);
      else if (type === 1) action.controllerId = r.u16(at + 4);
      else if (type === 2) {
        action.reason = r.u8(at + 4);
        if (action.reason >= packetInReasons.length) return 'OFPBAC_BAD_ARGUMENT';
      } else if (type === 4) action.isPause = true;
      else action.meterId = r.u32(at + 4);
    }
    at += (size + 7) & ~7;
  }
  return action;
}

function readWord(action: Draft, name: string, value: string): string | null {
  const number = (bits: number, put: (value: number) => void): string | null => {
    const read = numberOf(value, bits);
    if (read !== null) put(read);
    return read === null ? `invalid ${name} "${value}"` : null;
  };
  switch (name) {
    case 'reason': {
      const code = packetInReasons.indexOf(value as (typeof packetInReasons)[number]);
      if (code >= 0) action.reason = code;
      return code < 0 ? `unknown reason "${value}"` : null;
    }
    case 'max_len':
      return number(16, (read) => (action.maxLen = read));
    case 'id':
      return number(16, (read) => (action.controllerId = read));
    case 'meter_id':
      return number(32, (read) => (action.meterId = read));
    case 'pause':
      action.isPause = true;
      return null;
    case 'userdata': {
      const bytes = parseHexBytes(value);
      if (bytes) action.userdata = bytes;
      return bytes ? null : `bad hex digit in \`controller' action \`userdata'`;
    }
    default:
      return `unknown key "${name}" parsing controller action`;
  }
}

function parseController(text: string): Parsed {
  if (/^[0-9]+$|^0x[0-9a-f]+$/i.test(text)) {
    const maxLen = numberOf(text, 16);
    return maxLen === null ? wrong(`invalid max_len "${text}"`) : { type: 'output', port: 0xfffd, maxLen };
  }
  const action = plain();
  for (const { name, value } of splitActionWords(text) ?? []) {
    const error = readWord(action, name, value);
    if (error) return wrong(error);
  }
  action.hasProperties = needsProperties(action);
  if (action.reason === ACTION && action.controllerId === 0 && !action.hasProperties) {
    return { type: 'output', port: 0xfffd, maxLen: action.maxLen };
  }
  return action;
}

const needsProperties = ({ userdata, isPause, meterId }: OfController): boolean =>
  userdata.length > 0 || isPause || meterId !== null;

function formatController(a: OfController): string {
  const withText = a.userdata.length > 0 || a.isPause || a.meterId !== null;
  if (a.reason === ACTION && a.controllerId === 0 && !withText) return `CONTROLLER:${a.maxLen}`;
  const parts: string[] = [];
  if (a.reason !== ACTION) parts.push(`reason=${packetInReasons[a.reason] ?? ''}`);
  if (a.maxLen !== 0xffff) parts.push(`max_len=${a.maxLen}`);
  if (a.controllerId !== 0) parts.push(`id=${a.controllerId}`);
  if (a.userdata.length > 0) parts.push(`userdata=${formatHexBytes(a.userdata)}`);
  if (a.isPause) parts.push('pause');
  if (a.meterId !== null) parts.push(`meter_id=${a.meterId}`);
  return `controller(${parts.join(',')})`;
}

export const controller = kind<'controller'>({
  types: ['controller'],
  forms: [
    nicira(20, 16, (r) => ({ ...plain(), maxLen: r.u16(10), controllerId: r.u16(12), reason: r.u8(14) })),
    variable(nicira(37, 16, decodeProperties)),
  ],
  encode(out, action) {
    if (!action.hasProperties && !needsProperties(action)) {
      putNicira(out, 20, (body) => body.u16(action.maxLen).u16(action.controllerId).u8(action.reason).zeros(1));
      return;
    }
    putNicira(out, 37, (body) => {
      body.zeros(6);
      const put = (type: number, size: number, value: () => void): void => {
        const start = body.size;
        body.u16(type).u16(4 + size);
        value();
        body.pad8(start);
      };
      if (action.maxLen !== 0xffff) put(0, 4, () => body.u16(action.maxLen).zeros(2));
      if (action.controllerId !== 0) put(1, 4, () => body.u16(action.controllerId).zeros(2));
      if (action.reason !== ACTION) put(2, 1, () => body.u8(action.reason));
      if (action.userdata.length > 0) put(3, action.userdata.length, () => body.bytes(action.userdata));
      if (action.isPause) put(4, 0, () => {});
      if (action.meterId !== null) put(5, 4, () => body.u32(action.meterId!));
    });
  },
  format: formatController,
  words: { controller: parseController, CONTROLLER: parseController },
});
