/** Bytes sixteen a line: offset, hexadecimal with a dash in the middle, characters. */
const LINE = 16;

function dumpLine(bytes: Uint8Array, at: number): string {
  const line = bytes.subarray(at, at + LINE);
  let hex = '';
  let text = '';
  for (let i = 0; i < LINE; i++) {
    const byte = line[i];
    hex += byte === undefined ? '  ' : byte.toString(16).padStart(2, '0');
    hex += i === LINE / 2 - 1 && byte !== undefined ? '-' : ' ';
    text += byte === undefined ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  return `${at.toString(16).padStart(8, '0')}  ${hex}|${text}|\n`;
}

export function hexDump(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += LINE) text += dumpLine(bytes, at);
  return text;
}
