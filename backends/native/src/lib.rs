//! Packet I/O for Weft, as a Node addon.
//!
//! What. Devices that work the same four rings as the TypeScript devices (src/netdev/rings.ts), in the datapath's linear
//! memory. Functions get a Uint8Array over that memory and byte offsets into it, never the buffer itself.
//!
//! Terms are those of src/netdev/netdev.ts. umem.rs states the law of who owns a chunk.
//!
//! Invariants. A frame on an rx ring has complete checksums and is no longer than a chunk, whatever the kernel handed over.
//! A device that is dropped or closed leaves its chunks on its rings and its descriptors closed.
//!
//! Not supported: systems other than Linux; one port used by two threads.

mod bell;
mod bind;
mod bpf;
mod checksum;
mod counts;
mod cut;
mod error;
mod fanout;
mod fd;
mod frames;
mod handover;
mod headers;
mod interface;
mod link;
mod merge;
mod netlink;
mod packet;
mod receive;
mod ring;
mod rings_map;
mod segment;
mod send;
mod socket;
mod tap;
mod umem;
mod vnet;
mod wait;
mod waker;
