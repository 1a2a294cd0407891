/** What needs no switch: printing messages and packets, reading flows. */
import { readFileSync } from 'node:fs';
import { composeFrame } from '../../flow/compose.ts';
import { extractKey } from '../../flow/extract.ts';
import { printKey } from '../../flow/print.ts';
import { parseFlowKeyText } from '../../flow/text.ts';
import { fromHex, toHex, u16At } from '../../lib/bytes.ts';
import type { FlowModMessage } from '../../openflow/message/flow-mod.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import { encodeMessage } from '../../openflow/message/message.ts';
import { bytesSource, openCapture } from '../../packet/pcap.ts';
import { Fatal } from '../common/io.ts';
import { reasonOf } from './connection.ts';
import type { Context } from './context.ts';
import { linesOf, readText } from './files.ts';
import { noNames, parseFlowMod, type Usable } from './flow-text.ts';
import { protocolRow, protocolRows, protocolsText } from './protocols.ts';

export function ofpPrint(context: Context, [hex, verbosity]: readonly string[]): void {
  const bytes = fromHex(hex!.replace(/[\s.]/g, ''));
  if (!bytes) throw new Fatal('trailing garbage following hex bytes');
  const level = verbosity === undefined ? 2 : Number.parseInt(verbosity, 10) || 0;
  context.io.out(formatBytes(bytes, level));
}

function readBytes(name: string): Uint8Array {
  try {
    return readFileSync(name === '-' ? 0 : name);
  } catch (error) {
    throw new Fatal(`${name}: open failed (${reasonOf(error)})`);
  }
}

/** Messages one after the other. */
export function ofpParse(context: Context, [name]: readonly string[]): void {
  const bytes = readBytes(name!);
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 8) throw new Fatal(`${name}: unexpected end of file mid-message`);
    const size = u16At(bytes, at + 2);
    if (size < 8) throw new Fatal(`${name}: ${size}-byte message is too short for OpenFlow`);
    if (size > bytes.length - at) throw new Fatal(`${name}: unexpected end of file mid-message`);
    context.io.out(formatBytes(bytes.subarray(at, at + size), context.options.verbosity + 2));
    at += size;
  }
}

// Flows

/** The protocol in which flows are printed: the first that all can be said in. */
function chosenProtocol(context: Context, usable: number): number | null {
  const allowed = usable & context.options.protocols;
  return protocolRows.find(({ bit }) => (allowed & bit) !== 0)?.bit ?? null;
}

function printFlows(context: Context, mods: readonly Usable<FlowModMessage>[]): void {
  const usable = mods.reduce((all, mod) => all & mod.protocols, 0x1ff);
  context.io.out(`usable protocols: ${protocolsText(usable)}\n`);
  const bit = chosenProtocol(context, usable);
  if (bit === null) throw new Fatal('no usable protocol');
  const { name, version, form } = protocolRow(bit);
  context.io.out(`chosen protocol: ${name}\n`);
  for (const { value } of mods) {
    const bytes = encodeMessage(value, version, context.nextXid(), 0, form);
    if (bytes) context.io.out(formatBytes(bytes, context.options.verbosity + 1));
  }
}

export function parseFlow(context: Context, [text]: readonly string[]): void {
  const read = parseFlowMod(text!, 'add', noNames);
  if (!read.ok) throw new Fatal(read.error);
  printFlows(context, [read.value]);
}

export function parseFlows(context: Context, [file]: readonly string[]): void {
  const mods = linesOf(readText(context, file!)).map(({ number, text }) => {
    const read = parseFlowMod(text, null, noNames);
    if (!read.ok) throw new Fatal(`${file}:${number}: ${read.error}`);
    return read.value;
  });
  printFlows(context, mods);
}

// Packets

/** A packet's bytes as hexadecimal dump does, sixteen to a line. */
export function composePacket(context: Context, [text, size]: readonly string[]): void {
  const read = parseFlowKeyText(text!);
  if (!read.ok) throw new Fatal(read.error);
  const payload = size === undefined ? undefined : Number.parseInt(size, 10);
  const frame = payload === undefined ? composeFrame(read.value.key) : composeFrame(read.value.key, payload);
  context.io.out(`${toHex(frame)}\n`);
}

export function parsePcap(context: Context, names: readonly string[]): void {
  for (const name of names) {
    const capture = openCapture(bytesSource(readBytes(name)));
    if (!capture.ok) throw new Fatal(`${name}: ${capture.error}`);
    for (let record = capture.value.next(); record; record = capture.value.next()) {
      context.io.out(`${printKey(extractKey(record.data).key)}\n`);
    }
  }
}
