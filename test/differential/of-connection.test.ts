// What a bridge's own socket answers, message by message, with the clock in hand: the reference and Weft get the same bytes,
// and give the same bytes back. Transaction ids of hellos are counted by each switch for itself, and masked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Bed, RawClient } from '../unit/transport/bed.ts';
import { Oracle } from './oracle.ts';

/** Who sends it and the bytes; a number moves the clock by so many milliseconds. */
type Step = string | number;

interface Side {
  readonly path: string;
  warp(ms: number): void;
  settle(): void;
}

const hello = (version: number): string => `0${version}00000800000001`;
const masked = (message: string): string =>
  message.slice(2, 4) === '00' ? `${message.slice(0, 8)}xxxxxxxx${message.slice(16)}` : message;

/** Errors about requests of flow monitors: the reference takes version, transaction and data of them from the wrong place. */
let isMonitors = false;
const withoutMonitorErrors = (step: Step, message: string): string =>
  isMonitors && /:..1[02]/.test(String(step)) && message.slice(2, 4) === '01' ? 'error' : message;

/** What each client has got after each step. */
async function play(side: Side, steps: readonly Step[]): Promise<string[]> {
  const clients = new Map<string, RawClient>();
  const lines: string[] = [];
  for (const step of steps) {
    if (typeof step === 'number') side.warp(step);
    else {
      const [who, bytes] = step.split(':') as [string, string];
      const client = clients.get(who) ?? new RawClient(side.path);
      clients.set(who, client);
      client.send(bytes);
    }
    for (let turn = 0; turn < 3; turn++) {
      await delay(12);
      side.settle();
    }
    await delay(12);
    const got = [...clients].map(
      ([who, client]) =>
        `${who}${client.isClosed ? ' closed' : ''}: ${client
          .take()
          .map((m) => withoutMonitorErrors(step, masked(m)))
          .join(' ')}`,
    );
    lines.push(`${step} -> ${got.join(' | ')}`);
  }
  for (const client of clients.values()) client.close();
  await delay(10);
  side.settle();
  return lines;
}

let oracle: Oracle;
let bed: Bed;
before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  bed = new Bed();
});
after(() => {
  oracle?.close();
  bed?.close();
});

async function compare(versions: number, steps: readonly Step[]): Promise<void> {
  const names = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
  const protocols = names.filter((_, i) => (versions & (2 << i)) !== 0).join(',');
  oracle.vsctl('set', 'bridge', 'br0', `protocols=[${protocols}]`);
  bed.configure({ versions });
  const [expected, actual] = await Promise.all([
    play({ path: `${oracle.dir}/br0.mgmt`, warp: (ms) => oracle.warp(ms), settle: () => oracle.settle() }, steps),
    play({ path: `${bed.dir}/br0.mgmt`, warp: (ms) => bed.warp(ms), settle: () => bed.settle() }, steps),
  ]);
  assert.deepEqual(actual, expected);
}

/** A message: version, type, transaction and body. */
const message = (version: number, type: number, xid: number, body = ''): string => {
  const bytes = body.replaceAll(' ', '');
  const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
  return hex(version, 2) + hex(type, 2) + hex(8 + bytes.length / 2, 4) + hex(xid, 8) + bytes;
};
const nicira = (version: number, subtype: number, xid: number, body: string): string =>
  message(version, 4, xid, `00002320 ${subtype.toString(16).padStart(8, '0')} ${body}`);
const onf = (subtype: number, xid: number, body: string): string =>
  message(4, 4, xid, `4f4e4600 ${subtype.toString(16).padStart(8, '0')} ${body}`);

const ALL = 0x7e;

test('hello: the highest common version, bitmaps, unknown elements, higher versions', async () => {
  for (const bytes of [hello(6), hello(1), hello(4), '6300000800000001', '0400001000000001 0001000800000006'])
    await compare(ALL, [`a:${bytes}`]);
  await compare(0x12, [`a:${hello(6)}`, `a:${message(4, 2, 7)}`]);
  await compare(ALL, ['a:0400000c0000000100020008', `a:${message(4, 2, 7)}`]);
});

test('hello: no version in common, something else first, version 0, a broken frame', async () => {
  await compare(0x12, ['a:02000010000000010001000800000004']);
  await compare(0x12, ['a:04000010000000010001000800000008']);
  await compare(0x1e, ['a:0600001000000001 0001000800000060']);
  await compare(0x02, ['a:0400001000000001 0001000800000010']);
  await compare(ALL, ['a:0402000800000001']);
  await compare(ALL, ['a:0000000800000001']);
  await compare(ALL, [`a:${hello(4)}`, 'a:0405000700000009', 'a:0402000800000002']);
});

test('time: a hello that does not come, probes, no answer to a probe', async () => {
  await compare(ALL, [`b:${hello(4)}`, 'a:04', 500, 600, 1000]);
  await compare(ALL, [`a:${hello(4)}`, 30_000, 29_000, 2000, 30_000, 31_000]);
  await compare(ALL, [`a:${hello(4)}`, 61_000, 'a:0403000800000000', 30_000, 31_000, 61_000]);
});

test('messages that no switch is asked, other versions, bad lengths, echo', async () => {
  await compare(ALL, [
    `a:${hello(4)}`,
    'a:0105000800000009',
    'a:6305000800000009',
    'a:0502000900000003aa',
    'a:6302000900000003aa',
    'a:0402000a00000003aabb',
    'a:0403000800000009',
    'a:0400000800000007',
    'a:0401000c0000000800010000',
    'a:046300080000000a',
    `a:${message(4, 6, 0, '00'.repeat(24))}`,
    'a:0413000800000001',
    'a:040f000800000001',
    'a:0405000900000009ff',
    'a:0414000800000005',
    `a:${nicira(4, 18, 5, '')}`,
    `a:${nicira(4, 99, 5, '')}`,
    `a:${message(4, 4, 5, '00112233 00000001')}`,
    `a:${message(4, 18, 6, '00630000 00000000')}`,
  ]);
});

test('multipart requests in pieces, of another kind, that never end', async () => {
  await compare(ALL, [
    `a:${hello(4)}`,
    'a:0412001000000005 0000 0001 00000000',
    'a:0412001000000005 0000 0000 00000000',
    'a:0412001800000006 000d 0001 00000000 0000000000000000',
    'a:0412001000000005 000c 0001 00000000',
    1100,
    1000,
    'a:0412001000000007 0008 0001 00000000',
    'a:0412001000000007 000b 0000 00000000',
    2000,
  ]);
});

test('roles: requests, generations, demotion with role status, what a secondary may not do', async () => {
  const role = (version: number, xid: number, n: number, generation: string): string =>
    message(version, 24, xid, `0000000${n} 00000000 ${generation}`);
  for (const version of [3, 4, 5, 6]) {
    await compare(ALL, [
      `a:${hello(version)}`,
      `b:${hello(version)}`,
      `a:${role(version, 1, 0, '0000000000000000')}`,
      `a:${role(version, 2, 2, '0000000000000005')}`,
      `b:${role(version, 3, 2, '0000000000000004')}`,
      `b:${role(version, 3, 2, '0000000000000006')}`,
      `a:${role(version, 4, 0, '0000000000000000')}`,
      `a:${role(version, 5, 9, '0000000000000007')}`,
      // Nothing that is written; reading is allowed
      `a:${message(version, 16, 5, '0'.repeat(64))}`,
      `a:${message(version, 14, 6, '0'.repeat(96))}`,
      `a:${message(version, 13, 7, '0'.repeat(32))}`,
      `a:${message(version, 15, 8, '0'.repeat(32))}`,
      `a:${message(version, 20, 9)}`,
      `a:${nicira(version, 29, 9, '000000000000 0001')}`,
      `a:${nicira(version, 10, 10, '00000000')}`,
      `a:${role(version, 12, 3, '0000000000000006')}`,
      `b:${role(version, 11, 1, '0000000000000001')}`,
      `b:${role(version, 11, 3, '8000000000000007')}`,
    ]);
    // Both start anew: the generation is the bridge's
    oracle.vsctl('del-br', 'br0');
    oracle.addBridge('br0');
    bed.close();
    bed = new Bed();
  }
  await compare(ALL, [
    `a:${hello(1)}`,
    `b:${hello(2)}`,
    `a:${nicira(1, 10, 1, '00000001')}`,
    `b:${nicira(2, 10, 2, '00000001')}`,
    `a:${message(1, 14, 6, '0'.repeat(128))}`,
    `a:${nicira(1, 10, 1, '00000007')}`,
    `a:${nicira(1, 10, 1, '00000000')}`,
  ]);
});

test('asynchronous configuration: defaults and changes in each form', async () => {
  for (const version of [4, 5, 6]) {
    const get = message(version, 26, 3);
    const set =
      version === 4
        ? message(4, 28, 4, '00000003 00000001 00000007 00000002 0000000f 000000ff')
        : message(version, 28, 4, '0000000800000003 0001000800000005 0008000800000018 000b000800000003');
    await compare(ALL, [`a:${hello(version)}`, `a:${get}`, `a:${set}`, `a:${get}`]);
  }
  for (const body of ['0000000800000043', '000c000800000001', '0000000700000001', 'ffff000c0000232000000001 00000000'])
    await compare(ALL, [`a:${hello(5)}`, `a:${message(5, 28, 4, body)}`, `a:${message(5, 26, 3)}`]);
  await compare(ALL, [
    `a:${hello(4)}`,
    `a:${nicira(4, 19, 4, '00000003 00000001 00000007 00000002 0000000f 000000ff')}`,
    `a:${message(4, 26, 3)}`,
    `a:${nicira(4, 27, 4, '0000000800000003 0001000800000005')}`,
    `a:${message(4, 26, 3)}`,
  ]);
});

test('switch configuration, formats, controller id', async () => {
  for (const version of [1, 2, 3, 4, 5, 6])
    await compare(ALL, [
      `a:${hello(version)}`,
      `a:${message(version, 7, 1)}`,
      `a:${message(version, 9, 2, '0004 0040')}`,
      `a:${message(version, 7, 3)}`,
      `a:${nicira(version, 16, 4, '00000001')}`,
      `a:${nicira(version, 16, 5, '00000007')}`,
      `a:${nicira(version, 20, 6, '000000000000 0003')}`,
      `a:${nicira(version, 12, 7, '00000001')}`,
      `a:${nicira(version, 12, 8, '00000002')}`,
      `a:${nicira(version, 15, 9, '01 00000000000000')}`,
    ]);
});

const control = (version: number, xid: number, id: number, type: number, flags = 0): string => {
  const body = `0000000${id} 000${type} 000${flags}`;
  return version === 4 ? onf(2300, xid, body) : message(version, 33, xid, body);
};
const add = (version: number, xid: number, id: number, inner: string, flags = 0): string => {
  const body = `0000000${id} 0000 000${flags} ${inner}`;
  return version === 4 ? onf(2301, xid, body) : message(version, 34, xid, body);
};
/** Any packet, in table 0, with priority 7: dropped. */
const flowMod = (version: number, xid: number, table = 0, command = 0, flags = 0): string => {
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const fixed = `${'0'.repeat(32)} ${hex(table)} ${hex(command)} 0000 0000 0007 ffffffff ffffffff ffffffff 00${hex(flags)} 0000`;
  return message(version, 14, xid, `${fixed} 0001 0004 00000000`);
};

test('bundles: states, flags, what may be in them, errors of members, commit, idle time', async () => {
  for (const version of [4, 5, 6]) {
    await compare(ALL, [
      `a:${hello(version)}`,
      `a:${control(version, 1, 1, 4)}`,
      `a:${control(version, 1, 1, 2)}`,
      `a:${control(version, 1, 1, 6)}`,
      `a:${control(version, 2, 1, 0)}`,
      `a:${control(version, 2, 1, 0)}`,
      `a:${control(version, 3, 1, 0, 1)}`,
      `a:${control(version, 3, 1, 2)}`,
      `a:${control(version, 3, 1, 2)}`,
      `a:${control(version, 4, 2, 0, 3)}`,
      `a:${control(version, 4, 2, 2, 3)}`,
      `a:${control(version, 4, 2, 2, 3)}`,
      `a:${control(version, 5, 2, 1)}`,
      `a:${control(version, 5, 2, 9)}`,
      `a:${control(version, 6, 3, 0, 7)}`,
      `a:${add(version, 7, 3, flowMod(version, 7))}`,
      `a:${add(version, 7, 3, flowMod(version, 7), 7)}`,
      `a:${add(version, 7, 3, flowMod(version, 8), 7)}`,
      `a:${add(version, 7, 4, message(version, 2, 7))}`,
      `a:${add(version, 7, 4, message(version, 99, 7))}`,
      `a:${add(version, 7, 4, flowMod(version, 7, 0, 9))}`,
      `a:${add(version, 7, 4, '04')}`,
      `a:${add(version, 7, 4, flowMod(version === 4 ? 5 : 4, 7))}`,
      `a:${add(version, 8, 4, flowMod(version, 8))}`,
      `a:${control(version, 9, 4, 4)}`,
      `a:${control(version, 9, 4, 4)}`,
      `a:${add(version, 10, 5, flowMod(version, 10))}`,
      // Another of its priority overlaps it
      `a:${add(version, 11, 5, flowMod(version, 11, 0, 0, 2))}`,
      `a:${add(version, 11, 5, flowMod(version, 11, 254))}`,
      `a:${control(version, 12, 5, 2)}`,
      `a:${add(version, 13, 5, flowMod(version, 13))}`,
      `a:${add(version, 14, 6, flowMod(version, 14))}`,
      9000,
      `a:${add(version, 15, 6, flowMod(version, 15))}`,
      9000,
      2000,
      `a:${control(version, 16, 6, 4)}`,
      `a:${control(version, 17, 7, 0)}`,
      12_000,
    ]);
  }
});

const match13 = '0001 0004 00000000';
const monitor = (version: number, xid: number, id: number, flags: number, table = 0xff, command = 0): string => {
  const hex = (n: number, digits = 2): string => n.toString(16).padStart(digits, '0');
  if (version < 4) {
    const body = `00002320 00000002 ${version === 1 ? '00000000' : ''} ${hex(id, 8)} ${hex(flags, 4)} ffff 0000 ${hex(table)} 0000000000`;
    return message(version, version === 1 ? 16 : 18, xid, `ffff 0000 ${version === 1 ? '' : '00000000'} ${body}`);
  }
  if (version === 4)
    return message(
      4,
      18,
      xid,
      `ffff 0000 00000000 4f4e4600 0000074e ${hex(id, 8)} ${hex(flags, 4)} 0004 ffffffff ${hex(table)} 000000 ${match13}`,
    );
  const body = `${hex(id, 8)} ffffffff ffffffff ${hex(flags, 4)} ${hex(table)} ${hex(command)} ${match13}`;
  return message(version, 18, xid, `0010 0000 00000000 ${body}`);
};

test('flow monitors: initial, changes by others and by oneself, abbreviated, time-outs, cancel', async () => {
  isMonitors = true;
  for (const version of [1, 3, 4, 5, 6]) {
    const own = version < 5 ? 0x20 : 0x40;
    const del = (xid: number): string => flowMod(5, xid, 0, 3);
    await compare(ALL, [
      `b:${hello(5)}`,
      `b:${del(1)}`,
      `b:${flowMod(5, 2)}`,
      `a:${hello(version)}`,
      `a:${monitor(version, 3, 1, 0x1f)}`,
      `a:${monitor(version, 4, 1, 0x1f)}`,
      `b:${del(5)}`,
      `b:${flowMod(5, 6)}`,
      `b:${flowMod(5, 7)}`,
      `a:${version === 1 ? '' : flowMod(version, 8, 0, 3)}`,
      `a:${version === 1 ? '' : flowMod(version, 9)}`,
      `a:${monitor(version, 10, 2, 0x0e | own)}`,
      `a:${version === 1 ? '' : flowMod(version, 11, 0, 3)}`,
      `a:${monitor(version, 12, 3, 0x01)}`,
      `a:${monitor(version, 12, 3, 0x102)}`,
      `a:${monitor(version, 13, 3, 0x02, 254)}`,
      `a:${monitor(version, 13, 4, 0x02, 255)}`,
      `a:${version < 4 ? nicira(version, 21, 14, '00000001') : version === 4 ? onf(1870, 14, '00000001') : monitor(version, 14, 1, 0, 0, 2)}`,
      `a:${version < 4 ? nicira(version, 21, 14, '00000009') : version === 4 ? onf(1870, 14, '00000009') : monitor(version, 14, 9, 0, 0, 2)}`,
      ...(version < 5
        ? []
        : [`a:${monitor(version, 15, 2, 0x03, 0xff, 1)}`, `a:${monitor(version, 15, 8, 0x02, 0, 1)}`]),
      `b:${flowMod(5, 16)}`,
      `b:${del(17)}`,
    ]);
  }
});

test('flow-removed and port-status come to a service only after it sets a miss_send_len', async () => {
  isMonitors = false;
  for (const version of [1, 2, 3, 4, 5, 6]) {
    await compare(ALL, [
      `b:${hello(5)}`,
      `b:${flowMod(5, 1, 0, 3)}`,
      `a:${hello(version)}`,
      `b:${flowMod(5, 2, 0, 0, 1)}`,
      `b:${flowMod(5, 3, 0, 3)}`,
      `a:${message(version, 9, 4, '0000 0080')}`,
      `b:${flowMod(5, 5, 0, 0, 1)}`,
      2500,
      `b:${flowMod(5, 6, 0, 3)}`,
    ]);
  }
});

test('group-mods and meter-mods are forwarded to who asked for it, in its version', async () => {
  const ask = (version: number): string => message(version, 28, 1, '000b000800000003');
  for (const version of [5, 6]) {
    const groupMod =
      version === 5
        ? message(5, 15, 7, '0000 00 00 00000001')
        : message(6, 15, 7, '0000 00 00 00000001 0000 0000 ffffffff');
    await compare(ALL, [
      `a:${hello(version)}`,
      `a:${message(version, 9, 4, '0000 0080')}`,
      `a:${ask(version)}`,
      `b:${hello(5)}`,
      `b:${message(5, 15, 7, '0000 00 00 00000002')}`,
      `a:${groupMod}`,
      `b:${message(5, 15, 8, '0002 00 00 fffffffc')}`,
      `b:${message(5, 29, 9, '0000 0001 00000003 0001 0010 00000064 00000000 00000000')}`,
      `b:${message(5, 29, 10, '0002 0001 00000003')}`,
    ]);
  }
});
