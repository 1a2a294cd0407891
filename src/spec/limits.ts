/** Every limit of the datapath, in items or bytes; each has a counter or an error for when it is hit. */
export const limits = {
  /** Frames in one burst. */
  BURST_MAX: 32,
  /** Datapath ports; a port number is an index. */
  PORTS_MAX: 4096,
  /** Queues of one port. */
  QUEUES_MAX: 32,
  /** Queues of all ports together, each port's first left out. */
  FURTHER_QUEUES_MAX: 1024,
  /** Passes of one packet through the pipeline by recirculation (Open vSwitch: 6). */
  RECIRC_DEPTH_MAX: 6,
  /** Nested action lists: clone, sample, check_pkt_len, recirculation. */
  ACTION_DEPTH_MAX: 16,
  /** Bytes of one encoded action list. */
  ACTIONS_SIZE_MAX: 16384,
  /** Subtables of one worker's classifier. */
  SUBTABLES_MAX: 4096,
  /** Slots of the upcall ring. */
  UPCALL_SLOTS: 1024,
  /** Bytes of user data that a userspace action may carry. */
  USERDATA_SIZE_MAX: 256,
  /** Bytes of the control ring. */
  CONTROL_RING_SIZE: 1048576,
  /** Workers of one datapath: a bit each in a u32. */
  WORKERS_MAX: 32,
  /** Frames under way from one worker to another, chunks on their way back included. */
  HAND_OVER_ENTRIES: 512,
  /** Meters, which all workers share. */
  METERS_MAX: 4096,
  METER_BANDS_MAX: 8,
  /** Bytes in front of a frame's first byte in its chunk: the room for pushed headers (XDP_PACKET_HEADROOM). */
  HEADROOM: 256,
  /** Bytes of Geneve options kept. */
  TUNNEL_OPTIONS_SIZE_MAX: 252,
  VLAN_TAGS_MAX: 2,
  MPLS_LABELS_MAX: 3,
  /** Bytes of the header that tnl_push writes. */
  TUNNEL_HEADER_SIZE_MAX: 512,
} as const;
