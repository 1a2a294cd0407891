/** sample: some of the packets are recorded for collectors (ovs-actions(7)); nothing on a bridge that nobody collects from. */

import { KEY } from '../../flow/key.ts';
import type { DpAction } from '../../flow/odp/action.ts';
import { encodeCookie } from '../../flow/odp/actions/cookie.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { XlateContext } from '../context.ts';

const DIRECTIONS = [null, 'ingress', 'egress'] as const;
const NO_PORT = 0xffffffff;

export function sample(ctx: XlateContext, action: ActionOf<'sample'>): void {
  if (!ctx.bridge.samplesFlows) return;
  const { samplingPort, probability } = action;
  const isOutput = samplingPort !== null && samplingPort !== ctx.flow.get(KEY.in_port);
  const port = isOutput ? ctx.bridge.ports.get(samplingPort) : null;
  if (port === undefined) {
    ctx.report('error', `can't use unknown port ${samplingPort} in flow sample action`);
    return;
  }
  commit(ctx);
  const userspace: DpAction = {
    type: 'userspace',
    reason: 'sample',
    pid: 0,
    userdata: encodeCookie({
      name: 'flow_sample',
      values: {
        probability: BigInt(probability),
        collector_set_id: BigInt(action.collectorSetId),
        obs_domain_id: BigInt(action.obsDomainId),
        obs_point_id: BigInt(action.obsPointId),
        output_port: BigInt(port?.dpPort ?? NO_PORT),
        direction: BigInt(DIRECTIONS.indexOf(action.direction)),
      },
    }),
    tunnelOutPort: null,
    withActions: false,
  };
  if (probability === 0xffff) ctx.actions.push(userspace);
  // The same share of 32 bits
  else ctx.actions.push({ type: 'sample', probability: probability * 0x10001, actions: [userspace] });
}
