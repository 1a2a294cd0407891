//! weft-native: the native twin of Weft's datapath, to hold its speed against.
//!
//! The same design with the same algorithms: AF_XDP descriptor rings, the 36-block flow key, bursts of 32 in three
//! passes, an exact-match cache of 8-byte entries verified by the megaflow's masked compare, tuple-space search.
//!
//!   weft-native --workload FILE [--packets N] [--rounds R] [--serve]
//!
//! Prints one line of JSON a round. With --serve it reads a number of packets a line and answers each with a round,
//! so that a harness can interleave it with other switches.
//!
//! Not supported: upcalls (a miss is dropped and counted), control records, meters, actions that no workload asks for.

mod actions;
mod cache;
mod classifier;
mod hash;
/// Generated from src/spec: the key layout, action codes, drop reasons and limits that both pipelines share.
#[path = "../../../src/gen/rust/layout.rs"]
mod layout;
mod memory;
mod packet;
mod parse;
mod pipeline;
mod rings;
mod table;
mod workload;

use pipeline::{Counters, Worker};
use std::io::{BufRead, Write};
use std::time::Instant;
use workload::Workload;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

fn cpu_seconds() -> f64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the structure is the C library's struct timespec on 64-bit Linux.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

/// The worker, the trace, and where in the trace the next burst starts.
struct Bench {
    worker: Worker,
    workload: Workload,
    position: u32,
}

impl Bench {
    /// Moves so many frames of the trace, round and round: copy in, process, drain.
    fn run(&mut self, packets: u64) -> u64 {
        let mut done = 0;
        while done < packets {
            let first = self.workload.frame(self.position);
            let port = first.in_port as u32;
            let limit = (self.workload.frame_count - self.position).min(layout::BURST_MAX);
            let mut count = 0;
            while count < limit {
                let entry = self.workload.frame(self.position + count);
                if entry.in_port as u32 != port {
                    break;
                }
                let bytes = self.workload.frame_bytes(entry);
                // SAFETY: the frame lies in the workload; its size is that of a chunk at the most.
                let fits = unsafe {
                    let (frames, chunk_size) = (self.worker.frames, self.worker.chunk_size);
                    self.worker.ports[port as usize].deliver(frames, chunk_size, bytes, entry.size as u32)
                };
                assert!(fits, "the device has a free chunk for every frame of a burst");
                count += 1;
            }
            self.worker.process(port, done as f64);
            for i in 0..self.worker.flushed.len() {
                let number = self.worker.flushed[i];
                self.worker.ports[number as usize].drain(self.worker.chunk_size as u64);
            }
            done += count as u64;
            self.position += count;
            if self.position == self.workload.frame_count {
                self.position = 0;
            }
        }
        done
    }

    fn round(&mut self, packets: u64) -> String {
        let before = self.worker.counters.clone();
        let drops: u64 = self.worker.drops.iter().sum();
        let wall = Instant::now();
        let cpu = cpu_seconds();
        let done = self.run(packets);
        let cpu = cpu_seconds() - cpu;
        let wall = wall.elapsed().as_secs_f64();
        let dropped = self.worker.drops.iter().sum::<u64>() - drops;
        report(done, cpu, wall, dropped, &before, &self.worker.counters)
    }
}

fn report(packets: u64, cpu: f64, wall: f64, dropped: u64, before: &Counters, after: &Counters) -> String {
    format!(
        concat!(
            "{{\"ns_per_packet\":{:.3},\"cpu_seconds\":{:.6},\"wall_seconds\":{:.6},\"packets\":{},\"tx_packets\":{},",
            "\"cache_hits\":{},\"megaflow_hits\":{},\"misses\":{},\"subtables_visited\":{},\"drops\":{}}}"
        ),
        cpu * 1e9 / packets as f64,
        cpu,
        wall,
        packets,
        after.tx_packets - before.tx_packets,
        after.cache_hits - before.cache_hits,
        after.megaflow_hits - before.megaflow_hits,
        after.misses - before.misses,
        after.subtables_visited - before.subtables_visited,
        dropped,
    )
}

struct Options {
    workload: String,
    packets: u64,
    rounds: u32,
    serve: bool,
    ring_entries: u32,
    chunks: u32,
    cache_entries: usize,
    cache_insert_inverse: u32,
}

fn parse_options() -> Result<Options, String> {
    let mut options = Options {
        workload: String::new(),
        packets: 1_000_000,
        rounds: 7,
        serve: false,
        ring_entries: 256,
        chunks: 0,
        cache_entries: 8192,
        cache_insert_inverse: 32,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text}: not a number"));
        match name.as_str() {
            "--workload" => options.workload = value()?,
            "--packets" => options.packets = number(value()?)?,
            "--rounds" => options.rounds = number(value()?)? as u32,
            "--ring" => options.ring_entries = (number(value()?)? as u32).next_power_of_two(),
            "--chunks" => options.chunks = number(value()?)? as u32,
            "--cache" => options.cache_entries = (number(value()?)? as usize).next_power_of_two(),
            "--cache-insert-inverse" => options.cache_insert_inverse = number(value()?)? as u32,
            "--serve" => options.serve = true,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    if options.workload.is_empty() {
        return Err("usage: weft-native --workload FILE [--packets N] [--rounds R] [--serve]".into());
    }
    Ok(options)
}

fn run() -> Result<(), String> {
    let options = parse_options()?;
    let workload = Workload::read(&options.workload)?;
    // every port's fill ring, and as many chunks again on their way
    let chunks = options.chunks.max((workload.port_count + 1) * options.ring_entries * 2);
    let config = workload.config(options.ring_entries, chunks, options.cache_entries, options.cache_insert_inverse);
    let mut worker = Worker::new(&config);
    workload.install(&mut worker);
    for port in 1..=workload.port_count {
        worker.refill(port);
    }
    let mut bench = Bench { worker, workload, position: 0 };
    let mut out = std::io::stdout().lock();
    let mut say = |line: String| writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string());
    if !options.serve {
        return (0..options.rounds).try_for_each(|_| say(bench.round(options.packets)));
    }
    say("{\"ready\":true}".into())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let packets = line.trim().parse::<u64>().map_err(|_| format!("{line}: not a number of packets"))?;
        say(bench.round(packets))?;
    }
    Ok(())
}

fn main() {
    if let Err(message) = run() {
        eprintln!("weft-native: {message}");
        std::process::exit(1);
    }
}
