//! Frame → flow key: the same fields in the same places as assembly/packet/parse.

use crate::layout::*;
use crate::memory::{load, load_be16, store};
use crate::packet::{NONE, Packet};

const BLOCKS_BASIC: u64 = 1 << BLOCK_BASE | 1 << BLOCK_ETHERNET | 1 << BLOCK_IPV4;
const HEADER_BLOCKS: u64 = (1 << KEY_META_BLOCK_FIRST) - 1;
const IPPROTO_ICMP: u32 = 1;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
const IPPROTO_ICMPV6: u32 = 58;
const IPPROTO_SCTP: u32 = 132;

/// What the layers above Ethernet put into the first three blocks.
#[derive(Default)]
struct Upper {
    proto: u32,
    frag: u32,
    addresses: u64,
    ports: u32,
    tos: u32,
    ttl: u32,
    tcp_flags: u32,
    map: u64,
}

#[inline(always)]
fn is_vlan(ethertype_be: u16) -> bool {
    ethertype_be == 0x0081 || ethertype_be == 0xa888
}

/// Stores a plain packet's three blocks, sixteen bytes each: hashing them loads as much at once.
#[inline(always)]
unsafe fn store_plain(key: *mut u8, blocks: [(u64, u64); 3]) {
    use std::arch::x86_64::{_mm_set_epi64x, _mm_store_si128};
    for (i, (low, high)) in blocks.into_iter().enumerate() {
        unsafe { _mm_store_si128(key.add(i * 16).cast(), _mm_set_epi64x(high as i64, low as i64)) };
    }
}

/// Parses the frame into its key slot. Returns 0 or a drop reason.
#[inline(always)]
pub unsafe fn parse(packet: &mut Packet) -> u32 {
    unsafe {
        let size = packet.size as usize;
        if size < 14 {
            return DROP_RX_RUNT;
        }
        let data = packet.data;
        let key = packet.key;
        let old_map = packet.key_map;
        let mut map = old_map & !HEADER_BLOCKS | BLOCKS_BASIC;
        let macs_low = load::<u64>(data);
        let macs_high = load::<u32>(data.add(8)) as u64;
        let mut at = 12;
        let mut ethertype = load::<u16>(data.add(12));
        let mut tag = 0u64;
        if is_vlan(ethertype) && size >= 18 {
            tag = ethertype as u64 | ((load::<u16>(data.add(14)) | 0x0010) as u64) << 16;
            at = 16;
            ethertype = load(data.add(16));
            if is_vlan(ethertype) && size >= 22 {
                let inner = ethertype as u32 | ((load::<u16>(data.add(18)) | 0x0010) as u32) << 16;
                store(key.add(KEY_VLAN2_TPID), inner as u64);
                store(key.add(KEY_VLAN2_TPID + 8), 0u64);
                map |= 1 << BLOCK_INNER_TAGS;
                at = 20;
                ethertype = load(data.add(20));
            }
        }
        let l3 = at + 2;
        let mut upper = Upper::default();
        packet.l25_offset = NONE;
        packet.l4_offset = NONE;
        packet.l3_offset = l3 as u16;
        packet.l2_pad = 0;
        packet.tcp_flags = 0;
        match ethertype {
            0x0008 => ipv4(packet, l3, &mut upper),
            0xdd86 => ipv6(packet, l3, &mut upper),
            0x0608 => arp(packet, l3, &mut upper),
            _ if u16::from_be(ethertype) < 0x600 => ethertype = (ETH_TYPE_NONE as u16).to_be(),
            _ => {}
        }
        map |= upper.map;
        let low = packet.in_port as u64 | (packet.recirc_id as u64) << 32;
        let types = (ethertype as u64) << 32 | (upper.proto as u64) << 48 | (upper.frag as u64) << 56;
        let tail = (upper.tos as u64) << 32 | (upper.ttl as u64) << 40 | (upper.tcp_flags as u64) << 48;
        store_plain(
            key,
            [
                (low, packet.packet_type as u64 | types),
                (macs_low, macs_high | tag << 32),
                (upper.addresses, upper.ports as u64 | tail),
            ],
        );
        let stale = old_map & !map & HEADER_BLOCKS;
        if stale != 0 {
            clear(key, stale);
        }
        packet.key_map = map;
        0
    }
}

/// Zeroes the blocks that an earlier packet of this slot left.
#[cold]
unsafe fn clear(key: *mut u8, mut blocks: u64) {
    while blocks != 0 {
        let block = blocks.trailing_zeros() as usize;
        unsafe { key.add(block * 16).write_bytes(0, 16) };
        blocks &= blocks - 1;
    }
}

#[inline(always)]
unsafe fn ipv4(packet: &mut Packet, l3: usize, upper: &mut Upper) {
    unsafe {
        let left = packet.size as usize - l3;
        if left < 20 {
            return;
        }
        let ip = packet.data.add(l3);
        let version_ihl = *ip as usize;
        let header = (version_ihl & 15) * 4;
        let total = load_be16(ip.add(2)) as usize;
        if version_ihl >> 4 != 4 || header < 20 || total < header || total > left {
            return;
        }
        packet.l2_pad = (left - total) as u16;
        upper.addresses = load(ip.add(12));
        upper.tos = *ip.add(1) as u32;
        upper.ttl = *ip.add(8) as u32;
        upper.proto = *ip.add(9) as u32;
        let fragment = load_be16(ip.add(6));
        if fragment & 0x3fff != 0 {
            upper.frag = FRAG_ANY;
            if fragment & 0x1fff != 0 {
                upper.frag |= FRAG_LATER;
                return;
            }
        }
        transport(packet, l3 + header, l3 + total, upper);
    }
}

#[inline(always)]
unsafe fn transport(packet: &mut Packet, l4: usize, end: usize, upper: &mut Upper) {
    unsafe {
        let left = end.wrapping_sub(l4);
        let at = packet.data.add(l4);
        match upper.proto {
            IPPROTO_UDP if left >= 8 => upper.ports = load(at),
            IPPROTO_TCP if left >= 20 => {
                upper.ports = load(at);
                let flags = load::<u16>(at.add(12)) & 0xff0f;
                upper.tcp_flags = flags as u32;
                packet.tcp_flags = u16::from_be(flags);
            }
            IPPROTO_SCTP if left >= 12 => upper.ports = load(at),
            IPPROTO_ICMP | IPPROTO_ICMPV6 if left >= 4 => {
                upper.ports = (*at as u32) << 8 | (*at.add(1) as u32) << 24;
            }
            _ => {}
        }
        packet.l4_offset = l4 as u16;
    }
}

#[inline(never)]
unsafe fn ipv6(packet: &mut Packet, l3: usize, upper: &mut Upper) {
    unsafe {
        let left = packet.size as usize - l3;
        if left < 40 {
            return;
        }
        let ip = packet.data.add(l3);
        let payload = load_be16(ip.add(4)) as usize;
        if *ip >> 4 != 6 || payload + 40 > left {
            return;
        }
        packet.l2_pad = (left - 40 - payload) as u16;
        let key = packet.key;
        store(key.add(KEY_IPV6_SRC), load::<[u64; 4]>(ip.add(8)));
        upper.map = 1 << BLOCK_IPV6_SRC | 1 << BLOCK_IPV6_DST;
        let first = u32::from_be(load::<u32>(ip));
        let label = first & 0xfffff;
        if label != 0 {
            store(key.add(KEY_ARP_SHA), [0u64, (label.to_be() as u64) << 32]);
            upper.map |= 1 << BLOCK_ARP_ND;
        }
        upper.tos = first >> 20 & 0xff;
        upper.ttl = *ip.add(7) as u32;
        upper.proto = *ip.add(6) as u32;
        let end = l3 + 40 + payload;
        let mut at = l3 + 40;
        // hop-by-hop, routing, destination options, then a fragment header
        while matches!(upper.proto, 0 | 43 | 60) && at + 8 <= end {
            let header = packet.data.add(at);
            upper.proto = *header as u32;
            at += (*header.add(1) as usize + 1) * 8;
        }
        if upper.proto == 44 && at + 8 <= end {
            let header = packet.data.add(at);
            upper.proto = *header as u32;
            upper.frag = FRAG_ANY;
            at += 8;
            if load_be16(header.add(2)) & 0xfff8 != 0 {
                upper.frag |= FRAG_LATER;
                return;
            }
        }
        if at <= end {
            transport(packet, at, end, upper);
        }
    }
}

#[inline(never)]
unsafe fn arp(packet: &mut Packet, l3: usize, upper: &mut Upper) {
    unsafe {
        let at = packet.data.add(l3);
        if packet.size as usize - l3 < 28 || load::<u64>(at) & 0x0000_ffff_ffff_ffff != 0x0000_0406_0008_0100 {
            return;
        }
        let operation = load_be16(at.add(6));
        upper.proto = if operation <= 0xff { operation } else { 0 };
        upper.addresses = load::<u32>(at.add(14)) as u64 | (load::<u32>(at.add(24)) as u64) << 32;
        let key = packet.key;
        store(key.add(KEY_ARP_SHA), load::<[u16; 3]>(at.add(8)));
        store(key.add(KEY_ARP_THA), load::<[u16; 3]>(at.add(18)));
        store(key.add(KEY_IPV6_LABEL), 0u32);
        upper.map = 1 << BLOCK_ARP_ND;
    }
}
