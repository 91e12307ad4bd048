//! Consoles that lie, flood, or were cut anywhere: the diagnosis must not panic, must stay inside the console, and must
//! not depend on the pieces a console arrives in.

use kernel_oops::{Engine, Palette, PassedOver, Report, Scanner, diagnose, render};
use proptest::prelude::*;

/// Pieces of real reports, to be put together in any order.
const PIECES: &[&str] = &[
    "BUG: KASAN: use-after-free in foo+0x1/0x2\n",
    "BUG: ",
    "WARNING: CPU: 0 PID: 1 at a/b.c:12 func+0x1/0x2\n",
    "WARNING: a/b.c:12 at func+0x1/0x2, CPU#1: comm/12\n",
    "INFO: task a:1 blocked for more than 120 seconds.\n",
    "INFO: rcu_preempt self-detected stall on CPU\n",
    "Kernel panic - not syncing: Fatal exception\n",
    "general protection fault: 0000 [#1]\n",
    "WARNING: possible circular locking dependency detected\nx/1 is trying to acquire lock:\n(a){+}, at: f+0x1/0x2\n",
    "** replaying previous printk message **\n",
    "Booting the kernel.\n",
    "unreferenced object 0xffff888110616300 (size 192):\n  backtrace (crc 1):\n",
    "Oops: int3: 0000 [#1]\n",
    "Call Trace:\n",
    " func_a+0x1/0x2\n",
    " ? func_b+0x1/0x2\n",
    "RIP: 0010:func_c+0x1/0x2\n",
    "[    1.000000] ",
    "[    1.000000][    T1] ",
    "[    1.000000] [    C0] ",
    "Nov 21 09:30:35 host kernel: ",
    "\r\n",
    "\0",
    "Sending NMI from CPU 0 to CPUs 1:\n",
    "serialport: VM disconnected.\n",
];

fn console() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "[ -~]{0,60}\n".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn check(console: &[u8], reports: &[Report]) {
    let mut before = 0;
    for report in reports {
        assert!(
            before <= report.start && report.start < report.end && report.end <= console.len(),
            "{report:?}"
        );
        assert_eq!(
            report.start_line,
            1 + console[..report.start].iter().filter(|byte| **byte == b'\n').count()
        );
        assert!(report.title.len() <= 120 && report.title.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        assert_eq!(report.corrupted, report.corrupted_reason.is_some());
        before = report.start;
    }
}

/// Gives a reader what it asks for in pieces of changing size.
struct Crumbs<'c> {
    rest: &'c [u8],
    size: usize,
}

impl std::io::Read for Crumbs<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.size = self.size % 7919 + 1;
        let count = self.size.min(into.len()).min(self.rest.len());
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_console_is_read_without_panic(console in console()) {
        let reports = diagnose(&console);
        check(&console, &reports);
        let text = render("x", &console, &reports, &Palette::plain());
        prop_assert!(!text.contains('\x1b'));
        let streamed = Engine::embedded().diagnose_reader(Crumbs { rest: &console, size: 1 }).unwrap();
        prop_assert_eq!(streamed.reports, reports);
    }

    #[test]
    fn the_scanner_sees_the_same_however_a_console_is_cut(console in console(), size in 1_usize..200) {
        let sightings = |size: usize| {
            let mut scanner = Scanner::new();
            // one line a piece, so that none of them hides another
            let mut seen = Vec::new();
            for line in console.split_inclusive(|byte| *byte == b'\n') {
                for chunk in line.chunks(size) {
                    seen.extend(scanner.feed(chunk));
                }
            }
            seen.extend(scanner.finish());
            seen
        };
        prop_assert_eq!(sightings(size), sightings(usize::MAX));
    }
}

#[test]
fn a_long_console_is_read_the_same_in_windows() {
    // four windows of noise with reports scattered, one of them across every border
    let noise = "[    5.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd\n";
    let mut text = String::new();
    for number in 0..14 {
        while text.len() < number * (3 << 20) / 2 {
            text.push_str(noise);
        }
        text.push_str(&format!(
            "[    6.000000] WARNING: CPU: 0 PID: 1 at a/b.c:12 func_{number}_x+0x1/0x2\n[    6.000000] Call Trace:\n\
             [    6.000000]  func_{number}_x+0x1/0x2\n[    6.000000]  caller+0x1/0x2\n[    6.000000]  outer+0x1/0x2\n"
        ));
    }
    let whole = diagnose(text.as_bytes());
    assert_eq!(whole.len(), 14);
    check(text.as_bytes(), &whole);
    let streamed = Engine::embedded().diagnose_reader(Crumbs { rest: text.as_bytes(), size: 1 }).unwrap();
    assert_eq!((streamed.reports, streamed.passed_over), (whole, PassedOver::default()));
}

#[test]
fn floods_are_read_in_part_only() {
    let line = "[    6.000000] WARNING: CPU: 0 PID: 1 at a/b.c:12 func+0x1/0x2\n";
    let flood = line.repeat(20_000);
    let reports = diagnose(flood.as_bytes());
    check(flood.as_bytes(), &reports);
    assert_eq!(reports.len(), 16, "a line that is repeated word for word is read so often");
    let distinct: String = (0..1000).map(|number| line.replace("func", &format!("f{number}x"))).collect();
    assert_eq!(diagnose(distinct.as_bytes()).len(), 512, "and all in all so many reports");
    // what was not read is reported, however the console is read
    for (repeated, read) in [(20_000, 512), (70_000, 16)] {
        let many = line.repeat(repeated) + &distinct;
        let found = Engine::embedded().diagnose_allowing(many.as_bytes(), &|_, _| false);
        let last = many[..many.len() - 1].rfind('\n').unwrap() + 1;
        let passed_over = PassedOver { lines: repeated + 1000 - read, last };
        assert_eq!((found.reports.len(), found.passed_over), (read, passed_over));
        let streamed = Engine::embedded().diagnose_reader(Crumbs { rest: many.as_bytes(), size: 1 }).unwrap();
        assert_eq!(streamed.passed_over.last, last);
    }
    // no line ever ends
    let endless = "BUG: x WARNING: y INFO: ".repeat(30_000);
    check(endless.as_bytes(), &diagnose(endless.as_bytes()));
    check(&[0; 100_000], &diagnose(&[0; 100_000]));
}

#[test]
fn two_cpus_at_once_are_told_apart_by_the_caller() {
    let (a, b) = (
        [
            "BUG: unable to handle page fault for address: ffffc90000000000",
            "RIP: 0010:first_bad+0x1/0x2",
            "Call Trace:",
            " first_caller+0x1/0x2",
            " first_outer+0x1/0x2",
            " first_outmost+0x1/0x2",
        ],
        [
            "WARNING: CPU: 1 PID: 7 at a/b.c:12 second_bad+0x1/0x2",
            "RIP: 0010:second_bad+0x1/0x2",
            "Call Trace:",
            " second_caller+0x1/0x2",
            " second_outer+0x1/0x2",
            " second_outmost+0x1/0x2",
        ],
    );
    for gap in ["", " "] {
        let mixed: String = a
            .iter()
            .zip(b)
            .map(|(a, b)| format!("[    1.0]{gap}[    T6] {a}\n[    1.0]{gap}[    T7] {b}\n"))
            .collect();
        let reports = diagnose(mixed.as_bytes());
        let titles: Vec<&str> = reports.iter().map(|report| report.title.as_str()).collect();
        assert_eq!(
            titles,
            ["BUG: unable to handle kernel paging request in first_bad", "WARNING in second_bad"]
        );
        assert!(reports[0].frames.iter().all(|name| name.starts_with("first")), "{:?}", reports[0].frames);
        assert!(reports[1].frames.iter().all(|name| name.starts_with("second")), "{:?}", reports[1].frames);
    }
}
