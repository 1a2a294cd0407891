//! One burst in three passes: parse and hash | look up | group by megaflow and act.

use crate::actions;
use crate::cache::{Cache, Worth};
use crate::classifier::{Classifier, Flow};
use crate::hash::hash_key;
use crate::layout::*;
use crate::memory::{Arena, place, prefetch};
use crate::packet::{NONE, Packet, PacketSlots};
use crate::parse::parse;
use crate::rings::{Descriptor, Port};

#[derive(Default, Clone)]
pub struct Counters {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub recirculated_packets: u64,
    pub cache_hits: u64,
    pub megaflow_hits: u64,
    pub misses: u64,
    pub subtables_visited: u64,
    pub bursts: u64,
}

pub struct Config {
    pub ports: u32,
    pub ring_entries: u32,
    pub fill_target: u32,
    pub chunks: u32,
    pub chunk_size: u32,
    pub cache_entries: usize,
    pub cache_insert_inverse: u32,
    pub arena_size: usize,
    pub packet_slots: usize,
}

pub struct Worker {
    pub frames: *mut u8,
    pub chunk_size: u32,
    fill_target: u32,
    pub ports: Vec<Port>,
    pub arena: Arena,
    pub classifier: Classifier,
    pub cache: Cache,
    worth: Worth,
    pub cache_off: bool,
    pub counters: Counters,
    pub drops: [u64; 64],
    slots: PacketSlots,
    free_chunks: Vec<u32>,
    dirty_ports: u32,
    now: f64,
    /// Ports that the last call wrote to: the devices to kick.
    pub flushed: Vec<u32>,
}

const BURST: usize = BURST_MAX as usize;
const META_BLOCKS: u64 = !((1 << KEY_META_BLOCK_FIRST) - 1);

impl Worker {
    pub fn new(config: &Config) -> Self {
        let frames = place(config.chunks as usize * config.chunk_size as usize, 4096);
        let mut free_chunks: Vec<u32> = (0..config.chunks).rev().map(|i| i * config.chunk_size).collect();
        free_chunks.reserve_exact(config.chunks as usize);
        Self {
            frames,
            chunk_size: config.chunk_size,
            fill_target: config.fill_target.min(config.ring_entries),
            ports: (0..=config.ports).map(|_| Port::new(config.ring_entries)).collect(),
            arena: Arena::new(config.arena_size),
            classifier: Classifier::new(),
            cache: Cache::new(config.cache_entries, config.cache_insert_inverse),
            worth: Worth::default(),
            cache_off: false,
            counters: Counters::default(),
            drops: [0; 64],
            slots: PacketSlots::new(config.packet_slots),
            free_chunks,
            dirty_ports: 0,
            now: 0.0,
            flushed: Vec::with_capacity(config.ports as usize + 1),
        }
    }

    /// Moves at most a burst of a port's frames. Returns frames taken.
    pub fn process(&mut self, port: u32, now: f64) -> u32 {
        self.now = now;
        let count = self.receive(port);
        self.refill(port);
        self.publish();
        count
    }

    fn receive(&mut self, number: u32) -> u32 {
        let mut list = [std::ptr::null_mut::<Packet>(); BURST];
        let port = &mut self.ports[number as usize];
        let from = port.rx.consumer();
        let count = port.rx.producer().wrapping_sub(from).min(BURST_MAX);
        if count == 0 {
            return 0;
        }
        let mut bytes = 0;
        for i in 0..count {
            let Descriptor { address, size, .. } = port.rx.get(from.wrapping_add(i));
            let packet = self.slots.take();
            assert!(!packet.is_null(), "a burst takes no more packets than there are slots");
            // SAFETY: the slot is ours until it is given back; the descriptor is one that the device made.
            unsafe {
                let p = &mut *packet;
                p.data = self.frames.add(address as usize);
                prefetch(p.data);
                p.size = size;
                p.chunk = address as u32 & !(self.chunk_size - 1);
                p.in_port = number;
                p.recirc_id = 0;
                p.packet_type = 0;
                p.depth = 0;
                if p.key_map & META_BLOCKS != 0 {
                    clear_meta(p);
                }
            }
            bytes += size as u64;
            list[i as usize] = packet;
        }
        port.rx.release(from.wrapping_add(count));
        port.rx_packets += count as u64;
        port.rx_bytes += bytes;
        self.counters.rx_packets += count as u64;
        self.counters.bursts += 1;
        unsafe { self.process_list(&mut list[..count as usize]) };
        count
    }

    /// The three passes. Called for a burst, and again for packets that recirculate.
    pub unsafe fn process_list(&mut self, list: &mut [*mut Packet]) {
        unsafe {
            let count = self.parse_list(list);
            let count = self.look_up(list, count);
            self.act(&list[..count]);
        }
    }

    #[inline(always)]
    unsafe fn parse_list(&mut self, list: &mut [*mut Packet]) -> usize {
        let mut kept = 0;
        for i in 0..list.len() {
            unsafe {
                let packet = list[i];
                let reason = parse(&mut *packet);
                if reason != 0 {
                    self.drop(packet, reason);
                    continue;
                }
                (*packet).hash = hash_key((*packet).key, (*packet).key_map);
                *list.get_unchecked_mut(kept) = packet;
                kept += 1;
            }
        }
        kept
    }

    /// Second pass: the flow of each packet. Returns how many have one; they stay at the list's front.
    #[inline(always)]
    unsafe fn look_up(&mut self, list: &mut [*mut Packet], count: usize) -> usize {
        let mut waiting = [std::ptr::null_mut::<Packet>(); BURST];
        unsafe {
            if self.cache_off || !self.worth.is_asked() {
                waiting[..count].copy_from_slice(&list[..count]);
                waiting[..count].iter().for_each(|&packet| (*packet).flow = 0);
                self.classify(&mut waiting, count);
                return self.refuse_missed(list, count);
            }
            let left = self.ask_cache(&list[..count], &mut waiting);
            self.counters.cache_hits += (count - left) as u64;
            let (mut visits, mut inserted) = (0, 0);
            if left != 0 {
                let looked_up = waiting;
                visits = self.classify(&mut waiting, left);
                for &packet in &looked_up[..left] {
                    if (*packet).flow != 0 && self.cache.insert((*packet).hash, (*packet).flow) {
                        inserted += 1;
                    }
                }
            }
            self.worth.note(count as u64, (count - left) as u64, visits, inserted);
            if left == 0 { count } else { self.refuse_missed(list, count) }
        }
    }

    /// Gathers the packets that the cache knows nothing of in `missed`. Returns how many those are.
    #[inline(always)]
    unsafe fn ask_cache(&mut self, list: &[*mut Packet], missed: &mut [*mut Packet; BURST]) -> usize {
        let mut left = 0;
        unsafe {
            for &packet in list {
                (*packet).flow = self.cache.propose(&self.arena, (*packet).hash);
            }
            for &packet in list {
                let flow = (*packet).flow;
                if flow != 0 {
                    if Cache::verify(&self.arena, flow, packet) {
                        continue;
                    }
                    (*packet).flow = self.cache.find_elsewhere(&self.arena, packet);
                    if (*packet).flow != 0 {
                        continue;
                    }
                }
                missed[left] = packet;
                left += 1;
            }
        }
        left
    }

    /// Looks a list up in the megaflows. Returns how many subtables were visited.
    #[inline(never)]
    unsafe fn classify(&mut self, waiting: &mut [*mut Packet; BURST], count: usize) -> u64 {
        let mut visits = 0;
        let missed = unsafe { self.classifier.look_up(&self.arena, waiting, count, &mut visits) };
        self.counters.subtables_visited += visits;
        self.counters.megaflow_hits += (count - missed) as u64;
        self.counters.misses += missed as u64;
        visits
    }

    /// Nobody answers upcalls here. Returns how many packets are left.
    unsafe fn refuse_missed(&mut self, list: &mut [*mut Packet], count: usize) -> usize {
        let mut kept = 0;
        for i in 0..count {
            let packet = list[i];
            if unsafe { (*packet).flow } == 0 {
                self.drop(packet, DROP_UPCALL_REFUSED);
            } else {
                list[kept] = packet;
                kept += 1;
            }
        }
        kept
    }

    #[inline(always)]
    unsafe fn act(&mut self, list: &[*mut Packet]) {
        unsafe {
            let mut flows = [0u32; BURST];
            let mut counts = [0usize; BURST];
            let mut batches = 0;
            let mut groups = [0u8; BURST];
            for (i, &packet) in list.iter().enumerate() {
                let handle = (*packet).flow;
                let flow = &mut *self.arena.at::<Flow>(handle);
                let mut batch = flow.batch as usize;
                // batch is a leftover of some earlier burst: believed only when it points back
                if batch >= batches || flows[batch] != handle {
                    batch = batches;
                    batches += 1;
                    flows[batch] = handle;
                    counts[batch] = 0;
                    flow.batch = batch as u32;
                }
                counts[batch] += 1;
                groups[i] = batch as u8;
                flow.bytes += (*packet).size as u64;
                flow.tcp_flags |= (*packet).tcp_flags;
            }
            let mut starts = [0usize; BURST];
            let mut start = 0;
            for batch in 0..batches {
                starts[batch] = start;
                start += counts[batch];
            }
            let mut sorted = [std::ptr::null_mut::<Packet>(); BURST];
            let mut ends = starts;
            for (i, &packet) in list.iter().enumerate() {
                let batch = groups[i] as usize;
                sorted[ends[batch]] = packet;
                ends[batch] += 1;
            }
            for batch in 0..batches {
                let flow = &mut *self.arena.at::<Flow>(flows[batch]);
                flow.packets += counts[batch] as u64;
                flow.used = self.now;
                let group = &mut sorted[starts[batch]..ends[batch]];
                actions::run(self, group, flow.actions, flow.actions_size);
            }
        }
    }

    /// Puts a frame on a port's transmit ring, or drops it.
    #[inline(always)]
    pub fn transmit(&mut self, packet: *mut Packet, number: u32) {
        // SAFETY: the packet is live and leaves here.
        unsafe {
            if number as usize >= self.ports.len() {
                return self.drop(packet, DROP_OUTPUT_NO_PORT);
            }
            let port = &mut *self.ports.as_mut_ptr().add(number as usize);
            if !port.is_up {
                return self.drop(packet, DROP_OUTPUT_DOWN);
            }
            // 14 bytes of Ethernet and a tag
            if (*packet).size > port.mtu + 18 {
                return self.drop(packet, DROP_OUTPUT_MTU);
            }
            let at = port.tx_reserved;
            // counted from the completion ring, so that it cannot overflow
            if at.wrapping_sub(port.comp.consumer()) > port.tx.mask {
                self.recycle(number);
                if at.wrapping_sub(port.comp.consumer()) > port.tx.mask {
                    port.tx_dropped += 1;
                    return self.drop(packet, DROP_OUTPUT_RING_FULL);
                }
            }
            let address = (*packet).data.offset_from(self.frames) as u64;
            port.tx.set(at, Descriptor { address, size: (*packet).size, options: 0 });
            port.tx_reserved = at.wrapping_add(1);
            port.tx_bytes += (*packet).size as u64;
            port.tx_packets += 1;
            if !port.is_dirty {
                port.is_dirty = true;
                port.dirty_next = self.dirty_ports;
                self.dirty_ports = number + 1;
            }
        }
        self.slots.give(packet);
    }

    #[cold]
    pub fn drop(&mut self, packet: *mut Packet, reason: u32) {
        self.drops[reason as usize] += 1;
        // SAFETY: the packet is live and ends here.
        self.free_chunks.push(unsafe { (*packet).chunk });
        self.slots.give(packet);
    }

    /// Chunks that the device sent come back to the free stack.
    fn recycle(&mut self, number: u32) {
        let port = &mut self.ports[number as usize];
        let from = port.comp.consumer();
        let end = port.comp.producer();
        let mut at = from;
        while at != end {
            self.free_chunks.push(port.comp.get(at) as u32);
            at = at.wrapping_add(1);
        }
        port.comp.release(end);
    }

    /// Gives the device free chunks until so many as it should have wait on its fill ring.
    pub fn refill(&mut self, number: u32) {
        let port = &mut self.ports[number as usize];
        let mut at = port.fill.producer();
        let room = self.fill_target - at.wrapping_sub(port.fill.consumer());
        let count = room.min(self.free_chunks.len() as u32);
        for _ in 0..count {
            if let Some(chunk) = self.free_chunks.pop() {
                port.fill.set(at, chunk as u64);
                at = at.wrapping_add(1);
            }
        }
        port.fill.publish(at);
    }

    /// Shows the devices what was written in this burst, and takes back what they had sent.
    fn publish(&mut self) {
        self.flushed.clear();
        let mut next = self.dirty_ports;
        self.dirty_ports = 0;
        while next != 0 {
            let number = next - 1;
            let port = &mut self.ports[number as usize];
            let sent = port.tx_reserved.wrapping_sub(port.tx.producer());
            port.tx.publish(port.tx_reserved);
            self.counters.tx_packets += sent as u64;
            port.is_dirty = false;
            next = port.dirty_next;
            self.flushed.push(number);
            self.recycle(number);
        }
    }
}

/// Tunnel and other metadata of an earlier packet of this slot.
#[cold]
fn clear_meta(packet: &mut Packet) {
    let mut blocks = packet.key_map & META_BLOCKS;
    while blocks != 0 {
        // SAFETY: a block's number is below KEY_BLOCK_COUNT.
        unsafe { packet.key.add(blocks.trailing_zeros() as usize * 16).write_bytes(0, 16) };
        blocks &= blocks - 1;
    }
    packet.key_map &= !META_BLOCKS;
    packet.l3_offset = NONE;
}
