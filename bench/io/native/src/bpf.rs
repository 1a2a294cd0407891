//! BPF programs as instructions, and the three commands of bpf(2) that are needed.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{must, owned};

const BPF_MAP_CREATE: u64 = 0;
const BPF_MAP_UPDATE_ELEM: u64 = 2;
const BPF_PROG_LOAD: u64 = 5;
const BPF_PROG_TEST_RUN: u64 = 10;
const BPF_LINK_CREATE: u64 = 28;
const BPF_MAP_TYPE_XSKMAP: u32 = 17;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
const BPF_PSEUDO_MAP_FD: u8 = 1;

/// One instruction: opcode, registers, offset, immediate value (the kernel's struct bpf_insn).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Insn(pub u8, pub u8, pub i16, pub i32);

const fn regs(dst: u8, src: u8) -> u8 {
    dst | (src << 4)
}

fn bpf(command: u64, words: &mut [u64], what: &str) -> i64 {
    // SAFETY: the kernel reads as many bytes of the live words as it is told; pointers in them are to live memory.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, words.as_mut_ptr(), size_of_val(words)) };
    must(result, what)
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | ((high as u64) << 32)
}

pub fn load(program: &[Insn]) -> OwnedFd {
    let license = c"GPL";
    let mut log = vec![0u8; 65536];
    let mut attr = [0u64; 16];
    attr[0] = pair(BPF_PROG_TYPE_XDP, program.len() as u32);
    attr[1] = program.as_ptr() as u64;
    attr[2] = license.as_ptr() as u64;
    attr[3] = pair(1, log.len() as u32);
    attr[4] = log.as_mut_ptr() as u64;
    // SAFETY: as in bpf(); the program, the license and the log live until the call is over.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, attr.as_mut_ptr(), size_of_val(&attr)) };
    if result < 0 {
        eprintln!("{}", String::from_utf8_lossy(&log));
    }
    owned(must(result, "loading a program"))
}

/// Redirects every frame to an interface; with more than one flow, the UDP source port (after an IPv4 header without options) is
/// 1024 and a random number below `flows` more.
pub fn redirect_program(interface: u32, flows: u32) -> Vec<Insn> {
    let mut program = vec![
        Insn(0x61, regs(7, 1), 0, 0),  // r7 = ctx->data
        Insn(0x61, regs(3, 1), 4, 0),  // r3 = ctx->data_end
        Insn(0xbf, regs(4, 7), 0, 0),  // r4 = r7
        Insn(0x07, regs(4, 0), 0, 42), // r4 += 42
    ];
    let mut body = Vec::new();
    if flows > 1 {
        body.extend([
            Insn(0x85, 0, 0, 7),                     // r0 = bpf_get_prandom_u32()
            Insn(0x94, regs(0, 0), 0, flows as i32), // w0 %= flows
            Insn(0x04, regs(0, 0), 0, 1024),         // w0 += 1024
            Insn(0xdc, regs(0, 0), 0, 16),           // r0 = be16(r0)
            Insn(0x6b, regs(7, 0), 34, 0),           // *(u16 *)(r7 + 34) = r0
        ]);
    }
    body.extend([
        Insn(0xb7, regs(1, 0), 0, interface as i32), // r1 = interface
        Insn(0xb7, regs(2, 0), 0, 0),                // r2 = 0
        Insn(0x85, 0, 0, 23),                        // r0 = bpf_redirect(r1, r2)
        Insn(0x95, 0, 0, 0),                         // return r0
    ]);
    program.push(Insn(0x2d, regs(4, 3), body.len() as i16, 0)); // if r4 > r3 skip the body
    program.extend(body);
    program.extend([Insn(0xb7, 0, 0, 1), Insn(0x95, 0, 0, 0)]); // return XDP_DROP
    program
}

/// Has the kernel run a program on copies of a frame, which go where the program sends them.
pub fn run_live(program: &OwnedFd, frame: &[u8], repeat: u32) {
    let mut attr = [0u64; 10];
    attr[0] = pair(program.as_raw_fd() as u32, 0);
    attr[1] = pair(frame.len() as u32, 0);
    attr[2] = frame.as_ptr() as u64;
    attr[4] = pair(repeat, 0);
    attr[8] = pair(BPF_F_TEST_XDP_LIVE_FRAMES, 0);
    attr[9] = pair(64, 0);
    bpf(BPF_PROG_TEST_RUN, &mut attr, "sending live frames");
}

/// The map from queue to socket, with one socket in it.
pub fn socket_map(socket: i32) -> OwnedFd {
    let mut create = [pair(BPF_MAP_TYPE_XSKMAP, 4), pair(4, 64), 0, 0, 0, 0, 0, 0];
    let map = owned(bpf(BPF_MAP_CREATE, &mut create, "making a map of sockets"));
    let (key, value) = (0u32, socket);
    let mut update = [map.as_raw_fd() as u64, &raw const key as u64, &raw const value as u64, 0];
    bpf(BPF_MAP_UPDATE_ELEM, &mut update, "putting a socket into the map");
    map
}

/// Sends frames of queue 0 to the socket in the map; the rest goes its way.
pub fn socket_program(map: &OwnedFd) -> Vec<Insn> {
    vec![
        Insn(0x61, regs(2, 1), 16, 0),                              // r2 = ctx->rx_queue_index
        Insn(0x18, regs(1, BPF_PSEUDO_MAP_FD), 0, map.as_raw_fd()), // r1 = map
        Insn(0, 0, 0, 0),
        Insn(0xb7, regs(3, 0), 0, 2), // r3 = XDP_PASS
        Insn(0x85, 0, 0, 51),         // r0 = bpf_redirect_map(r1, r2, r3)
        Insn(0x95, 0, 0, 0),
    ]
}

/// Attaches a program to an interface in native mode for as long as the answer lives.
pub fn attach(program: &OwnedFd, interface: u32) -> OwnedFd {
    let mut attr = [pair(program.as_raw_fd() as u32, interface), pair(BPF_XDP, XDP_FLAGS_DRV_MODE), 0, 0, 0, 0];
    owned(bpf(BPF_LINK_CREATE, &mut attr, "attaching a program"))
}
