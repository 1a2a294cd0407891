/** Frames that a `controller` action sent up: what controllers are told of them. */
import type { Upcall } from '../datapath/types.ts';
import { KEY, PipelineKey } from '../flow/key.ts';
import { decodeCookie } from '../flow/odp/actions/cookie.ts';
import { restoreMetadata } from '../translate/freeze.ts';
import type { Effects, SwitchPicture } from '../translate/types.ts';

/** False when there is nothing to be told: the frozen state is gone, or the data are no controller's. */
export function deliverPacketIn(upcall: Upcall, { recircs }: SwitchPicture, effects: Effects): boolean {
  const cookie = decodeCookie(upcall.userdata);
  if (cookie?.name !== 'controller') return false;
  const { values } = cookie;
  const number = (name: string): number => Number(values[name]!);
  if (number('dont_send') !== 0) return true;
  const state = recircs.get(number('recirc_id'));
  if (!state) return false;
  const flow = PipelineKey.of(upcall.key);
  restoreMetadata(flow, state);
  flow.set(KEY.recirc_id, 0);
  effects.packetIn(state.bridge, {
    reason: number('reason'),
    tableId: state.tableId,
    cookie: values.rule_cookie!,
    controllerId: number('controller_id'),
    maxLen: number('max_len'),
    flow,
    // The datapath takes the frame back when the upcall is answered
    frame: upcall.frame.slice(),
    userdata: state.userdata,
    continuation: number('continuation') === 0 ? null : state,
    dpPort: upcall.key.get(KEY.in_port),
  });
  return true;
}
