/** `--port NAME[,tag=N][,trunks=N+N…][,mode=MODE]`: a port and its VLAN settings. */
import type { VlanConfig, VlanMode } from '../../translate/types.ts';
import { UsageError } from '../failure.ts';
import { checkPortName } from './port-map.ts';

export interface PortSpec {
  readonly name: string;
  readonly vlan: Partial<VlanConfig>;
}

const MODES: readonly VlanMode[] = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'];

function vlanId(text: string, whole: string): number {
  const id = Number(text);
  if (text === '' || !Number.isInteger(id) || id < 0 || id > 4095)
    throw new UsageError(`port "${whole}": not a VLAN: "${text}"`);
  return id;
}

/** @throws UsageError */
export function parsePortSpec(text: string): PortSpec {
  const [name = '', ...settings] = text.split(',');
  checkPortName(name);
  const vlan: { mode?: VlanMode; tag?: number; trunks?: ReadonlySet<number> } = {};
  for (const setting of settings) {
    const [key, value = ''] = setting.split('=', 2);
    if (key === 'tag') vlan.tag = vlanId(value, text);
    else if (key === 'trunks') vlan.trunks = new Set(value.split('+').map((id) => vlanId(id, text)));
    else if (key === 'mode' && MODES.includes(value as VlanMode)) vlan.mode = value as VlanMode;
    else throw new UsageError(`port "${text}": what is "${setting}"? (tag=N, trunks=N+N, mode=${MODES.join('|')})`);
  }
  // As the database has it: a tag alone makes an access port, anything else a trunk
  if (vlan.mode === undefined && vlan.tag !== undefined) vlan.mode = vlan.trunks ? 'native-untagged' : 'access';
  return { name, vlan };
}
