/** group, enqueue, set_queue (OpenFlow 1.0 §5.2.4, 1.1 §5.2). */
import { formatOfPort } from '../../flow/text/ports.ts';
import {
  kind,
  nicira,
  type Parsed,
  putNicira,
  putStandard,
  standard,
  type TextContext,
  toPort32,
  wrong,
} from './codec.ts';
import { numberOf, oneNumber } from './text.ts';

export const group = kind<'group'>({
  types: ['group'],
  forms: [
    standard(22, [2, 6], 8, (r) => ({ type: 'group', group: r.u32(4) })),
    nicira(40, 16, (r) => ({ type: 'group', group: r.u32(12) })),
  ],
  encode(out, { group: id }, { version }) {
    if (version === 1) putNicira(out, 40, (body) => body.zeros(2).u32(id));
    else putStandard(out, 22, (body) => body.u32(id));
  },
  format: ({ group: id }) => `group:${id}`,
  words: { group: oneNumber('group', 32, (id) => ({ type: 'group', group: id })) },
});

const isQueuePort = (port: number): boolean => port < 0xff00 || port === 0xfff8 || port === 0xfffe;

function parseEnqueue(text: string, context: TextContext): Parsed {
  const [port, queue, ...rest] = text.split(/[:,]/);
  if (port === undefined || queue === undefined || rest.length > 0) {
    return wrong('"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"');
  }
  const [portNumber, queueNumber] = [context.port(port.trim()), numberOf(queue, 32)];
  if (portNumber === null) return wrong(`${port}: enqueue to unknown port`);
  return queueNumber === null
    ? wrong(`enqueue: invalid queue "${queue}"`)
    : { type: 'enqueue', port: portNumber, queue: queueNumber };
}

/** OpenFlow 1.1 dropped it: it becomes three actions. */
export const enqueue = kind<'enqueue'>({
  types: ['enqueue'],
  forms: [
    standard(11, [1, 1], 16, (r) => {
      const port = r.u16(4);
      return isQueuePort(port) ? { type: 'enqueue', port, queue: r.u32(12) } : 'OFPBAC_BAD_OUT_PORT';
    }),
  ],
  encode(out, { port, queue }, { version }) {
    if (version === 1) {
      putStandard(out, 11, (body) => body.u16(port).zeros(6).u32(queue));
      return;
    }
    putStandard(out, 21, (body) => body.u32(queue));
    putStandard(out, 0, (body) => body.u32(toPort32(port)).u16(0xffff).zeros(6));
    putNicira(out, 5, (body) => body.zeros(6));
  },
  format: ({ port, queue }) => `enqueue:${formatOfPort(port)}:${queue}`,
  words: { enqueue: parseEnqueue },
});

export const setQueue = kind<'set_queue'>({
  types: ['set_queue'],
  forms: [
    standard(21, [2, 6], 8, (r) => ({ type: 'set_queue', queue: r.u32(4) })),
    { ...nicira(4, 16, (r) => ({ type: 'set_queue', queue: r.u32(12) })), last: 1 },
  ],
  encode(out, { queue }, { version }) {
    if (version === 1) putNicira(out, 4, (body) => body.zeros(2).u32(queue));
    else putStandard(out, 21, (body) => body.u32(queue));
  },
  format: ({ queue }) => `set_queue:${queue}`,
  words: { set_queue: oneNumber('set_queue', 32, (queue) => ({ type: 'set_queue', queue })) },
});
