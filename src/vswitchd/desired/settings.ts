/** Every setting of a file for `weft run`, and what it may be. */
import { deviceTypes } from '../devices.ts';
import {
  address,
  flag,
  integer,
  list,
  mac,
  network,
  oneOf,
  orFlow,
  powerOfTwo,
  type Reader,
  record,
  text,
} from './fields.ts';

const BRIDGES_MAX = 256;
const PORTS_MAX = 1024;
const FLOWS_MAX = 1 << 20;
const CONTROLLERS_MAX = 16;
const MILLION = 1_000_000;

const vid = integer(0, 4095);
const vids: Reader<ReadonlySet<number>> = (value, path, mistakes) => new Set(list(vid, 4096)(value, path, mistakes));
const anything: Reader<unknown> = (value) => value;

const optionsOfDevice: Reader<Readonly<Record<string, unknown>>> = (value, path, mistakes) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  mistakes.add(path, 'should have settings');
  return undefined;
};

export const portFields = {
  name: text,
  backend: oneOf(...deviceTypes.filter((type) => type !== 'memory')),
  interface: text,
  options: optionsOfDevice,
  patch: text,
  tunnel: record(
    {
      type: oneOf('vxlan', 'geneve', 'gre'),
      remote: orFlow(address),
      local: orFlow(address),
      key: orFlow(integer(0, 0xffff_ffff)),
      in_key: orFlow(integer(0, 0xffff_ffff)),
      out_key: orFlow(integer(0, 0xffff_ffff)),
      dst_port: integer(1, 65_535),
      tos: orInherit(255),
      ttl: orInherit(255),
      df: flag,
      csum: flag,
    },
    ['type', 'remote'],
  ),
  ofport: integer(1, 0xfeff),
  tag: vid,
  trunks: vids,
  cvlans: vids,
  vlan_mode: oneOf('access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'),
  qinq_ethertype: oneOf('802.1ad', '802.1q'),
  priority_tags: oneOf('never', 'if-nonzero', 'always'),
  protected: flag,
};

export const bridgeFields = {
  name: text,
  mac,
  fail_mode: oneOf('standalone', 'secure'),
  local: oneOf('none', 'embedded', 'internal'),
  addresses: list(network, 64),
  mtu: integer(68, 65_535),
  forward_bpdu: flag,
  mac_aging: integer(1, MILLION),
  mac_table_size: integer(1, MILLION),
  ports: list(anything, PORTS_MAX),
  flows: list(text, FLOWS_MAX),
  controllers: list(text, CONTROLLERS_MAX),
};

export const fileFields = {
  ring_size: powerOfTwo(16, 32_768),
  frame_count: powerOfTwo(256, 1 << 20),
  chunk_size: powerOfTwo(2048, 65_536),
  memory: integer(1 << 20, 2 ** 31),
  flow_limit: integer(1, 2 * MILLION),
  max_idle: integer(500, 3_600_000),
  spin_max: integer(0, 10_000),
  cpus: list(integer(0, 1023), 1024),
  workers: integer(1, 16),
  bridges: list(anything, BRIDGES_MAX),
  routes: list(record({ to: network, bridge: text, via: address }, ['to', 'bridge']), 4096),
  neighbors: list(record({ bridge: text, address, mac }, ['bridge', 'address', 'mac']), 4096),
};

function orInherit(max: number): Reader<number | 'inherit'> {
  const read = integer(0, max);
  return (value, path, mistakes) => (value === 'inherit' ? 'inherit' : read(value, path, mistakes));
}

/** What could be read of a record: settings that are wrong or not there are left out. */
export type FileValues = NonNullable<ReturnType<ReturnType<typeof record<typeof fileFields>>>>;
export type PortValues = NonNullable<ReturnType<ReturnType<typeof record<typeof portFields>>>>;
