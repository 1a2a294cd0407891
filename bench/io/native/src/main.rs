//! weft-io flood INTERFACE SIZE|imix FLOWS SECONDS CPU
//! weft-io forward INTERFACE INTERFACE CPU
//! weft-io latency NETNS INTERFACE NETNS INTERFACE RATE SECONDS SIZE CPU

mod bpf;
mod flood;
mod forward;
mod frame;
mod latency;
mod sys;
mod xsk;

use sys::pin;

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| {
        eprintln!("weft-io: {text} is no number");
        std::process::exit(2)
    })
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["flood", interface, sizes, flows, seconds, cpu] => {
            pin(number(cpu));
            flood::flood(interface, sizes, number(flows), number(seconds));
        }
        ["forward", a, b, cpu] => forward::forward([a, b], number(cpu)),
        ["latency", out_netns, out, back_netns, back, rate, seconds, size, cpu] => latency::latency(
            [out_netns, out],
            [back_netns, back],
            number(rate),
            number(seconds),
            number(size),
            number(cpu),
        ),
        _ => {
            eprintln!("weft-io: flood, forward or latency, with the arguments that src/main.rs names");
            std::process::exit(2);
        }
    }
}
