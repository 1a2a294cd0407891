/** OpenFlow port numbers and their words (OpenFlow 1.0 §5.2.1, in the sixteen-bit form that Open vSwitch keeps). */
const reserved: Readonly<Record<string, number>> = {
  UNSET: 0xfff7,
  IN_PORT: 0xfff8,
  TABLE: 0xfff9,
  NORMAL: 0xfffa,
  FLOOD: 0xfffb,
  ALL: 0xfffc,
  CONTROLLER: 0xfffd,
  LOCAL: 0xfffe,
  ANY: 0xffff,
};

const OPENFLOW_11_BASE = 0xffff0000;

/** `1`, `LOCAL` */
export const formatOfPort = (port: number): string =>
  Object.keys(reserved).find((word) => reserved[word] === port) ?? String(port);

/** Null for a name that nobody knows. Reserved numbers of OpenFlow 1.1 and later become the sixteen-bit ones. */
export function parseOfPort(text: string, byName?: (name: string) => number | null): number | null {
  if (/^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text)) {
    const port = Number(text);
    if (port <= 0xffff) return port;
    return port >= OPENFLOW_11_BASE + 0xff00 && port <= 0xffffffff ? port - OPENFLOW_11_BASE : null;
  }
  const word = text.toUpperCase() === 'NONE' ? 'ANY' : text.toUpperCase();
  return reserved[word] ?? byName?.(text) ?? null;
}
