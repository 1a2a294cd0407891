//! Actions over a group of packets of one megaflow: each record of the list is read once and done on all of them.

use crate::layout::*;
use crate::memory::{load, load_be16, store};
use crate::packet::{NONE, Packet};
use crate::pipeline::Worker;

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
#[inline(always)]
fn checksum_update(checksum: u16, old: u32, new: u32) -> u16 {
    let mut sum = (!checksum) as u32 + (!old & 0xffff) + (new & 0xffff) + (!old >> 16) + (new >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

#[inline(always)]
unsafe fn set_eth(packet: *mut Packet, act: *const u8) {
    unsafe {
        let data = (*packet).data;
        let low = load::<u64>(act.add(ACT_SET_ETH_DST));
        let high = load::<u32>(act.add(ACT_SET_ETH_DST + 8));
        let low_mask = load::<u64>(act.add(ACT_SET_ETH_DST_MASK));
        let high_mask = load::<u32>(act.add(ACT_SET_ETH_DST_MASK + 8));
        store(data, load::<u64>(data) & !low_mask | low);
        store(data.add(8), load::<u32>(data.add(8)) & !high_mask | high);
    }
}

unsafe fn fix_l4(packet: *mut Packet, proto: u8, old: u32, new: u32) {
    unsafe {
        if (*packet).l4_offset == NONE {
            return;
        }
        let l4 = (*packet).data.add((*packet).l4_offset as usize);
        let at = match proto {
            6 => l4.add(16),
            17 if load::<u16>(l4.add(6)) != 0 => l4.add(6),
            _ => return,
        };
        let sum = checksum_update(load(at), old, new);
        store(at, if proto == 17 && sum == 0 { 0xffff } else { sum });
    }
}

#[inline(always)]
unsafe fn set_ipv4(packet: *mut Packet, act: *const u8) {
    unsafe {
        if (*packet).l3_offset == NONE {
            return;
        }
        let ip = (*packet).data.add((*packet).l3_offset as usize);
        let mut checksum = load::<u16>(ip.add(10));
        for (field, at) in [(ACT_SET_IPV4_SRC, 12), (ACT_SET_IPV4_DST, 16)] {
            let mask = load::<u32>(act.add(field - ACT_SET_IPV4_SRC + ACT_SET_IPV4_SRC_MASK));
            if mask != 0 {
                let old = load::<u32>(ip.add(at));
                let new = old & !mask | load::<u32>(act.add(field));
                checksum = checksum_update(checksum, old, new);
                fix_l4(packet, *ip.add(9), old, new);
                store(ip.add(at), new);
            }
        }
        let tos_mask = *act.add(ACT_SET_IPV4_TOS_MASK);
        if tos_mask != 0 {
            let old = load::<u16>(ip) as u32;
            let new = old & !((tos_mask as u32) << 8) | (*act.add(ACT_SET_IPV4_TOS) as u32) << 8;
            checksum = checksum_update(checksum, old, new);
            store(ip, new as u16);
        }
        let ttl_mask = *act.add(ACT_SET_IPV4_TTL_MASK);
        if ttl_mask != 0 {
            let old = load::<u16>(ip.add(8)) as u32;
            let new = old & !(ttl_mask as u32) | *act.add(ACT_SET_IPV4_TTL) as u32;
            checksum = checksum_update(checksum, old, new);
            store(ip.add(8), new as u16);
        }
        store(ip.add(10), checksum);
    }
}

/// Hop limit and traffic class only: what the workloads ask for. Addresses would need the L4 checksum too.
unsafe fn set_ipv6(packet: *mut Packet, act: *const u8) {
    unsafe {
        if (*packet).l3_offset == NONE {
            return;
        }
        let ip = (*packet).data.add((*packet).l3_offset as usize);
        let mask = *act.add(ACT_SET_IPV6_HLIMIT_MASK);
        *ip.add(7) = *ip.add(7) & !mask | *act.add(ACT_SET_IPV6_HLIMIT);
    }
}

fn move_offsets(packet: &mut Packet, by: i16) {
    for offset in [&mut packet.l25_offset, &mut packet.l3_offset, &mut packet.l4_offset] {
        if *offset != NONE {
            *offset = offset.wrapping_add_signed(by);
        }
    }
}

unsafe fn push_vlan(packet: &mut Packet, act: *const u8) {
    unsafe {
        let macs = load::<[u32; 3]>(packet.data);
        packet.data = packet.data.sub(4);
        packet.size += 4;
        store(packet.data, macs);
        store(packet.data.add(12), load::<u16>(act.add(ACT_PUSH_VLAN_TPID)));
        store(packet.data.add(14), load::<u16>(act.add(ACT_PUSH_VLAN_TCI)) & !0x0010);
        move_offsets(packet, 4);
    }
}

unsafe fn pop_vlan(packet: &mut Packet) {
    unsafe {
        let macs = load::<[u32; 3]>(packet.data);
        packet.data = packet.data.add(4);
        packet.size -= 4;
        store(packet.data, macs);
        move_offsets(packet, -4);
    }
}

/// Whether the checksum of an IPv4 header without options is right (RFC 1071).
unsafe fn is_header_whole(ip: *const u8) -> bool {
    let words: [u32; 5] = unsafe { load(ip) };
    let sum: u64 = words.iter().map(|&word| word as u64).sum();
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum == 0xffff
}

/// Takes Geneve's outer headers off and leaves their fields in the tunnel blocks of the key.
unsafe fn tnl_pop(packet: &mut Packet, port: u32) -> u32 {
    unsafe {
        if packet.l3_offset == NONE || packet.l4_offset == NONE {
            return DROP_TUNNEL_POP;
        }
        let ip = packet.data.add(packet.l3_offset as usize);
        let udp = packet.data.add(packet.l4_offset as usize);
        let geneve = udp.add(8);
        let left = packet.size as usize - packet.l4_offset as usize;
        if left < 16 || *ip != 0x45 || !is_header_whole(ip) || load_be16(udp.add(2)) != 6081 || *geneve >> 6 != 0 {
            return DROP_TUNNEL_POP;
        }
        let options = (*geneve as usize & 63) * 4;
        if left < 16 + options + 14 || load::<u16>(geneve.add(2)) != 0x5865 {
            return DROP_TUNNEL_POP_LENGTH;
        }
        let key = packet.key;
        // the VNI is the low three bytes of the 64-bit key, in network order
        let vni = load::<[u8; 3]>(geneve.add(4));
        store(key.add(KEY_TUN_ID), [0, 0, 0, 0, 0, vni[0], vni[1], vni[2]]);
        store(key.add(KEY_TUN_SRC), load::<u64>(ip.add(12)));
        let has_checksum = load::<u16>(udp.add(6)) != 0;
        let is_whole = *ip.add(6) & 0x40 != 0;
        let flags = TUNNEL_FLAG_KEY
            | if has_checksum { TUNNEL_FLAG_CSUM } else { 0 }
            | if is_whole { TUNNEL_FLAG_DONT_FRAGMENT } else { 0 };
        store(key.add(KEY_TUN_FLAGS), flags as u16);
        *key.add(KEY_TUN_TOS) = *ip.add(1);
        *key.add(KEY_TUN_TTL) = *ip.add(8);
        store(key.add(KEY_TUN_TP_SRC), load::<u32>(udp));
        store(key.add(KEY_TUN_GBP_ID), [0u8, 0, 0, options as u8]);
        packet.key_map |= 1 << BLOCK_TUN | 1 << BLOCK_TUN_MORE;
        if options > 0 {
            std::ptr::copy_nonoverlapping(geneve.add(8), key.add(KEY_TUN_OPTS), options);
            packet.key_map |= ((1u64 << options.div_ceil(16)) - 1) << BLOCK_TUN_OPTS;
        }
        let inner = geneve.add(8 + options);
        packet.size -= inner.offset_from(packet.data) as u32;
        packet.data = inner;
        packet.in_port = port;
        0
    }
}

/// Does a flow's actions on its packets and consumes every one of them. The last output takes the frame itself.
pub unsafe fn run(worker: &mut Worker, list: &mut [*mut Packet], actions: *const u8, size: u32) {
    let mut at = 0;
    while at < size as usize {
        unsafe {
            let act = actions.add(at);
            let kind = load::<u16>(act) as u32;
            at += load::<u16>(act.add(2)) as usize;
            match kind {
                ACT_SET_ETH => list.iter().for_each(|&p| set_eth(p, act)),
                ACT_SET_IPV4 => list.iter().for_each(|&p| set_ipv4(p, act)),
                ACT_SET_IPV6 => list.iter().for_each(|&p| set_ipv6(p, act)),
                ACT_PUSH_VLAN => list.iter().for_each(|&p| push_vlan(&mut *p, act)),
                ACT_POP_VLAN => list.iter().for_each(|&p| pop_vlan(&mut *p)),
                ACT_OUTPUT if at >= size as usize => {
                    let port = load::<u32>(act.add(ACT_OUTPUT_PORT));
                    list.iter().for_each(|&p| worker.transmit(p, port));
                    return;
                }
                ACT_TNL_POP => return pop_and_look_up(worker, list, load(act.add(ACT_TNL_POP_PORT))),
                _ => {
                    list.iter().for_each(|&p| worker.drop(p, DROP_ACTION_UNKNOWN));
                    return;
                }
            }
        }
    }
    list.iter().for_each(|&p| worker.drop(p, DROP_EXPLICIT));
}

unsafe fn pop_and_look_up(worker: &mut Worker, list: &mut [*mut Packet], port: u32) {
    let mut count = 0;
    for i in 0..list.len() {
        let packet = list[i];
        // SAFETY: the packets of a group are live, each in its own slot.
        let (reason, depth) = unsafe {
            (*packet).depth += 1;
            (tnl_pop(&mut *packet, port), (*packet).depth)
        };
        if reason != 0 {
            worker.drop(packet, reason);
        } else if depth as u32 > RECIRC_DEPTH_MAX {
            worker.drop(packet, DROP_RECIRC_DEPTH);
        } else {
            list[count] = packet;
            count += 1;
        }
    }
    worker.counters.recirculated_packets += count as u64;
    unsafe { worker.process_list(&mut list[..count]) };
}
