/** Limits and constants of the database server. */
export const ovsdbLimits = {
  /** Nested arrays and objects of one JSON text (the reference's limit). */
  JSON_DEPTH_MAX: 1000,
  /** Bytes of one JSON-RPC message; a peer that sends more is disconnected. */
  MESSAGE_SIZE_MAX: 256 * 1024 * 1024,
  /** Sessions at once over all remotes; a further one is closed. */
  SESSIONS_MAX: 10_000,
  /** Bytes that wait to be sent to a session before monitors hold their updates back and merge them. */
  BACKLOG_HELD_BACK: 256 * 1024,
  /** Bytes that wait to be sent to a session that does not read: beyond them it is disconnected. */
  BACKLOG_MAX: 512 * 1024 * 1024,
  /** Characters of answers that wait for the disk together. */
  HELD_MAX: 16 * 1024 * 1024,
  /** Transactions of one session that wait. */
  TRIGGERS_MAX: 10_000,
  /** Bytes of one record of a database file. */
  RECORD_SIZE_MAX: 512 * 1024 * 1024 - 1024,
  /** Bytes from which on a database file is compacted by itself, when it has also doubled since the last time. */
  COMPACT_SIZE_MIN: 10 * 1024 * 1024,
  /** Milliseconds between two compactions that nobody asked for. */
  COMPACT_INTERVAL_MIN: 600_000,
  /** Milliseconds after which a TCP peer that is silent is asked whether it is there, and after which it is dropped. */
  PROBE_INTERVAL: 5_000,
  /** Longest `max` of a set or map: "unlimited". */
  UNLIMITED: 4_294_967_295,
} as const;
