/** userspace(pid=...,...): a copy of the frame for the control side. */

import { fromHex, toHex } from '../../../lib/bytes.ts';
import { limits } from '../../../spec/limits.ts';
import type { UpcallReason } from '../action.ts';
import type { Scanner } from '../scanner.ts';
import { cookieReason, decodeCookie, formatCookie, parseCookie } from './cookie.ts';
import { type ActionForm, type ActionOf, form } from './form.ts';

function parseUserdata(s: Scanner): Uint8Array {
  s.expect('(');
  const start = s.at;
  const data = fromHex(s.value());
  if (!data || data.length > limits.USERDATA_SIZE_MAX)
    s.fail(`expected up to ${limits.USERDATA_SIZE_MAX} bytes in hexadecimal`, start);
  s.expect(')');
  return data ?? new Uint8Array();
}

function parseUserspace(s: Scanner): ActionOf<'userspace'> {
  let reason: UpcallReason = 'action';
  let userdata: Uint8Array = new Uint8Array();
  let tunnelOutPort: number | null = null;
  let withActions = false;
  s.expect('(pid=');
  const pid = s.u32();
  while (!s.failed && !s.take(')')) {
    s.expect(',');
    const start = s.at;
    const word = s.word();
    const ownReason = cookieReason(word);
    if (word === 'actions') withActions = true;
    else if (word === 'userdata') userdata = parseUserdata(s);
    else if (word === 'tunnel_out_port') {
      s.expect('=');
      tunnelOutPort = s.u32();
    } else if (ownReason) {
      reason = ownReason;
      userdata = parseCookie(s, word);
    } else s.fail(`unknown part "${word}"`, start);
  }
  return { type: 'userspace', reason, pid, userdata, tunnelOutPort, withActions };
}

function formatUserdata({ reason, userdata }: ActionOf<'userspace'>): string {
  const cookie = decodeCookie(userdata);
  if (cookie && cookieReason(cookie.name) === reason) return `,${formatCookie(cookie)}`;
  return userdata.length === 0 ? '' : `,userdata(${toHex(userdata)})`;
}

function formatUserspace(action: ActionOf<'userspace'>): string {
  const { pid, withActions, tunnelOutPort } = action;
  const actions = withActions ? ',actions' : '';
  const port = tunnelOutPort === null ? '' : `,tunnel_out_port=${tunnelOutPort}`;
  return `userspace(pid=${pid}${formatUserdata(action)}${actions}${port})`;
}

export const userspaceForm: ActionForm = form({ type: 'userspace', parse: parseUserspace, format: formatUserspace });
