//! Logs with changes at random: nothing panics, no report lies outside of its log, and what is read in pieces needs no
//! more memory for a longer log.
//!
//! `KREGRESS_MUTATION_SECONDS=3600` goes on for an hour and prints how many logs were read and how much memory the
//! process needed at most; `KREGRESS_MUTATION_SEED` begins elsewhere. Folders of more logs are named by
//! `KREGRESS_LOG_CASES` and `KREGRESS_TITLE_CORPUS`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kernel_oops::{Engine, Scanner, details, diagnose};

/// Marsaglia's xorshift64*: the same changes on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() >> 16) as usize % bound }
    }
}

/// What is put into logs at random places.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\0",
    b"\x1b[K",
    b"\x08",
    b" ",
    b"\t",
    b"[inline]",
    b" (a/b.c:12 (discriminator 3)) mod",
    b"+0x1/0x2",
    b"Call Trace:\n",
    b"Dez 22 15:19:11 host kernel: ",
    b"[    1.000000] ",
    b"[    1.000000][   T77] ",
    b"{\"MESSAGE\":\"",
    b"\t\"MESSAGE\" : \"",
    b"\"}\n",
    b"BUG: ",
    b"WARNING: ",
    b"? __die+0x1/0x2\n",
    b"&lt;TASK&gt;",
    b"\xe2\x90\x8d",
    b"\xc2\xa0",
    b"Modules linked in:\n",
    b"Kernel panic - not syncing: ",
    b" [#1]",
    b"(",
    b")",
    b"[",
    b"]",
    b":",
    b"\xff",
];

fn mutate(logs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut log = logs[random.below(logs.len())].clone();
    for _ in 0..=random.below(12) {
        let at = random.below(log.len() + 1);
        let end = (at + random.below(300)).min(log.len());
        match random.below(9) {
            0 => drop(log.drain(at..end)),
            1 => log.truncate(at),
            2 => drop(log.drain(..at)),
            3 | 4 => {
                let piece = PIECES[random.below(PIECES.len())];
                log.splice(at..at, piece.iter().copied());
            }
            5 => {
                let piece = log[at..end].to_vec();
                let to = random.below(log.len() + 1);
                log.splice(to..to, piece);
            }
            6 => {
                let other = &logs[random.below(logs.len())];
                let from = random.below(other.len());
                log.splice(at..end, other[from..(from + 2000).min(other.len())].iter().copied());
            }
            7 => {
                // a prefix before every line
                let piece = PIECES[random.below(PIECES.len())];
                log =
                    log.split(|byte| *byte == b'\n').flat_map(|line| [piece, line, b"\n"].concat()).collect();
            }
            _ => {
                if let Some(byte) = log.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
        }
        log.truncate(1 << 20);
    }
    log
}

fn read_everything(log: &[u8]) {
    let reports = diagnose(log);
    for report in &reports {
        assert!(report.start <= report.end && report.end <= log.len(), "{report:?} of {}", log.len());
        assert_eq!(report.start_line, log[..report.start].iter().filter(|byte| **byte == b'\n').count() + 1);
        details(&log[report.start..report.end], report);
    }
    let streamed = Engine::embedded().diagnose_reader(log).expect("memory can be read").reports;
    assert_eq!(streamed.len(), reports.len());
    let mut scanner = Scanner::new();
    log.chunks(997).for_each(|chunk| drop(scanner.feed(chunk)));
    scanner.finish();
}

fn logs() -> Vec<Vec<u8>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut folders = vec![own.join("golden"), own.join("fixtures/posted"), own.join("fixtures/hang")];
    let named = ["KREGRESS_LOG_CASES", "KREGRESS_TITLE_CORPUS"].map(std::env::var_os);
    folders.extend(named.into_iter().flatten().map(PathBuf::from));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of logs must be readable"))
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_none_or(|extension| extension == "log"))
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a log can be read")).collect()
}

/// The most memory this process had at a time, in kB (`VmHWM`); nothing where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number is needed"))
}

#[test]
fn changed_logs_are_read_without_harm() {
    let logs = logs();
    let mut random = Random(number("KREGRESS_MUTATION_SEED").unwrap_or(77).wrapping_mul(2) + 1);
    let seconds = number("KREGRESS_MUTATION_SECONDS");
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let mut count = 0_u64;
    let mut told = Instant::now();
    while count < 120 || Instant::now() < until {
        read_everything(&mutate(&logs, &mut random));
        count += 1;
        if seconds.is_some() && told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            println!("{count} logs, at most {} kB", peak().unwrap_or(0));
        }
    }
    println!("{count} logs, at most {} kB", peak().unwrap_or(0));
}

/// A log that repeats one in a form that must be rewritten.
struct Endless {
    log: Vec<u8>,
    at: usize,
    left: usize,
}

impl std::io::Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let piece = &self.log[self.at..];
        let len = piece.len().min(into.len()).min(self.left);
        into[..len].copy_from_slice(&piece[..len]);
        self.at = (self.at + len) % self.log.len();
        self.left -= len;
        Ok(len)
    }
}

#[test]
fn memory_does_not_grow_with_the_log() {
    let Some(before) = peak() else {
        loud_skip::skip("the system does not tell how much memory a process has");
        return;
    };
    let lines = include_str!("golden/clean-boot-6.12.117.log");
    let warning = include_str!("fixtures/posted/journal-short-full.log");
    let prefixed: String =
        lines.lines().map(|line| format!("Thu 2026-11-26 15:19:11 CET host kernel: {line}\n")).collect();
    let log = format!("{prefixed}{warning}").into_bytes();
    let read = |size: usize| {
        let endless = Endless { log: log.clone(), at: 0, left: size };
        let found = Engine::embedded().diagnose_reader(endless).expect("memory can be read");
        assert!(!found.reports.is_empty() && found.reports.len() <= 512);
        peak().unwrap_or(0).saturating_sub(before)
    };
    let (short, long) = (read(16 << 20), read(48 << 20));
    println!("16 MiB need {short} kB, 48 MiB need {long} kB");
    assert!(long <= short + short / 4 + (4 << 10), "16 MiB need {short} kB, 48 MiB need {long} kB");
}
