/**
 * What lies in linear memory, and where: every structure that Wasm and a host both read.
 * Pointers are byte addresses in the linear memory; 0 is none. Sizes of structures are rounded up to `align`.
 */
import { BLOCK_SIZE, KEY_SIZE } from './key.ts';
import { limits } from './limits.ts';

type FieldType = 'u8' | 'u16' | 'u32' | 'u64' | 'f64' | 'ptr' | `bytes:${number}`;

export interface StructFieldSpec {
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;
  readonly size: number;
  readonly help: string;
}

export interface StructSpec {
  readonly name: string;
  readonly help: string;
  readonly size: number;
  readonly fields: readonly StructFieldSpec[];
}

type Row = readonly [name: string, type: FieldType, help: string];

const sizeOf = (type: FieldType): number => {
  if (type.startsWith('bytes:')) return Number(type.slice(6));
  return { u8: 1, u16: 2, u32: 4, ptr: 4, u64: 8, f64: 8 }[type as 'u8'];
};

function struct(name: string, align: number, help: string, rows: readonly Row[]): StructSpec {
  let offset = 0;
  const fields = rows.map(([field, type, text]): StructFieldSpec => {
    const size = sizeOf(type);
    const natural = type.startsWith('bytes:') ? (size % 16 === 0 ? 16 : 4) : size;
    offset = Math.ceil(offset / natural) * natural;
    const placed = { name: field, type, offset, size, help: text };
    offset += size;
    return placed;
  });
  return { name, help, size: Math.ceil(offset / align) * align, fields };
}

/** A ring's place: the four of a port have this shape. Indices run freely (u32) and are masked on use. */
const ring = (name: string, help: string): Row[] => [
  [`${name}_producer`, 'ptr', `${help}: address of the producer index (u32, atomic)`],
  [`${name}_consumer`, 'ptr', `${help}: address of the consumer index (u32, atomic)`],
  [`${name}_entries`, 'ptr', `${help}: address of the entries`],
  [`${name}_mask`, 'u32', `${help}: number of entries - 1 (a power of two)`],
];

export const structs: readonly StructSpec[] = [
  struct('Switch', 64, 'What all workers share. Lies at SWITCH_BASE.', [
    ['magic', 'u32', 'MAGIC'],
    ['version', 'u32', 'LAYOUT_VERSION'],
    ['ports', 'ptr', 'Port[PORTS_MAX], by port number; behind them Port[FURTHER_QUEUES_MAX]'],
    ['frames', 'ptr', 'first chunk; page-aligned'],
    ['frames_count', 'u32', 'chunks'],
    ['chunk_size', 'u32', 'bytes of a chunk, a power of two ≥ 2048'],
    ['worker_count', 'u32', ''],
    ['memory_size', 'f64', 'bytes of the linear memory laid out'],
    ['hand_overs', 'ptr', 'HandOver[worker_count × worker_count], by who hands over and then by who takes'],
  ]),
  struct(
    'HandOver',
    128,
    'From one worker to another: frames for ports of the other, and as many free chunks back. Indices run freely.',
    [
      ['frames_producer', 'u32', 'who hands over writes'],
      ['frames_reserved', 'u32', 'the producer index to be: entries that are not published yet'],
      ['home_consumer', 'u32', 'who hands over writes'],
      ['line_a', 'bytes:116', 'the other end has cache lines of its own'],
      ['frames_consumer', 'u32', 'who takes writes'],
      ['home_producer', 'u32', 'who takes writes; never beyond frames_consumer: a chunk for each frame'],
      ['line_b', 'bytes:120', ''],
      [
        'frames',
        `bytes:${16 * limits.HAND_OVER_ENTRIES}`,
        '{ u32 first byte, u32 size, u32 port, u32 0 } each: absolute addresses',
      ],
      ['home', `bytes:${4 * limits.HAND_OVER_ENTRIES}`, 'u32 chunk addresses'],
    ],
  ),
  struct(
    'Thread',
    128,
    'What a worker’s thread and the control side tell each other beside the rings. One a worker, and one behind them for ' +
      'the control side, of which bell and sleeping are used.',
    [
      ['bell', 'u32', 'changes whenever there is something new: what a sleeper waits on'],
      ['sleeping', 'u32', '1 while it sleeps, or is about to: ringing is of use'],
      ['state', 'u32', 'THREAD_STATE; the thread writes'],
      ['order', 'u32', 'THREAD_ORDER; the control side writes'],
      ['mail', 'u32', 'messages posted to the thread; the control side writes'],
      ['read', 'u32', 'messages answered; the thread writes'],
      ['bell_fd', 'u32', 'descriptor of an event counter that wakes it out of poll(2), + 1; 0 for none'],
      ['sleeps', 'u32', 'how often it went to sleep'],
      ['now', 'f64', 'microseconds: the thread’s clock at its last turn'],
    ],
  ),
  struct(
    'Port',
    256,
    'A port of the datapath, or its first queue; a further queue is a Port of its own behind all ports. Written by the ' +
      'host while the owner is quiet; statistics by the owner.',
    [
      ['state', 'u32', 'PORT_STATE bits'],
      ['worker', 'u32', 'index of the owning worker'],
      ['mtu', 'u32', 'bytes behind the Ethernet header (and one tag); 0 is no limit'],
      ['ifindex', 'u32', ''],
      ...ring('rx', 'received frames: 16-byte descriptors { u64 addr, u32 len, u32 options }, device → worker'),
      ...ring('tx', 'frames to send: descriptors, worker → device'),
      ...ring('fill', 'free chunks: u64 addr, worker → device'),
      ...ring('comp', 'sent chunks: u64 addr, device → worker'),
      ['umem_base', 'ptr', 'what descriptor addresses are relative to'],
      ['fill_target', 'u32', 'chunks to keep on the fill ring'],
      ['tx_reserved', 'u32', 'the tx producer index to be, with descriptors that are not published yet'],
      ['number', 'u32', 'number of the port: what frames that come in here have as in_port'],
      ['rx_packets', 'u64', ''],
      ['rx_bytes', 'u64', ''],
      ['rx_dropped', 'u64', ''],
      ['tx_packets', 'u64', ''],
      ['tx_bytes', 'u64', ''],
      ['tx_dropped', 'u64', 'ring full, MTU, down'],
      ['dirty_next', 'u32', 'place of the next one in the list of those written to in this burst, + 1; 0 ends it'],
      ['dirty', 'u32', '1 while in that list'],
      ['tunnel_type', 'u32', 'TUNNEL_TYPE that tnl_pop takes off here; 0: as the outer headers look'],
      ['tunnel_flags', 'u32', 'TUNNEL_PORT bits'],
      ['tunnel_sequence', 'u32', 'sequence number of the next GRE packet pushed for this port'],
      ['device_rx_dropped', 'u64', 'what a device in a thread of its own counted: the thread writes, now and then'],
      ['device_rx_errors', 'u64', ''],
      ['device_tx_dropped', 'u64', ''],
      ['device_tx_errors', 'u64', ''],
      ['queues', 'ptr', 'of a port: its further queues, the second first; 0 for none'],
      [
        'queue_of',
        `bytes:${limits.WORKERS_MAX}`,
        'of a port: u8 by worker, the queue that it sends by; 0 is the first',
      ],
    ],
  ),
  struct('Packet', 128, 'A frame on its way through the pipeline.', [
    ['data', 'ptr', 'first byte of the frame'],
    ['size', 'u32', 'bytes of the frame'],
    ['chunk', 'ptr', 'first byte of its chunk'],
    ['key', 'ptr', 'its key slot (KEY_SIZE bytes, fixed to this slot)'],
    ['key_map', 'u64', 'which blocks of the key slot are not all zero'],
    ['flow', 'ptr', 'megaflow that took it, 0 before lookup'],
    ['hash', 'u32', 'hash of the whole key: the cache goes by it'],
    ['in_port', 'u32', ''],
    ['recirc_id', 'u32', ''],
    ['packet_type', 'u32', 'as in the key: bytes in network order'],
    ['l2_pad', 'u16', 'bytes behind the IP datagram'],
    ['l25_offset', 'u16', 'MPLS label stack, from data; 0xffff for none'],
    ['l3_offset', 'u16', 'network header, from data; 0xffff for none'],
    ['l4_offset', 'u16', 'transport header, from data; 0xffff for none (or a later fragment)'],
    ['tcp_flags', 'u16', 'host order'],
    ['depth', 'u16', 'recirculations so far'],
    ['cut_size', 'u32', 'size after trunc; 0xffffffff for no cut'],
    ['upcall', 'u32', 'bit 0: it came back from an upcall'],
    ['csum_start', 'u16', 'partial checksum: start, from data; 0xffff for none'],
    ['csum_offset', 'u16', 'partial checksum: where, from csum_start'],
    ['gso_size', 'u16', 'segment size of a large segment, 0 for none'],
    ['gso_type', 'u16', 'as struct virtio_net_hdr'],
    ['next', 'u32', 'free list of slots'],
  ]),
  struct('Worker', 4096, 'All that one worker owns. Its address is the first argument of every call.', [
    ['index', 'u32', ''],
    ['flags', 'u32', 'WORKER_FLAG bits'],
    ['now', 'f64', 'microseconds, as the last call was told'],
    ['packets', 'ptr', 'Packet[packet_slots]'],
    ['packet_slots', 'u32', ''],
    ['packet_free', 'ptr', 'first free Packet slot'],
    ['keys', 'ptr', 'key slots, one a Packet slot'],
    ['lists', 'ptr', 'scratch for lists of Packet pointers'],
    ['lists_size', 'u32', 'bytes'],
    ['lists_used', 'u32', 'bytes'],
    ['free_chunks', 'ptr', 'stack of u32 chunk addresses'],
    ['free_count', 'u32', 'chunks on the stack'],
    ['free_max', 'u32', ''],
    ['cache', 'ptr', 'exact-match cache'],
    ['cache_mask', 'u32', 'buckets - 1'],
    ['arena', 'ptr', 'memory for subtables, flows and actions'],
    ['arena_end', 'ptr', ''],
    ['arena_next', 'ptr', 'first byte never used'],
    ['arena_used', 'f64', 'bytes in live allocations'],
    ['free_lists', 'bytes:512', 'first free cell of each size class (u32)'],
    ['subtables', 'ptr', 'u32[SUBTABLES_MAX]: Subtable pointers, most hits first'],
    ['subtable_count', 'u32', ''],
    ['flow_count', 'u32', 'megaflows installed'],
    ['flow_max', 'u32', 'megaflows at the most'],
    ['flow_index', 'ptr', 'u32[flow_max]: flow pointers by flow id; 0 for a free id'],
    ['flow_free', 'ptr', 'stack of free flow ids (u32)'],
    ['upcall_slots', 'ptr', 'UpcallSlot[UPCALL_SLOTS]'],
    ['upcall_producer', 'u32', 'worker writes'],
    ['control_consumer', 'u32', 'worker writes; bytes'],
    ['upcall_consumer', 'u32', 'host writes'],
    ['control_producer', 'u32', 'host writes; bytes'],
    ['control', 'ptr', 'control ring, CONTROL_RING_SIZE bytes'],
    ['meters', 'ptr', 'Meter[METERS_MAX], of all workers together'],
    ['dirty_ports', 'u32', 'place of the first port written to in this burst, + 1; 0 for none'],
    ['random', 'u64', 'state of the generator behind sample'],
    ['switch', 'ptr', 'the Switch'],
    ['sort_at', 'u32', 'lookups until subtables are sorted again'],
    ['action_depth', 'u32', 'nested action lists now'],
    ['counters', 'bytes:512', 'u64 a row of src/spec/counters'],
    ['drops', 'bytes:512', 'u64 a row of src/spec/drops'],
    ['action_table', 'ptr', 'u32 heads of the chains of interned action lists; in the arena'],
    ['action_mask', 'u32', 'heads - 1'],
    ['cache_insert_inverse', 'u32', 'a full cache bucket takes one in so many new entries; 0 for the default'],
    ['cache_random', 'u32', 'state of the generator behind that'],
    ['cache_bypass', 'u32', 'bursts until the cache is asked again; 0 while it is asked always'],
    ['cache_lookups', 'u32', 'of the cache since it was judged last'],
    ['cache_hits', 'u32', 'of those'],
    ['cache_visits', 'u32', 'subtables visited for the others'],
    ['cache_inserted', 'u32', 'of the others, those that found a place'],
    ['handed', 'u32', 'bit n: frames for worker n are not published yet'],
    ['rung', 'u32', 'bit n: frames for worker n were published since the host asked last'],
  ]),
  struct('Flow', 16, 'A megaflow. The packed masked key (block_count × 16 bytes) follows.', [
    ['subtable', 'ptr', '0 once the flow is deleted: its memory stays a Flow for ever'],
    ['hash', 'u32', 'hash of the packed masked key'],
    ['actions', 'ptr', 'ActionList'],
    ['id', 'u32', 'flow id: index in the worker’s flow_index'],
    ['packets', 'u64', ''],
    ['bytes', 'u64', ''],
    ['used', 'f64', 'microseconds of the last packet; 0 for never'],
    ['cookie', 'u32', 'what the control side calls this flow'],
    ['tcp_flags', 'u16', 'all seen, host order'],
    ['reserved', 'u16', ''],
    ['batch', 'u32', 'scratch of the act pass'],
    ['generation', 'u32', 'number of its installation, unlike that of any earlier flow with this id'],
  ]),
  struct('Subtable', 64, 'All megaflows of one mask.', [
    ['key_map', 'u64', 'blocks that the mask touches'],
    ['block_count', 'u32', 'number of those'],
    ['flow_count', 'u32', ''],
    ['buckets', 'ptr', 'table of groups of seven places: see assembly/classifier/table'],
    ['bucket_mask', 'u32', 'groups - 1'],
    ['hits', 'u64', 'since the last sort'],
    ['offsets', 'bytes:80', 'u16 byte offset of each touched block in the key'],
    ['size_class', 'u32', 'log2 of the table’s bytes'],
    ['secrets', 'bytes:64', 'hash secrets of the first four blocks: a visit wants them in registers'],
    ['masks', `bytes:${KEY_SIZE}`, 'packed mask, block_count × 16 bytes'],
  ]),
  struct('ActionList', 16, 'Encoded actions, shared by the flows that do the same. The list follows the header.', [
    ['size', 'u32', 'bytes of the list'],
    ['references', 'u32', 'flows that use it'],
    ['hash', 'u32', ''],
    ['next', 'ptr', 'chain of the intern table'],
  ]),
  struct(
    'Meter',
    64,
    'A meter, for all workers together; its bands follow up to METER_BANDS_MAX. assembly/action/meter says how it counts.',
    [
      ['flags', 'u32', 'METER_FLAG bits; 0 for no such meter'],
      ['band_count', 'u32', ''],
      ['used', 'f64', 'microseconds: when the buckets were filled last'],
      ['packets', 'u64', 'that came to the meter'],
      ['bytes', 'u64', 'that came to the meter'],
      ['max_delta', 'f64', 'not used'],
      ['bands', 'bytes:320', 'MeterBand[METER_BANDS_MAX]'],
    ],
  ),
  struct('MeterBand', 8, 'A drop band of a meter.', [
    ['rate', 'u32', 'kilobits (1000 bits) or packets a second'],
    ['burst', 'u32', 'size of the bucket in kilobits or packets, with METER_FLAG_BURST; else one second of rate'],
    ['bucket', 'f64', 'tokens left: bits, or thousandths of a packet'],
    ['packets', 'u64', 'that this band dropped'],
    ['bytes', 'u64', 'that this band dropped'],
  ]),
  struct('UpcallSlot', 1024, 'A frame for the control side.', [
    ['type', 'u32', 'UPCALL type'],
    ['chunk', 'ptr', 'chunk held for this upcall: the control side owns it until EXECUTE or RELEASE'],
    ['data', 'ptr', 'first byte of the frame'],
    ['size', 'u32', 'bytes of the frame'],
    ['in_port', 'u32', ''],
    ['recirc_id', 'u32', ''],
    ['hash', 'u32', 'hash of the whole key'],
    ['packet_type', 'u32', ''],
    ['key_map', 'u64', ''],
    ['cut_size', 'u32', 'bytes that the receiver should see'],
    ['depth', 'u32', 'recirculations so far'],
    ['csum_start', 'u16', 'as in Packet'],
    ['csum_offset', 'u16', ''],
    ['gso_size', 'u16', ''],
    ['gso_type', 'u16', ''],
    ['pid', 'u32', 'of the userspace action'],
    ['tunnel_out_port', 'u32', 'of the userspace action'],
    ['userdata_size', 'u32', 'bytes'],
    ['tcp_flags', 'u32', ''],
    ['key', `bytes:${KEY_SIZE}`, 'the whole key'],
    ['userdata', `bytes:${limits.USERDATA_SIZE_MAX}`, ''],
  ]),
  struct('Control', 16, 'Header of a record on the control ring; records start at multiples of 16 and never wrap.', [
    ['type', 'u32', 'CONTROL type'],
    ['size', 'u32', 'bytes of the whole record, a multiple of 16'],
    ['status', 'u32', 'the worker’s answer: CONTROL_STATUS'],
    ['result', 'u32', 'the worker’s answer: flow id, or 0'],
  ]),
  struct(
    'FlowPut',
    16,
    'Behind Control: a megaflow. Then key_map’s blocks of the mask, as many of the key, then the actions.',
    [
      ['key_map', 'u64', 'blocks that the mask touches'],
      ['actions_size', 'u32', 'bytes'],
      ['cookie', 'u32', ''],
      ['flags', 'u32', 'bit 0: replace the actions of the flow with the same key and mask; else that is an error'],
      ['reserved', 'u32', ''],
    ],
  ),
  struct('FlowDelete', 16, 'Behind Control.', [
    ['id', 'u32', 'flow id'],
    ['generation', 'u32', 'of the flow, so that a later flow of the same id is safe'],
    ['packets', 'u64', 'the worker’s answer: final statistics'],
    ['bytes', 'u64', 'the worker’s answer'],
    ['used', 'f64', 'the worker’s answer'],
    ['tcp_flags', 'u32', 'the worker’s answer'],
  ]),
  struct(
    'Execute',
    16,
    'Behind Control: run a frame. Then the whole key (KEY_SIZE bytes, metadata blocks count), then the actions.',
    [
      ['chunk', 'ptr', 'the frame’s chunk; ownership passes to the worker'],
      ['data', 'ptr', ''],
      ['size', 'u32', 'bytes of the frame'],
      ['actions_size', 'u32', ''],
      ['key_map', 'u64', ''],
      ['packet_type', 'u32', ''],
      ['depth', 'u32', 'recirculations so far'],
      ['flow_id', 'u32', 'flow to credit the packet to, 0xffffffff for none'],
      [
        'flags',
        'u32',
        'bit 0: the frame was held for an upcall; bit 1: look it up as if it came from its in_port, actions are empty; ' +
          'bit 2: the frame follows the actions',
      ],
      ['csum_start', 'u16', 'as in Packet'],
      ['csum_offset', 'u16', ''],
      ['gso_size', 'u16', ''],
      ['gso_type', 'u16', ''],
    ],
  ),
  struct('Release', 16, 'Behind Control: a held frame that goes nowhere.', [
    ['chunk', 'ptr', ''],
    ['reason', 'u32', 'drop reason; 0 when the control side consumed it'],
  ]),
  struct('MeterSet', 16, 'Behind Control: a meter; its bands (MeterBand, rate and burst used) follow.', [
    ['meter_id', 'u32', ''],
    ['flags', 'u32', 'METER_FLAG bits; 0 deletes the meter'],
    ['band_count', 'u32', ''],
  ]),
];

/** Named numbers that both sides of the memory know. */
export const layoutConstants = {
  MAGIC: 0x54464557,
  /** Address of the Switch: what lies below is never used, so that a null pointer hits nothing. */
  SWITCH_BASE: 1024,
  KEY_SIZE,
  BLOCK_SIZE,
  NONE_U16: 0xffff,
  NONE_U32: 0xffffffff,
  PORT_STATE_PRESENT: 1,
  PORT_STATE_UP: 2,
  WORKER_FLAG_CACHE_OFF: 1,
  UPCALL_MISS: 0,
  UPCALL_ACTION: 1,
  UPCALL_CONTROLLER: 2,
  UPCALL_SLOW_PATH: 3,
  UPCALL_SAMPLE: 4,
  CONTROL_PAD: 0,
  CONTROL_FLOW_PUT: 1,
  CONTROL_FLOW_DELETE: 2,
  CONTROL_FLOW_FLUSH: 3,
  CONTROL_EXECUTE: 4,
  CONTROL_RELEASE: 5,
  CONTROL_METER_SET: 6,
  STATUS_PENDING: 0,
  STATUS_OK: 1,
  STATUS_EXISTS: 2,
  STATUS_NO_MEMORY: 3,
  STATUS_NO_SUBTABLE: 4,
  STATUS_NOT_FOUND: 5,
  STATUS_INVALID: 6,
  METER_FLAG_PRESENT: 1,
  METER_FLAG_KBPS: 2,
  METER_FLAG_BURST: 4,
  TUNNEL_PORT_GBP: 1,
  FLOW_PUT_REPLACE: 1,
  EXECUTE_HELD: 1,
  EXECUTE_LOOKUP: 2,
  /** The frame itself follows the actions, and the worker finds a chunk for it: `chunk` and `data` are 0. */
  EXECUTE_INLINE: 4,
  THREAD_STATE_NONE: 0,
  THREAD_STATE_RUNNING: 1,
  THREAD_STATE_PAUSED: 2,
  THREAD_STATE_STOPPED: 3,
  THREAD_ORDER_RUN: 0,
  THREAD_ORDER_PAUSE: 1,
  THREAD_ORDER_STOP: 2,
} as const;
