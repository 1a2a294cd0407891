//! Reads the binary workload that bench/workload-file.ts writes: frames, masks, megaflows, actions. Little-endian.

use crate::memory::load;
use crate::pipeline::{Config, Worker};

const MAGIC: u32 = 0x4254_4657;
const VERSION: u32 = 1;

/// Where a frame of the trace lies.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct FrameEntry {
    pub offset: u32,
    pub size: u16,
    pub in_port: u16,
}

pub struct Workload {
    bytes: Vec<u8>,
    pub frame_count: u32,
    pub port_count: u32,
    mask_count: u32,
    flow_count: u32,
    action_list_count: u32,
    pub cache_off: bool,
    frame_index: usize,
    frame_bytes: usize,
    masks: usize,
    flows: usize,
    actions_index: usize,
    actions: usize,
}

impl Workload {
    pub fn read(path: &str) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        if bytes.len() < 128 {
            return Err(format!("{path}: not a workload"));
        }
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")) as usize;
        if word(0) != MAGIC || word(4) != VERSION || long(80) != bytes.len() {
            return Err(format!("{path}: not a workload of version {VERSION}, or cut short"));
        }
        Ok(Self {
            frame_count: word(8),
            port_count: word(12),
            mask_count: word(16),
            flow_count: word(20),
            action_list_count: word(24),
            cache_off: word(28) != 0,
            frame_index: long(32),
            frame_bytes: long(40),
            masks: long(48),
            flows: long(56),
            actions_index: long(64),
            actions: long(72),
            bytes,
        })
    }

    pub fn config(&self, ring_entries: u32, chunks: u32, cache_entries: usize, cache_insert_inverse: u32) -> Config {
        let flows_size = self.actions_index - self.flows + self.flow_count as usize * 80;
        Config {
            ports: self.port_count,
            ring_entries,
            fill_target: 64,
            chunks,
            chunk_size: 2048,
            cache_entries,
            cache_insert_inverse,
            arena_size: flows_size + (1 << 20),
            packet_slots: 512,
        }
    }

    /// Installs every megaflow. Their actions stay where the file was read to.
    pub fn install(&self, worker: &mut Worker) {
        let mut block_counts = Vec::new();
        let mut at = self.masks;
        for _ in 0..self.mask_count {
            let map = self.u64_at(at);
            let blocks = self.u32_at(at + 8) as usize;
            worker.classifier.add_subtable(map, &self.bytes[at + 16..at + 16 + blocks * 16]);
            block_counts.push(blocks);
            at += 16 + blocks * 16;
        }
        let mut at = self.flows;
        for _ in 0..self.flow_count {
            let mask = self.u32_at(at) as usize;
            let list = self.actions_index + self.u32_at(at + 4) as usize * 8;
            let start = self.actions + self.u32_at(list) as usize;
            let size = self.u32_at(list + 4);
            let end = at + 16 + block_counts[mask] * 16;
            let actions = self.bytes[start..start + size as usize].as_ptr();
            worker.classifier.insert(&mut worker.arena, mask, &self.bytes[at + 16..end], actions, size);
            at = end;
        }
        assert!(self.action_list_count > 0 || self.flow_count == 0, "flows without actions");
        worker.cache_off = self.cache_off;
    }

    #[inline(always)]
    pub fn frame(&self, index: u32) -> FrameEntry {
        debug_assert!(index < self.frame_count);
        // SAFETY: the index of frames has frame_count entries of eight bytes.
        unsafe { load(self.bytes.as_ptr().add(self.frame_index + index as usize * 8)) }
    }

    #[inline(always)]
    pub fn frame_bytes(&self, entry: FrameEntry) -> *const u8 {
        // SAFETY: offsets in the index lie inside the frame section.
        unsafe { self.bytes.as_ptr().add(self.frame_bytes + entry.offset as usize) }
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"))
    }
}
