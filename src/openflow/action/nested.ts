/** clone, encap, decap (ovs-actions(7)). */
import type { Reader } from '../reader.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, sinceOf13, variable, wrong } from './codec.ts';
import { numberOf, splitActionWords } from './text.ts';
import type { EncapProperty } from './types.ts';

export const clone = kind<'clone'>({
  types: ['clone'],
  forms: [
    variable(
      nicira(42, 16, (r, codec) => {
        const actions = codec.decodeAll(r.slice(16));
        return typeof actions === 'string' ? actions : { type: 'clone', actions };
      }),
    ),
  ],
  encode(out, { actions }, codec) {
    putNicira(out, 42, (body) => {
      body.zeros(6);
      codec.encodeAll(body, actions);
    });
  },
  format: ({ actions }, formatAll) => `clone(${formatAll(actions)})`,
  words: {
    clone: (text, context): Parsed => {
      const actions = context.parseAll(text);
      return 'wrong' in actions ? actions : { type: 'clone', actions };
    },
  },
});

/** Packet types: namespace << 16 | type (OpenFlow 1.5 §7.2.3.11). */
const ETHERNET = 0;
const NSH = 0x1894f;
const packetTypes: Readonly<Record<string, number>> = { ethernet: ETHERNET, nsh: NSH, mpls: 0x18847, mpls_mc: 0x18848 };
/** What comes next says what type the packet is of then. */
const NEXT_PROTOCOL = 0xfffe;

const NSH_CLASS = 4;
const MD_TYPE = 1;
const TLV = 2;

/** Properties of NSH: class, type, size with its four bytes of header, data, zeros up to eight. */
function readProperties(r: Reader): EncapProperty[] | Decoded {
  const found: EncapProperty[] = [];
  for (let at = 16; at < r.size; ) {
    const [propertyClass, type, size] = [r.u16(at), r.u8(at + 2), r.u8(at + 3)];
    const padded = (size + 7) & ~7;
    if (size < 4 || at + padded > r.size) return 'OFPBPC_BAD_LEN' as Decoded;
    if (propertyClass !== NSH_CLASS) return 'NXBAC_UNKNOWN_ED_PROP' as Decoded;
    if (type !== MD_TYPE && type !== TLV) return 'NXBAC_UNKNOWN_ED_PROP' as Decoded;
    const data = r.slice(at + 4, at + size).slice();
    if (type === MD_TYPE && (data.length !== 1 || data[0]! < 1 || data[0]! > 2)) return 'NXBAC_BAD_ED_PROP' as Decoded;
    found.push({ class: propertyClass, type, data });
    at += padded;
  }
  return found;
}

function parseTlv(text: string): EncapProperty | null {
  const [classText = '', typeText = '', valueText = ''] = text.split(',').map((part) => part.trim());
  const [tlvClass, type] = [numberOf(classText, 16), numberOf(typeText, 8)];
  const digits = /^0x((?:[0-9a-f]{2})+)$/i.exec(valueText)?.[1];
  if (tlvClass === null || type === null || digits === undefined) return null;
  const value = Uint8Array.from(Buffer.from(digits, 'hex'));
  if (value.length > 252) return null;
  const data = new Uint8Array(((value.length + 4 + 4 + 7) & ~7) - 4);
  data.set([tlvClass >> 8, tlvClass & 0xff, type, value.length]);
  data.set(value, 4);
  return { class: NSH_CLASS, type: TLV, data };
}

function parseEncap(text: string): Parsed {
  const [word, ...others] = splitActionWords(text) ?? [];
  const packetType = packetTypes[word?.name ?? ''];
  if (!word || others.length > 0 || packetType === undefined) return wrong(`Encap hdr not supported: ${text}`);
  const properties: EncapProperty[] = [];
  for (const { name, value } of splitActionWords(word.value) ?? []) {
    if (packetType !== NSH) return wrong('encap properties are for nsh only');
    if (name === 'md_type') {
      if (value !== '1' && value !== '2') return wrong('invalid md_type');
      properties.push({ class: NSH_CLASS, type: MD_TYPE, data: Uint8Array.of(Number(value)) });
    } else if (name === 'tlv') {
      const property = parseTlv(value);
      if (!property) return wrong(`invalid NSH TLV header: ${value}`);
      properties.push(property);
    } else return wrong(`encap property type not supported: ${name}`);
  }
  return { type: 'encap', packetType, properties };
}

function formatProperty({ type, data }: EncapProperty): string {
  if (type === MD_TYPE) return `md_type=${data[0]}`;
  const tlvClass = ((data[0] ?? 0) << 8) | (data[1] ?? 0);
  const value = Buffer.from(data.subarray(4, 4 + (data[3] ?? 0))).toString('hex');
  return `tlv(0x${tlvClass.toString(16).padStart(4, '0')},${data[2]},0x${value})`;
}

export const encap = kind<'encap'>({
  types: ['encap'],
  forms: [
    variable(
      sinceOf13(46, (r) => {
        const packetType = r.u32(12);
        if (!Object.values(packetTypes).includes(packetType)) return 'NXBAC_BAD_HEADER_TYPE' as Decoded;
        const properties = readProperties(r);
        return Array.isArray(properties) ? { type: 'encap', packetType, properties } : properties;
      }),
    ),
  ],
  encode(out, { packetType, properties }) {
    putNicira(out, 46, (body) => {
      body.u16(0).u32(packetType);
      for (const property of properties) {
        const start = body.size;
        body
          .u16(property.class)
          .u8(property.type)
          .u8(4 + property.data.length)
          .bytes(property.data);
        body.pad8(start);
      }
    });
  },
  format({ packetType, properties }) {
    const name = Object.keys(packetTypes).find((known) => packetTypes[known] === packetType) ?? `${packetType}`;
    return `encap(${name}${properties.length > 0 ? `(${properties.map(formatProperty).join(',')})` : ''})`;
  },
  words: { encap: parseEncap },
});

function parseDecap(text: string): Parsed {
  if (text.trim() === '') return { type: 'decap', packetType: NEXT_PROTOCOL };
  const [word] = splitActionWords(text) ?? [];
  if (word?.name !== 'packet_type') return wrong(`Invalid key "${word?.name}" in decap`);
  const parts = Object.fromEntries(
    (splitActionWords(word.value) ?? []).map(({ name, value }) => [name, numberOf(value, 16)]),
  );
  const { ns = 0, type = 0 } = parts;
  return ns === null || type === null
    ? wrong(`decap: invalid packet type "${text}"`)
    : { type: 'decap', packetType: ns * 0x10000 + type };
}

export const decap = kind<'decap'>({
  types: ['decap'],
  forms: [sinceOf13(47, (r) => ({ type: 'decap', packetType: r.u32(12) }))],
  encode(out, { packetType }) {
    putNicira(out, 47, (body) => body.zeros(2).u32(packetType));
  },
  format: ({ packetType }) =>
    packetType === NEXT_PROTOCOL
      ? 'decap()'
      : `decap(packet_type(ns=${packetType >>> 16},type=0x${(packetType & 0xffff).toString(16)}))`,
  words: { decap: parseDecap },
});
