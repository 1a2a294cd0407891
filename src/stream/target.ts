/** Names of connections, as the database has them: `tcp:10.0.0.1:6653`, `pssl:6653:[::1]`, `punix:/run/x.mgmt`. */
import { resolve } from 'node:path';
import { fail, ok, type Result } from '../lib/result.ts';

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

export interface Target {
  readonly isPassive: boolean;
  readonly isTls: boolean;
  readonly address: Address;
}

/** Ports that are meant when a name has none (IANA). */
export const OPENFLOW_PORT = 6653;
export const OVSDB_PORT = 6640;
const PORT_MAX = 65535;
/** Longest path of a Unix-domain socket, in bytes. */
const PATH_SIZE_MAX = 107;

const ACTIVE = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+))(?::(?<port>\d+))?$/;
const PASSIVE = /^(?<port>\d*)(?::(?:\[(?<v6>[^\]]+)\]|(?<host>[^[\]]+)))?$/;

function parseInet(rest: string, isPassive: boolean, defaultPort: number): Address | null {
  const groups = (isPassive ? PASSIVE : ACTIVE).exec(rest)?.groups;
  if (!groups) return null;
  const port = groups.port ? Number(groups.port) : defaultPort;
  return port > PORT_MAX ? null : { host: groups.v6 ?? groups.host ?? '0.0.0.0', port };
}

/** @returns what the name means; an error in the system's words */
export function parseTarget(name: string, defaultPort: number = OPENFLOW_PORT): Result<Target> {
  const colon = name.indexOf(':');
  const [method, rest] = colon < 0 ? [name, ''] : [name.slice(0, colon), name.slice(colon + 1)];
  if (method === 'unix' || method === 'punix') {
    if (rest === '') return fail('missing file name');
    const path = resolve(rest);
    if (Buffer.byteLength(path) > PATH_SIZE_MAX) return fail('File name too long');
    return ok({ isPassive: method === 'punix', isTls: false, address: { path } });
  }
  if (!/^p?(tcp|ssl)$/.test(method)) return fail('Address family not supported by protocol');
  const isPassive = method.startsWith('p');
  const address = parseInet(rest, isPassive, defaultPort);
  return address ? ok({ isPassive, isTls: method.endsWith('ssl'), address }) : fail('Invalid argument');
}
