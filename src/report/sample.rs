//! A run for the tests of the reports: three tests on three kernels with every verdict, a known and a fixed result,
//! a cell that was not run, and texts that no format likes.

use jiff::Timestamp;

use super::fold::{CellSummary, RunSummary};
use crate::event::{AttemptRecord, CellId, CellRecord, Diagnosis, Event, SCHEMA, TestAbout};
use crate::observation::{Ending, Exit, Phase, ProbeReading, ProgramReport, ProgramRun, Start, Stopped};
use crate::verdict::Verdict;

const BLOCK: &str = "block::elevator-switch-race";
const CIFS: &str = "cifs::fsconfig-source-leak";
const EXT4: &str = "ext4::mmap-writeback-failure";
const KERNELS: [(&str, &str); 3] = [
    ("6.12.57", "6.12.57+deb13-cloud-amd64"),
    ("6.17.13", "6.17.13+deb13-cloud-amd64"),
    ("7.2.13", "7.2.13+deb14-amd64"),
];

pub(crate) fn fold(events: impl IntoIterator<Item = Event>) -> RunSummary {
    let mut run = RunSummary::default();
    events.into_iter().for_each(|event| run.apply(event));
    run
}

/// A cell with its records.
pub(crate) fn cell(run: &RunSummary, test: &str, kernel: &str) -> CellSummary {
    run.details().cell(run.find(test, kernel).expect("a cell of the run").place()).expect("its records")
}

/// The whole run.
pub(crate) fn finished() -> RunSummary {
    fold(events())
}

pub(crate) fn started(cells: u64) -> Event {
    Event::RunStarted {
        schema: SCHEMA,
        run: "2026-11-21T09-12-33-a1b2".into(),
        kregress: "0.1.0".into(),
        at: at("2026-11-21T09:12:33Z"),
        command: ["kregress", "run", "-k", "6.12.57"].map(str::to_owned).into(),
        cells,
        split: Default::default(),
    }
}

pub(crate) fn ended(cancelled: bool) -> Event {
    let mut run = RunSummary::default();
    matrix().into_iter().for_each(|event| run.apply(event));
    Event::RunFinished { at: at("2026-11-21T09:13:15Z"), seconds: 42.3, cancelled, counts: run.counts() }
}

pub(crate) fn record(test: &str, kernel: &str, verdict: Verdict) -> CellRecord {
    let release = KERNELS.iter().find(|(name, _)| *name == kernel).map(|(_, release)| (*release).to_owned());
    CellRecord { release, verdict, ..CellRecord::clean(test, kernel, 3.2123) }
}

/// Every event of the run, the last one included.
pub(crate) fn events() -> Vec<Event> {
    let mut events = vec![
        started(9),
        Event::Host {
            qemu: "10.0.2".into(),
            accel: "tcg".into(),
            accel_reason: "/dev/kvm opens, but a guest did not boot with it".into(),
            cpus: 2,
            memory_mib: 7600,
            user: None,
        },
    ];
    events.extend(matrix());
    events.push(ended(false));
    events
}

/// A run whose cells crash in a few ways: one defect under two names on several kernels, another beside it.
pub(crate) fn crashing() -> RunSummary {
    let crash = |cell: &CellRecord, number, verdict, kind: &str, title: &str, function: &str| AttemptRecord {
        verdict,
        title: Some(title.into()),
        diagnoses: vec![Diagnosis {
            title: title.into(),
            alt_titles: vec![format!("bad-access in {function}")],
            kind: kind.into(),
            frame: Some(function.into()),
            frames: vec![function.into(), "vfs_write".into()],
            corrupted: false,
            line: 300,
            witness: None,
            text: format!("{title}\n"),
        }],
        ..attempt(cell, number)
    };
    let fault = "general protection fault in elevator_switch";
    let sanitised = "KASAN: slab-use-after-free Read in elevator_switch";
    let elsewhere = "general protection fault in ext4_map_blocks";
    let titled = |test, kernel, verdict, title: &str| CellRecord {
        title: Some(title.into()),
        ..record(test, kernel, verdict)
    };
    let mut events = vec![started(5)];
    let bad = titled(BLOCK, "6.12.57", Verdict::Bad, fault);
    events.extend(with_attempts(
        &bad,
        vec![
            crash(&bad, 1, Verdict::Other, "DoS", elsewhere, "ext4_map_blocks"),
            crash(&bad, 2, Verdict::Bad, "DoS", fault, "elevator_switch"),
        ],
    ));
    let kasan = titled(BLOCK, "6.17.13", Verdict::Bad, sanitised);
    let kind = "KASAN-USE-AFTER-FREE-READ";
    events.extend(with_attempts(
        &kasan,
        vec![crash(&kasan, 1, Verdict::Bad, kind, sanitised, "elevator_switch")],
    ));
    let other = titled(EXT4, "7.2.13", Verdict::Other, fault);
    events.extend(with_attempts(
        &other,
        (1..=3).map(|n| crash(&other, n, Verdict::Other, "DoS", fault, "elevator_switch")).collect(),
    ));
    let good = record(EXT4, "6.12.57", Verdict::Good);
    events.extend(with_attempts(&good, vec![attempt(&good, 1)]));
    events.push(ended(false));
    fold(events)
}

fn matrix() -> Vec<Event> {
    let mut events = Vec::new();
    for (test, summary) in [
        (BLOCK, "two writers switch the I/O scheduler of one queue at once"),
        (CIFS, "fsconfig leaks the source string"),
        (EXT4, "writeback of a mapped page fails"),
    ] {
        for (kernel, release) in KERNELS {
            let cell = CellId { test: test.into(), kernel: kernel.into() };
            events.push(Event::Planned {
                cell,
                release: Some(release.into()),
                summary: summary.into(),
                expectation: None,
                about: (kernel == "6.12.57").then(|| Box::new(about(test))),
                select: None,
                options: Vec::new(),
            });
        }
    }
    events.extend(block());
    events.extend(cifs());
    events.extend(ext4());
    events
}

/// What the suite of a test says of it.
fn about(test: &str) -> TestAbout {
    let (suite, _) = test.split_once("::").expect("a test of this file");
    TestAbout {
        file: format!("suites/{suite}.yaml"),
        line: 12,
        program: "echo none > /sys/block/nullb0/queue/scheduler </script> ]]>".into(),
        symptom: "crash:\n  trace:\n  - ^elevator_".into(),
        links: vec!["https://lore.example.org/r/1?a&b".into(), "javascript:alert(1)".into()],
        fixes: vec!["9b25f381de6b (v7.1)".into()],
    }
}

fn block() -> Vec<Event> {
    let title = "BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request";
    let bad = CellRecord {
        title: Some(title.into()),
        known: Some("known".into()),
        ..record(BLOCK, "6.17.13", Verdict::Bad)
    };
    let crash = AttemptRecord {
        title: Some(title.into()),
        phase: Phase::Dose,
        ending: Ending::Stopped(Stopped::CrashSeen),
        diagnoses: vec![Diagnosis {
            title: title.into(),
            alt_titles: Vec::new(),
            kind: "NULL-POINTER-DEREFERENCE".into(),
            frame: Some("blk_mq_free_request".into()),
            frames: vec!["blk_mq_free_request".into(), "elevator_switch".into()],
            corrupted: false,
            line: 412,
            witness: None,
            text: "BUG: kernel NULL pointer dereference, address: 0000000000000008\nRIP: 0010:blk_mq_free_request+0x12/0x90 ]]> <&\u{1b}[31m".into(),
        }],
        ..attempt(&bad, 1)
    };
    let good = CellRecord {
        attempts: 3,
        seconds: 36.9,
        miss_chance: Some(0.008),
        ..record(BLOCK, "6.12.57", Verdict::Good)
    };
    let fixed = CellRecord {
        known: Some("fixed".into()),
        attempts: 3,
        seconds: 31.0,
        miss_chance: Some(0.008),
        ..record(BLOCK, "7.2.13", Verdict::Good)
    };
    let mut events = with_attempts(&good, (1..=3).map(|n| attempt(&good, n)).collect());
    events.extend(with_attempts(&bad, vec![crash]));
    events.extend(with_attempts(&fixed, (1..=3).map(|n| attempt(&fixed, n)).collect()));
    events
}

fn cifs() -> Vec<Event> {
    let leak = CellRecord {
        title: Some("leak of 20000 objects in kmalloc-192".into()),
        ..record(CIFS, "6.12.57", Verdict::Bad)
    };
    let readings = ProbeReading {
        probe: "slab".into(),
        subject: "kmalloc-192".into(),
        before: Some(1024),
        after: Some(21031),
        ..ProbeReading::default()
    };
    let leaking = AttemptRecord { title: leak.title.clone(), probes: vec![readings], ..attempt(&leak, 1) };
    let skip = CellRecord {
        reason: Some("module cifs is not in this kernel's package".into()),
        attempts: 0,
        seconds: 0.0,
        ..record(CIFS, "6.17.13", Verdict::Skip)
    };
    let blind = CellRecord {
        reason: Some("the slab probe could not be read: no /proc/slabinfo".into()),
        ..record(CIFS, "7.2.13", Verdict::Blind)
    };
    let mut events = with_attempts(&leak, vec![leaking]);
    events.extend(with_attempts(&skip, Vec::new()));
    events.extend(with_attempts(
        &blind,
        vec![AttemptRecord { reason: blind.reason.clone(), ..attempt(&blind, 1) }],
    ));
    events
}

fn ext4() -> Vec<Event> {
    let lost = CellRecord {
        attempts: 2,
        seconds: 120.5,
        reason: Some("the agent did not speak within 60 s".into()),
        ..record(EXT4, "6.12.57", Verdict::Lost)
    };
    let silent = |n| AttemptRecord {
        reason: lost.reason.clone(),
        phase: Phase::Boot,
        boot_seconds: None,
        ending: Ending::Stopped(Stopped::BootTimeout { limit: 60.0 }),
        program: ProgramRun::default(),
        ..attempt(&lost, n)
    };
    let other = CellRecord {
        title: Some("WARNING in ext4_iomap_begin".into()),
        ..record(EXT4, "6.17.13", Verdict::Other)
    };
    let warned = AttemptRecord {
        title: other.title.clone(),
        diagnoses: vec![Diagnosis {
            title: "WARNING in ext4_iomap_begin".into(),
            alt_titles: Vec::new(),
            kind: "WARNING".into(),
            frame: Some("ext4_iomap_begin".into()),
            frames: vec!["ext4_iomap_begin".into()],
            corrupted: false,
            line: 300,
            witness: None,
            text: "WARNING: CPU: 1 PID: 99 at fs/ext4/inode.c:3423".into(),
        }],
        ..attempt(&other, 1)
    };
    let mut events = with_attempts(&lost, vec![silent(1), silent(2)]);
    events.extend(with_attempts(&other, vec![warned]));
    events.push(Event::Notice { text: "7.2.13 has no debug information".into() });
    // The last cell starts and never ends.
    events.push(Event::AttemptStarted {
        cell: CellId { test: EXT4.into(), kernel: "7.2.13".into() },
        attempt: 1,
        of: 1,
    });
    events
}

pub(crate) fn with_attempts(record: &CellRecord, attempts: Vec<AttemptRecord>) -> Vec<Event> {
    let mut events = Vec::new();
    let of = attempts.len() as u32;
    for attempt in attempts {
        events.push(Event::AttemptStarted { cell: record.id(), attempt: attempt.attempt, of });
        events.push(Event::Attempt { cell: record.id(), record: Box::new(attempt) });
    }
    events.push(Event::Cell(Box::new(record.clone())));
    events
}

pub(crate) fn attempt(cell: &CellRecord, number: u32) -> AttemptRecord {
    let folder = format!("attempts/{}@{}/{number}", cell.test.replace("::", "__"), cell.kernel);
    AttemptRecord {
        attempt: number,
        verdict: cell.verdict,
        title: None,
        reason: None,
        seconds: (cell.seconds / f64::from(cell.attempts.max(1)) * 1000.0).round() / 1000.0,
        start: Start::Booted,
        time_travel: false,
        clock: None,
        processor_seconds: None,
        boot_seconds: Some(1.104),
        phase: Phase::Settle,
        ending: Ending::Complete,
        program: ProgramRun {
            started: true,
            exit: Some(Exit::Code(0)),
            reports: vec![ProgramReport::Iterations(20000)],
            output: "round 19999\nround 20000\n".into(),
            output_bytes: 240_000,
            ..ProgramRun::default()
        },
        probes: Vec::new(),
        blocked: Vec::new(),
        findings: Vec::new(),
        diagnoses: Vec::new(),
        console: Some(format!("{folder}/console.log")),
        reproduce: Some(format!("{folder}/reproduce.sh")),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp of this file")
}
