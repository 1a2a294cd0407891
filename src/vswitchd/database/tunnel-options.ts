/** Options of a tunnel interface (ovs-vswitchd.conf.db(5), "Tunnel Options"), as translation wants them. */
import { parseIpv4, parseIpv6 } from '../../lib/addresses.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import type { TunnelConfig } from '../../translate/types.ts';

export const tunnelTypes = ['vxlan', 'geneve', 'gre'] as const;
export type TunnelType = (typeof tunnelTypes)[number];

const defaultPorts: Readonly<Record<TunnelType, number>> = { vxlan: 4789, geneve: 6081, gre: 0 };

const addressOf = (text: string): Uint8Array | null => parseIpv4(text) ?? parseIpv6(text);

function keyOf(options: ReadonlyMap<string, string>, name: 'in_key' | 'out_key'): bigint | 'flow' | null {
  const text = options.get(name) ?? options.get('key');
  if (text === undefined) return null;
  if (text === 'flow') return 'flow';
  return /^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text) ? BigInt(text) : 0n;
}

function numberOr(text: string | undefined, other: number): number {
  const number = Number(text);
  return text !== undefined && Number.isInteger(number) && number >= 0 ? number : other;
}

/** Fails with the text of the interface's `error` column. */
export function readTunnel(name: string, type: TunnelType, options: ReadonlyMap<string, string>): Result<TunnelConfig> {
  const remote = options.get('remote_ip');
  const remoteIp = remote === 'flow' ? 'flow' : addressOf(remote ?? '');
  if (!remoteIp) return fail(`${name}: ${type} type requires valid 'remote_ip' argument`);
  const local = options.get('local_ip');
  const localIp = local === undefined ? null : local === 'flow' ? 'flow' : addressOf(local);
  if (localIp === 'flow' && remoteIp !== 'flow')
    return fail(`${name}: ${type} type requires 'remote_ip=flow' with 'local_ip=flow'`);
  return ok({
    type,
    remoteIp,
    localIp,
    inKey: keyOf(options, 'in_key'),
    outKey: keyOf(options, 'out_key'),
    dstPort: type === 'gre' ? 0 : numberOr(options.get('dst_port'), defaultPorts[type]),
    tos: options.get('tos') === 'inherit' ? 'inherit' : numberOr(options.get('tos'), 0),
    ttl: options.get('ttl') === 'inherit' ? 'inherit' : numberOr(options.get('ttl'), 64),
    dontFragment: options.get('df_default') !== 'false',
    csum: options.get('csum') === 'true',
  });
}

/** The datapath's name for the port of a tunnel. */
export const tunnelPortName = ({ type, dstPort }: Pick<TunnelConfig, 'type' | 'dstPort'>): string =>
  type === 'gre' ? 'gre_sys' : `${type === 'geneve' ? 'genev' : type}_sys_${dstPort}`;
