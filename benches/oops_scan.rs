//! How fast a console without a crash is read, beside `grep -cE` with the same headers.
//!
//! `cargo bench --bench oops_scan` prints megabytes per second; the best of several rounds counts, because other
//! programs on the machine only ever make a round slower.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use kregress::oops::{Engine, Scanner};

const SIZE: usize = 128 << 20;
const ROUNDS: usize = 5;

/// Consoles that mean harm are shorter: they are there to show that twice the size takes twice the time.
const HOSTILE: [usize; 2] = [16 << 20, 32 << 20];

/// Ordinary lines of a boot, with numbers that change.
fn console() -> Vec<u8> {
    let lines = [
        "pci 0000:00:1f.2: [8086:2922] type 00 class 0x010601 conventional PCI endpoint",
        "ACPI: PCI: Interrupt link LNKA configured for IRQ 10",
        "EXT4-fs (vda1): mounted filesystem 0f3a1c9e-7f61-4b55-9c5e-6d1d3a4c8f10 r/w with ordered data mode.",
        "systemd[1]: Started systemd-udevd.service - Rule-based Manager for Device Events and Files.",
        "audit: type=1400 audit(1515564630.515:5): avc:  denied  { syslog } for  pid=3348 comm=\"rsyslogd\"",
        "usb 1-1: New USB device found, idVendor=1618, idProduct=9113, bcdDevice= 0.02",
        "rcu: Hierarchical SRCU implementation.",
        "Memory: 480000K/523764K available (16384K kernel code, 2399K rwdata, 5904K rodata)",
    ];
    let mut text = Vec::with_capacity(SIZE + 200);
    let mut number = 0_u64;
    while text.len() < SIZE {
        let line = lines[number as usize % lines.len()];
        let (second, fraction) = (number / 1000, number % 1000 * 1000);
        writeln!(text, "[{second:5}.{fraction:06}][{:>6}] {line} #{number}\r", format!("T{}", number % 4000))
            .expect("writing to memory does not fail");
        number += 1;
    }
    text
}

/// Consoles made to take long: floods of first lines, alike and different, a line without an end, and nothing at all.
fn hostile(size: usize) -> [(&'static str, Vec<u8>); 5] {
    let numbered = |line: fn(usize) -> String| {
        let mut text = String::with_capacity(size + 200);
        for number in 0.. {
            if text.len() >= size {
                break;
            }
            text.push_str(&line(number));
        }
        text.into_bytes()
    };
    [
        (
            "one warning again and again",
            numbered(|_| "[    1.000000] WARNING: CPU: 0 PID: 1 at a/b.c:12 func+0x1/0x2\n".into()),
        ),
        (
            "a new warning every line",
            numbered(|n| format!("[    1.000000][ T{n}] WARNING: CPU: 0 PID: 1 at a/b.c:12 f{n}x+0x1/0x2\n")),
        ),
        (
            "truncated BUG lines",
            numbered(|n| format!("[    1.000000][   T7] BUG: kind {n}x\n Call Trace:\n")),
        ),
        ("a line without an end", numbered(|_| "BUG: WARNING: INFO: Booting the kernel. ".into())),
        ("zeros", vec![0; size]),
    ]
}

fn best(mut round: impl FnMut()) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn show(name: &str, bytes: usize, time: Duration) {
    println!("{name:<38} {:>8.0} MB/s", bytes as f64 / 1e6 / time.as_secs_f64());
}

fn main() {
    let start = Instant::now();
    let engine = Engine::embedded();
    println!("{:<38} {:>8.0} ms", "loading the rules", start.elapsed().as_secs_f64() * 1e3);
    let text = console();
    assert!(engine.diagnose(&text).is_empty(), "the text must be one without reports");

    show("diagnose, in memory", text.len(), best(|| assert!(engine.diagnose(&text).is_empty())));
    show(
        "diagnose, streamed",
        text.len(),
        best(|| assert!(engine.diagnose_reader(&text[..]).is_ok_and(|found| found.reports.is_empty()))),
    );
    show(
        "Scanner, pieces of 4 KiB",
        text.len(),
        best(|| {
            let mut scanner = Scanner::new();
            assert!(text.chunks(4096).all(|chunk| scanner.feed(chunk).is_none()));
        }),
    );

    for size in HOSTILE {
        for (name, text) in hostile(size) {
            let start = Instant::now();
            let reports = engine.diagnose(&text).len();
            show(&format!("{name}, {} MiB", size >> 20), text.len(), start.elapsed());
            assert!(reports <= 512, "the number of reports must be bounded");
        }
    }

    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(&text).expect("the temporary file can be written");
    let headers = engine.headers().map(regex::escape).collect::<Vec<_>>().join("|");
    for locale in ["C", "C.UTF-8"] {
        let grep = || {
            let status =
                Command::new("grep").env("LC_ALL", locale).args(["-cE", &headers]).arg(file.path()).output();
            assert!(status.is_ok_and(|output| output.stdout == b"0\n"), "grep must run and find nothing");
        };
        show(&format!("grep -cE, LC_ALL={locale}"), text.len(), best(grep));
    }
}
