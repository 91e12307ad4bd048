//! The witnesses of what a kernel said, laid beside each other: its console, `/dev/kmsg` as the agent read it, and the log
//! in the guest's memory. One attempt on each kernel provokes messages of the kernel and of a program; each record is
//! then compared by its number, its time and its text, in the dose between all three, and from the boot on between memory
//! and console. A difference that is not explained makes the bench fail, and so does a kernel that is unavailable, after the
//! others were compared.
//!
//! - `log`: the records of the dose that kmsg has; `memory`: those of the whole log
//! - `differ`: records that kmsg and memory do not have alike, number, time, level, facility and text
//! - `dose`: lines of the dose's records, and how many of them the console lacks
//! - `boot`: lines of the boot's records, and how many the console lacks because of its log level, and without a reason
//! - `alien`: lines of the console with the kernel's stamp that are no record's
//! - milliseconds: to find and read the log in the memory, to read what the agent sent, to take the console apart; guests
//!   and hosts are not idle meanwhile
//!
//! `cargo bench --bench witnesses [-- KERNEL...]`; needs what a run needs.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::time::Instant;

use common::{Silent, find_kernel, lab, test, words};
use kregress::cancel::Cancel;
use kregress::guest::kmsg;
use kregress::lab::{Lab, Request};
use kregress::machine::Machine;
use kregress::observation::{Ending, LogExcerpt, LogRecord, Observation};

/// From the first kernel with this ring buffer to the newest.
const KERNELS: &[&str] = &[
    "5.10.262", "6.1.192", "6.12.57", "6.12.117", "6.16.12", "6.17.8", "6.17.13", "6.18.15", "6.19.14",
    "7.0.13", "7.1.13", "7.2.13", "7.3.4",
];

/// Messages of the kernel, short ones, long ones and many at once, and of a program, with what kmsg escapes.
const TALKATIVE: &str = r#"
suite: bench
summary: a program that makes the kernel talk
tests:
  - name: talkative
    summary: the kernel says many things
    program:
      shell: |
        for n in 1 2 3; do echo $n > /proc/sys/vm/drop_caches; done
        for key in h m w q; do echo $key > /proc/sysrq-trigger; done
        printf 'a program, with \\ and \xc3\xa9 and \x01' > /dev/kmsg
        printf '<3>another\ttext' > /dev/kmsg
        echo 3 > /proc/sys/vm/drop_caches
    symptom: {crash: {title: never}}
"#;

/// The console's log level until the agent raises it: `loglevel=5` lets through what is graver.
const BOOT_LEVEL: u8 = 5;

fn main() -> ExitCode {
    let named: Vec<String> = words().collect();
    let named = if named.is_empty() { KERNELS.iter().map(|k| (*k).to_owned()).collect() } else { named };
    println!(
        "{:10} {:>5} {:>6} {:>6} {:>11} {:>16} {:>5} {:>9} {:>8} {:>8}",
        "kernel",
        "log",
        "memory",
        "differ",
        "dose lacks",
        "boot lacks",
        "alien",
        "memory ms",
        "kmsg ms",
        "console ms"
    );
    let mut unexplained = false;
    for name in named {
        match compare(&name) {
            Ok(row) => {
                println!("{name:10} {row}");
                row.odd.iter().take(20).for_each(|line| println!("    {line}"));
                unexplained |= !row.odd.is_empty();
            }
            Err(why) => {
                println!("{name:10} {why}");
                unexplained = true;
            }
        }
    }
    if unexplained { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What came of one kernel.
#[derive(Default)]
struct Row {
    kmsg: usize,
    memory: usize,
    differ: usize,
    dose: usize,
    dose_lacks: usize,
    boot: usize,
    boot_quiet: usize,
    boot_lacks: usize,
    alien: usize,
    memory_ms: f64,
    kmsg_ms: f64,
    console_ms: f64,
    /// What is not explained.
    odd: Vec<String>,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dose = format!("{}/{}", self.dose_lacks, self.dose);
        let boot = format!("{}+{}/{}", self.boot_quiet, self.boot_lacks, self.boot);
        write!(
            f,
            "{:5} {:6} {:6} {dose:>11} {boot:>16} {:5} {:9.1} {:8.2} {:8.2}",
            self.kmsg, self.memory, self.differ, self.alien, self.memory_ms, self.kmsg_ms, self.console_ms
        )
    }
}

fn compare(name: &str) -> Result<Row, String> {
    let kernel = find_kernel(&format!("{name}/cloud")).map_err(|why| format!("unavailable: {why}"))?;
    let test = test(TALKATIVE);
    let lab = lab(&kernel).without_snapshots().with_memory_read();
    let machine = Machine::built_in().for_test(&test.machine).map_err(|e| format!("{e:?}"))?;
    let cancel = Cancel::new();
    let request = Request {
        kernel: &kernel,
        test: &test,
        machine: &machine,
        attempt: 1,
        seed: 1,
        dir: None,
        cancel: &cancel,
        in_vain: &|_| false,
    };
    let seen = lab.attempt(&request, &Silent);
    if seen.ending != Ending::Complete {
        return Err(format!("the attempt ended by {:?}", seen.ending));
    }
    laid_beside(&seen)
}

fn laid_beside(seen: &Observation) -> Result<Row, String> {
    let log = &seen.kernel_log;
    let whole = |what: &str, log: &Option<LogExcerpt>| -> Result<Vec<LogRecord>, String> {
        let log = log.clone().ok_or_else(|| format!("{what} is absent"))?;
        match log.ended && log.has_no_gap() {
            true => Ok(log.records),
            false => Err(format!("{what} is not whole: {} lost, {} left out", log.lost, log.left_out)),
        }
    };
    let kmsg = whole("kmsg", &log.kmsg)?;
    let memory = whole("memory", &log.memory).map_err(|e| format!("{e} {:?}", log.memory_error))?;
    let (Some(first), Some(last)) = (kmsg.first(), kmsg.last()) else { return Err("kmsg is empty".into()) };
    let dose = first.seq..=last.seq;
    let mut row = Row { kmsg: kmsg.len(), memory: memory.len(), ..Row::default() };
    row.memory_ms = log.memory_micros.unwrap_or_default() as f64 / 1000.0;

    let by_number: BTreeMap<u64, &LogRecord> = memory.iter().map(|record| (record.seq, record)).collect();
    for record in &kmsg {
        if by_number.get(&record.seq) != Some(&record) {
            row.differ += 1;
            row.odd.push(format!(
                "kmsg {} — memory {:?}",
                show(record),
                by_number.get(&record.seq).map(|r| show(r))
            ));
        }
    }
    if by_number.range(dose.clone()).count() != kmsg.len() {
        row.odd.push("the memory has records of the dose that kmsg lacks".to_owned());
    }

    let start = Instant::now();
    let mut lines = console_lines(&seen.console.text);
    row.console_ms = start.elapsed().as_secs_f64() * 1000.0;
    for record in &memory {
        for text in record.text.split(|byte| *byte == b'\n') {
            let key = (record.micros, text.trim_ascii_end().to_vec());
            let found = lines.get_mut(&key).filter(|count| **count > 0).map(|count| *count -= 1).is_some();
            let (all, lacks) = match record.seq {
                seq if dose.contains(&seq) => (&mut row.dose, &mut row.dose_lacks),
                seq if seq < *dose.start() => (&mut row.boot, &mut row.boot_lacks),
                // what the guest says while it powers off is not waited for
                _ => continue,
            };
            *all += 1;
            match found {
                true => {}
                false if record.seq < *dose.start() && record.level >= BOOT_LEVEL => row.boot_quiet += 1,
                false => {
                    *lacks += 1;
                    row.odd.push(format!("not on the console: {}", show(record)));
                }
            }
        }
    }
    for ((micros, text), _) in lines.iter().filter(|(_, count)| **count > 0) {
        row.alien += 1;
        row.odd.push(format!("only on the console: {micros} {}", String::from_utf8_lossy(text)));
    }

    let sent: Vec<Vec<u8>> = kmsg.iter().map(as_sent).collect();
    let start = Instant::now();
    let read = sent.iter().filter_map(|record| kmsg::parse(record)).count();
    row.kmsg_ms = start.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(read, kmsg.len());
    Ok(row)
}

/// The console's stamped lines, by stamp and text, and how often each is there. Read apart from the product's own reader.
fn console_lines(console: &[u8]) -> HashMap<(u64, Vec<u8>), u32> {
    let mut lines = HashMap::new();
    for line in console.split(|byte| *byte == b'\n') {
        if let Some(key) = stamped(line) {
            *lines.entry(key).or_default() += 1;
        }
    }
    lines
}

/// `[    1.234567] text`, also behind something that was printed without a newline.
fn stamped(line: &[u8]) -> Option<(u64, Vec<u8>)> {
    let open = memchr::memchr_iter(b'[', line).find(|at| {
        line.get(at + 1..at + 14)
            .is_some_and(|inside| inside[5] == b'.' && inside[12] == b']' && inside[4].is_ascii_digit())
    })?;
    let inside = std::str::from_utf8(&line[open + 1..open + 13]).ok()?;
    let (seconds, micros) = inside.trim_start().split_once('.')?;
    let micros = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
    Some((micros, line.get(open + 15..)?.trim_ascii_end().to_vec()))
}

fn as_sent(record: &LogRecord) -> Vec<u8> {
    let priority = u64::from(record.facility) << 3 | u64::from(record.level);
    let mut line = format!("{priority},{},{},-;", record.seq, record.micros).into_bytes();
    line.extend_from_slice(&record.text);
    line
}

fn show(record: &LogRecord) -> String {
    let text = String::from_utf8_lossy(&record.text);
    format!("{} {} {}.{} {text:?}", record.seq, record.micros, record.facility, record.level)
}
