/**
 * The routing table of tunnel endpoints: longest prefix match over IPv4 and IPv6 (RFC 1812 §5.2.4.3).
 *
 * Invariants. One route a prefix: a second one takes the place of the first. A lookup answers with the longest prefix
 * that holds the address. `generation` changes with the table.
 *
 * Not supported: metrics, multipath, packet marks.
 */
import { toHex } from '../lib/bytes.ts';

export interface Route {
  /** 4 or 16 bytes; bits behind the prefix are zero. */
  readonly prefix: Uint8Array;
  readonly prefixLength: number;
  /** Bridge by whose local port packets leave. */
  readonly device: string;
  /** null when the destination is on the link itself. */
  readonly gateway: Uint8Array | null;
  /** Address of ours to send from. */
  readonly source: Uint8Array;
}

/** Whether the first `length` bits are equal. Both addresses have one family. */
export function inPrefix(address: Uint8Array, prefix: Uint8Array, length: number): boolean {
  if (address.length !== prefix.length) return false;
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix[i]) return false;
  const rest = length & 7;
  return rest === 0 || ((address[whole]! ^ prefix[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

function withoutHostBits(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, i) => {
    const bits = Math.max(0, Math.min(8, length - 8 * i));
    return byte & (0xff00 >> bits);
  });
}

export class RouteTable {
  /** Longest prefix first. */
  #routes: Route[] = [];
  #generation = 0;

  get generation(): number {
    return this.#generation;
  }

  /** @throws when the prefix is longer than the address */
  add(route: Route): void {
    const { prefixLength } = route;
    if (prefixLength < 0 || prefixLength > 8 * route.prefix.length) throw new Error(`prefix length ${prefixLength}`);
    const prefix = withoutHostBits(route.prefix, prefixLength);
    this.#routes = this.#without(prefix, prefixLength);
    this.#routes.push({ ...route, prefix });
    this.#routes.sort((a, b) => b.prefixLength - a.prefixLength);
    this.#generation++;
  }

  /** False when there is no such route. */
  remove(prefix: Uint8Array, prefixLength: number): boolean {
    const rest = this.#without(withoutHostBits(prefix, prefixLength), prefixLength);
    if (rest.length === this.#routes.length) return false;
    this.#routes = rest;
    this.#generation++;
    return true;
  }

  /** Forgets the routes by a device that is going away. */
  removeDevice(device: string): void {
    this.#routes = this.#routes.filter((route) => route.device !== device);
    this.#generation++;
  }

  lookup(destination: Uint8Array): Route | null {
    return this.#routes.find((route) => inPrefix(destination, route.prefix, route.prefixLength)) ?? null;
  }

  entries(): readonly Route[] {
    return this.#routes;
  }

  #without(prefix: Uint8Array, prefixLength: number): Route[] {
    const hex = toHex(prefix);
    return this.#routes.filter((r) => r.prefixLength !== prefixLength || toHex(r.prefix) !== hex);
  }
}
