/**
 * Every OpenFlow message on the wire, as data: what Open vSwitch 3.1 knows of OpenFlow 1.0 to 1.5 with the Nicira and ONF
 * experimenter messages.
 *
 * A row: name; first and last version (wire numbers 1 to 6); number (type, multipart type or experimenter subtype);
 * least size of its body in bytes (what follows the header, the multipart header and the experimenter's header); step: 0
 * when the body has just that size, else what comes beyond is a multiple of it. Digits in the prefix say since which version
 * the form is in use, and are not shown to people.
 */
export type OfMessageClass = 'OFPT' | 'OFPST' | 'NXT' | 'NXST' | 'ONFT' | 'ONFST';

type Row = readonly [name: string, first: number, last: number, number: number, least: number, step: number];

export interface OfMessageSpec {
  /** With the digits of its form: `OFPST13_PORT_REPLY`. */
  readonly raw: string;
  /** As people see it: `OFPST_PORT reply`. */
  readonly shown: string;
  readonly class: OfMessageClass;
  readonly first: number;
  readonly last: number;
  /** Multipart messages only. */
  readonly direction: 'request' | 'reply' | null;
  /** 0 when it is no experimenter message. */
  readonly experimenter: number;
  readonly number: number;
  readonly least: number;
  readonly step: number;
}

/** Plain messages: the number is the header's type. */
const plain: readonly Row[] = [
  ['OFPT_HELLO', 1, 0xff, 0, 0, 1],
  ['OFPT_ERROR', 1, 0xff, 1, 4, 1],
  ['OFPT_ECHO_REQUEST', 1, 0xff, 2, 0, 1],
  ['OFPT_ECHO_REPLY', 1, 0xff, 3, 0, 1],
  ['OFPT_FEATURES_REQUEST', 1, 6, 5, 0, 0],
  ['OFPT10_FEATURES_REPLY', 1, 1, 6, 24, 48],
  ['OFPT11_FEATURES_REPLY', 2, 3, 6, 24, 64],
  ['OFPT13_FEATURES_REPLY', 4, 6, 6, 24, 0],
  ['OFPT_GET_CONFIG_REQUEST', 1, 6, 7, 0, 0],
  ['OFPT_GET_CONFIG_REPLY', 1, 6, 8, 4, 0],
  ['OFPT_SET_CONFIG', 1, 6, 9, 4, 0],
  ['OFPT10_PACKET_IN', 1, 1, 10, 10, 1],
  ['OFPT11_PACKET_IN', 2, 2, 10, 16, 1],
  ['OFPT12_PACKET_IN', 3, 3, 10, 8, 1],
  ['OFPT13_PACKET_IN', 4, 6, 10, 16, 1],
  ['OFPT10_FLOW_REMOVED', 1, 1, 11, 80, 0],
  ['OFPT11_FLOW_REMOVED', 2, 5, 11, 40, 8],
  ['OFPT15_FLOW_REMOVED', 6, 6, 11, 16, 8],
  ['OFPT10_PORT_STATUS', 1, 1, 12, 56, 0],
  ['OFPT11_PORT_STATUS', 2, 4, 12, 72, 0],
  ['OFPT14_PORT_STATUS', 5, 6, 12, 48, 8],
  ['OFPT10_PACKET_OUT', 1, 1, 13, 8, 1],
  ['OFPT11_PACKET_OUT', 2, 5, 13, 16, 1],
  ['OFPT15_PACKET_OUT', 6, 6, 13, 8, 1],
  ['OFPT10_FLOW_MOD', 1, 1, 14, 64, 8],
  ['OFPT11_FLOW_MOD', 2, 6, 14, 40, 8],
  ['OFPT11_GROUP_MOD', 2, 5, 15, 8, 8],
  ['OFPT15_GROUP_MOD', 6, 6, 15, 16, 8],
  ['OFPT10_PORT_MOD', 1, 1, 15, 24, 0],
  ['OFPT11_PORT_MOD', 2, 4, 16, 32, 0],
  ['OFPT14_PORT_MOD', 5, 6, 16, 24, 8],
  ['OFPT11_TABLE_MOD', 2, 4, 17, 8, 0],
  ['OFPT14_TABLE_MOD', 5, 6, 17, 8, 8],
  ['OFPT10_BARRIER_REQUEST', 1, 1, 18, 0, 0],
  ['OFPT11_BARRIER_REQUEST', 2, 6, 20, 0, 0],
  ['OFPT10_BARRIER_REPLY', 1, 1, 19, 0, 0],
  ['OFPT11_BARRIER_REPLY', 2, 6, 21, 0, 0],
  ['OFPT10_QUEUE_GET_CONFIG_REQUEST', 1, 1, 20, 4, 0],
  ['OFPT11_QUEUE_GET_CONFIG_REQUEST', 2, 4, 22, 8, 0],
  ['OFPT10_QUEUE_GET_CONFIG_REPLY', 1, 1, 21, 8, 8],
  ['OFPT11_QUEUE_GET_CONFIG_REPLY', 2, 4, 23, 8, 8],
  ['OFPT12_ROLE_REQUEST', 3, 6, 24, 16, 0],
  ['OFPT12_ROLE_REPLY', 3, 6, 25, 16, 0],
  ['OFPT13_GET_ASYNC_REQUEST', 4, 6, 26, 0, 0],
  ['OFPT13_GET_ASYNC_REPLY', 4, 4, 27, 24, 0],
  ['OFPT14_GET_ASYNC_REPLY', 5, 6, 27, 0, 8],
  ['OFPT13_SET_ASYNC', 4, 4, 28, 24, 0],
  ['OFPT14_SET_ASYNC', 5, 6, 28, 0, 8],
  ['OFPT13_METER_MOD', 4, 6, 29, 8, 8],
  ['OFPT14_ROLE_STATUS', 5, 6, 30, 16, 8],
  ['OFPT14_TABLE_STATUS', 5, 6, 31, 8, 8],
  ['OFPT14_REQUESTFORWARD', 5, 6, 32, 8, 8],
  ['OFPT14_BUNDLE_CONTROL', 5, 6, 33, 8, 8],
  ['OFPT14_BUNDLE_ADD_MESSAGE', 5, 6, 34, 8, 1],
  ['OFPT15_CONTROLLER_STATUS', 6, 6, 35, 16, 8],
];

/** Multipart messages: the number is the multipart type. */
const multipart: readonly Row[] = [
  ['OFPST_DESC_REQUEST', 1, 6, 0, 0, 0],
  ['OFPST_DESC_REPLY', 1, 6, 0, 1056, 0],
  ['OFPST10_FLOW_REQUEST', 1, 1, 1, 44, 0],
  ['OFPST11_FLOW_REQUEST', 2, 6, 1, 32, 8],
  ['OFPST10_FLOW_REPLY', 1, 1, 1, 0, 1],
  ['OFPST11_FLOW_REPLY', 2, 3, 1, 0, 1],
  ['OFPST13_FLOW_REPLY', 4, 5, 1, 0, 1],
  ['OFPST15_FLOW_REPLY', 6, 6, 1, 0, 1],
  ['OFPST10_AGGREGATE_REQUEST', 1, 1, 2, 44, 0],
  ['OFPST11_AGGREGATE_REQUEST', 2, 6, 2, 32, 8],
  ['OFPST_AGGREGATE_REPLY', 1, 5, 2, 24, 0],
  ['OFPST15_AGGREGATE_REPLY', 6, 6, 2, 0, 1],
  ['OFPST_TABLE_REQUEST', 1, 6, 3, 0, 0],
  ['OFPST10_TABLE_REPLY', 1, 1, 3, 0, 64],
  ['OFPST11_TABLE_REPLY', 2, 2, 3, 0, 88],
  ['OFPST12_TABLE_REPLY', 3, 3, 3, 0, 128],
  ['OFPST13_TABLE_REPLY', 4, 6, 3, 0, 24],
  ['OFPST10_PORT_REQUEST', 1, 1, 4, 8, 0],
  ['OFPST11_PORT_REQUEST', 2, 6, 4, 8, 0],
  ['OFPST10_PORT_REPLY', 1, 1, 4, 0, 104],
  ['OFPST11_PORT_REPLY', 2, 3, 4, 0, 104],
  ['OFPST13_PORT_REPLY', 4, 4, 4, 0, 112],
  ['OFPST14_PORT_REPLY', 5, 6, 4, 0, 1],
  ['OFPST10_QUEUE_REQUEST', 1, 1, 5, 8, 0],
  ['OFPST11_QUEUE_REQUEST', 2, 6, 5, 8, 0],
  ['OFPST10_QUEUE_REPLY', 1, 1, 5, 0, 32],
  ['OFPST11_QUEUE_REPLY', 2, 3, 5, 0, 32],
  ['OFPST13_QUEUE_REPLY', 4, 4, 5, 0, 40],
  ['OFPST14_QUEUE_REPLY', 5, 6, 5, 0, 1],
  ['OFPST11_GROUP_REQUEST', 2, 6, 6, 8, 0],
  ['OFPST11_GROUP_REPLY', 2, 3, 6, 0, 1],
  ['OFPST13_GROUP_REPLY', 4, 6, 6, 0, 1],
  ['OFPST11_GROUP_DESC_REQUEST', 2, 5, 7, 0, 0],
  ['OFPST15_GROUP_DESC_REQUEST', 6, 6, 7, 8, 0],
  ['OFPST11_GROUP_DESC_REPLY', 2, 5, 7, 0, 1],
  ['OFPST15_GROUP_DESC_REPLY', 6, 6, 7, 0, 1],
  ['OFPST12_GROUP_FEATURES_REQUEST', 3, 6, 8, 0, 0],
  ['OFPST12_GROUP_FEATURES_REPLY', 3, 6, 8, 40, 0],
  ['OFPST13_METER_REQUEST', 4, 6, 9, 8, 0],
  ['OFPST13_METER_REPLY', 4, 6, 9, 0, 1],
  ['OFPST13_METER_CONFIG_REQUEST', 4, 6, 10, 8, 0],
  ['OFPST13_METER_CONFIG_REPLY', 4, 6, 10, 0, 1],
  ['OFPST13_METER_FEATURES_REQUEST', 4, 6, 11, 0, 0],
  ['OFPST13_METER_FEATURES_REPLY', 4, 6, 11, 16, 0],
  ['OFPST13_TABLE_FEATURES_REQUEST', 4, 6, 12, 0, 8],
  ['OFPST13_TABLE_FEATURES_REPLY', 4, 6, 12, 64, 8],
  ['OFPST10_PORT_DESC_REQUEST', 1, 5, 13, 0, 0],
  ['OFPST15_PORT_DESC_REQUEST', 6, 6, 13, 8, 0],
  ['OFPST10_PORT_DESC_REPLY', 1, 1, 13, 0, 48],
  ['OFPST11_PORT_DESC_REPLY', 2, 4, 13, 0, 64],
  ['OFPST14_PORT_DESC_REPLY', 5, 6, 13, 0, 8],
  ['OFPST14_TABLE_DESC_REQUEST', 5, 6, 14, 0, 0],
  ['OFPST14_TABLE_DESC_REPLY', 5, 6, 14, 8, 8],
  ['OFPST14_QUEUE_DESC_REQUEST', 5, 6, 15, 8, 0],
  ['OFPST14_QUEUE_DESC_REPLY', 5, 6, 15, 0, 1],
  ['OFPST14_FLOW_MONITOR_REQUEST', 5, 6, 16, 0, 8],
  ['OFPST14_FLOW_MONITOR_REPLY', 5, 6, 16, 0, 8],
];

/** Experimenter messages of Nicira (0x00002320): the number is the subtype. */
const nicira: readonly Row[] = [
  ['NXT_ROLE_REQUEST', 1, 6, 10, 4, 0],
  ['NXT_ROLE_REPLY', 1, 6, 11, 4, 0],
  ['NXT_SET_FLOW_FORMAT', 1, 1, 12, 4, 0],
  ['NXT_FLOW_MOD', 1, 6, 13, 32, 8],
  ['NXT_FLOW_REMOVED', 1, 6, 14, 40, 8],
  ['NXT_FLOW_MOD_TABLE_ID', 1, 6, 15, 8, 0],
  ['NXT_SET_PACKET_IN_FORMAT', 1, 6, 16, 4, 0],
  ['NXT_PACKET_IN', 1, 6, 17, 24, 1],
  ['NXT_FLOW_AGE', 1, 6, 18, 0, 0],
  ['NXT_SET_ASYNC_CONFIG', 1, 6, 19, 24, 0],
  ['NXT_SET_CONTROLLER_ID', 1, 6, 20, 8, 0],
  ['NXT_FLOW_MONITOR_CANCEL', 1, 3, 21, 4, 0],
  ['NXT_FLOW_MONITOR_PAUSED', 1, 3, 22, 0, 0],
  ['NXT_FLOW_MONITOR_RESUMED', 1, 3, 23, 0, 0],
  ['NXT_TLV_TABLE_MOD', 1, 6, 24, 8, 8],
  ['NXT_TLV_TABLE_REQUEST', 1, 6, 25, 0, 0],
  ['NXT_TLV_TABLE_REPLY', 1, 6, 26, 16, 8],
  ['NXT_SET_ASYNC_CONFIG2', 1, 4, 27, 0, 8],
  ['NXT_RESUME', 1, 6, 28, 0, 8],
  ['NXT_CT_FLUSH_ZONE', 1, 6, 29, 8, 0],
  ['NXT_PACKET_IN2', 1, 6, 30, 0, 8],
  ['NXT_GROUP_MOD', 1, 1, 31, 16, 8],
  ['NXT_CT_FLUSH', 1, 6, 32, 8, 8],
  ['NXT_REQUESTFORWARD', 1, 3, 132, 8, 8],
];

/** Experimenter multipart messages of Nicira: the number is the subtype. */
const niciraMultipart: readonly Row[] = [
  ['NXST_FLOW_REQUEST', 1, 1, 0, 8, 8],
  ['NXST_FLOW_REPLY', 1, 1, 0, 0, 1],
  ['NXST_AGGREGATE_REQUEST', 1, 1, 1, 8, 8],
  ['NXST_AGGREGATE_REPLY', 1, 1, 1, 24, 0],
  ['NXST_FLOW_MONITOR_REQUEST', 1, 3, 2, 0, 8],
  ['NXST_FLOW_MONITOR_REPLY', 1, 3, 2, 0, 8],
  ['NXST_IPFIX_BRIDGE_REQUEST', 1, 6, 3, 0, 0],
  ['NXST_IPFIX_BRIDGE_REPLY', 1, 6, 3, 88, 0],
  ['NXST_IPFIX_FLOW_REQUEST', 1, 6, 4, 0, 0],
  ['NXST_IPFIX_FLOW_REPLY', 1, 6, 4, 0, 88],
  ['NXST_GROUP_REQUEST', 1, 1, 7, 8, 0],
  ['NXST_GROUP_REPLY', 1, 1, 7, 0, 1],
  ['NXST_GROUP_DESC_REQUEST', 1, 1, 8, 8, 0],
  ['NXST_GROUP_DESC_REPLY', 1, 1, 8, 0, 1],
  ['NXST_GROUP_FEATURES_REQUEST', 1, 2, 9, 0, 0],
  ['NXST_GROUP_FEATURES_REPLY', 1, 2, 9, 40, 0],
];

/** Experimenter messages of the ONF (0x4f4e4600). */
const onf: readonly Row[] = [
  ['ONFT13_FLOW_MONITOR_CANCEL', 4, 4, 1870, 4, 0],
  ['ONFT13_FLOW_MONITOR_PAUSED', 4, 4, 1871, 0, 0],
  ['ONFT13_FLOW_MONITOR_RESUMED', 4, 4, 1872, 0, 0],
  ['ONFT13_ROLE_STATUS', 4, 4, 1911, 16, 8],
  ['ONFT13_BUNDLE_CONTROL', 4, 4, 2300, 8, 8],
  ['ONFT13_BUNDLE_ADD_MESSAGE', 4, 4, 2301, 8, 1],
  ['ONFT13_REQUESTFORWARD', 4, 4, 2350, 8, 8],
];

const onfMultipart: readonly Row[] = [
  ['ONFST13_FLOW_MONITOR_REQUEST', 4, 4, 1870, 0, 8],
  ['ONFST13_FLOW_MONITOR_REPLY', 4, 4, 1870, 0, 8],
];

export const NICIRA_EXPERIMENTER = 0x00002320;
export const ONF_EXPERIMENTER = 0x4f4e4600;

/** The header's type of experimenter messages; of multipart requests and replies (in OpenFlow 1.0 "stats"). */
export const OFPT_EXPERIMENTER = 4;
export const multipartType = (version: number, direction: 'request' | 'reply'): number =>
  (version === 1 ? 16 : 18) + (direction === 'request' ? 0 : 1);
/** The multipart type of experimenter multiparts. */
export const OFPMP_EXPERIMENTER = 0xffff;

const classOf = (raw: string): OfMessageClass => /^[A-Z]+/.exec(raw)![0] as OfMessageClass;

const shownName = (raw: string, isMultipart: boolean): string => {
  const name = raw.replace(/^([A-Z]+)[0-9]*_/, '$1_');
  return isMultipart ? name.replace(/_REQUEST$/, ' request').replace(/_REPLY$/, ' reply') : name;
};

const specs = (rows: readonly Row[], isMultipart: boolean, experimenter: number): OfMessageSpec[] =>
  rows.map(([raw, first, last, number, least, step]) => ({
    raw,
    shown: shownName(raw, isMultipart),
    class: classOf(raw),
    first,
    last,
    direction: isMultipart ? (raw.endsWith('_REQUEST') ? 'request' : 'reply') : null,
    experimenter,
    number,
    least,
    step,
  }));

export const ofMessages: readonly OfMessageSpec[] = [
  ...specs(plain, false, 0),
  ...specs(multipart, true, 0),
  ...specs(nicira, false, NICIRA_EXPERIMENTER),
  ...specs(niciraMultipart, true, NICIRA_EXPERIMENTER),
  ...specs(onf, false, ONF_EXPERIMENTER),
  ...specs(onfMultipart, true, ONF_EXPERIMENTER),
];
