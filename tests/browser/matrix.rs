//! Runs of any size, with journals and consoles as guests give them.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use kregress::event::{AttemptRecord, CellId, CellRecord, Counts, Diagnosis, Event, SCHEMA, TestAbout};
use kregress::journal::{Journal, RunDir};
use kregress::observation::{
    Ending, Exit, Phase, ProgramReport, ProgramRun, Start, Stopped, Subtest, SubtestResult,
};
use kregress::verdict::Verdict;

/// A run of `tests` × `kernels` in `root`; `round` changes some of its results. Consoles are written for the first
/// `consoles` cells that failed.
pub fn write(root: &Path, at: &str, tests: usize, kernels: usize, round: usize, consoles: usize) -> RunDir {
    let dir = RunDir::at(&root.join(at));
    std::fs::create_dir_all(dir.path()).expect("a folder");
    let journal = Journal::create(dir.path()).expect("a journal");
    let say = |event: Event| {
        journal.append(&event).expect("the journal is written");
    };
    let command = "kregress run -s mine.yaml -k all --retries 2";
    say(Event::RunStarted {
        schema: SCHEMA,
        run: at.to_owned(),
        kregress: "0.1.0".to_owned(),
        at: Timestamp::from_second(1_795_000_000 + 86_400 * round as i64).expect("a time"),
        command: command.split(' ').map(str::to_owned).collect(),
        cells: (tests * kernels) as u64,
        split: Default::default(),
    });
    say(Event::Host {
        qemu: "10.0.2".to_owned(),
        accel: "tcg".to_owned(),
        accel_reason: "there is no /dev/kvm".to_owned(),
        cpus: 2,
        memory_mib: 18_000,
        user: None,
    });
    for kernel in 0..kernels {
        for test in 0..tests {
            say(Event::Planned {
                cell: id(test, kernel),
                release: Some(format!("{}+deb13-cloud-amd64", kernel_name(kernel))),
                summary: "two writers switch the I/O scheduler of one queue at once".to_owned(),
                expectation: None,
                about: (kernel == 0).then(|| Box::new(about(test))),
                select: None,
                options: Vec::new(),
            });
        }
    }
    let (mut counts, mut seconds, mut written) = (Counts::default(), 0.0, 0);
    for kernel in 0..kernels {
        for test in 0..tests {
            let (record, attempts) = cell(test, kernel, round);
            counts.add(record.verdict);
            seconds += record.seconds;
            for attempt in attempts {
                if let Some(console) =
                    attempt.console.as_ref().filter(|_| !attempt.diagnoses.is_empty() && written < consoles)
                {
                    written += 1;
                    let path = dir.path().join(console);
                    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                    std::fs::write(path, console_text()).expect("a console");
                }
                let of = record.attempts;
                say(Event::AttemptStarted { cell: record.id(), attempt: attempt.attempt, of });
                say(Event::Attempt { cell: record.id(), record: Box::new(attempt) });
            }
            say(Event::Cell(Box::new(record)));
        }
    }
    say(Event::RunFinished { at: Timestamp::now(), seconds, cancelled: false, counts });
    dir
}

fn id(test: usize, kernel: usize) -> CellId {
    CellId { test: test_name(test), kernel: kernel_name(kernel) }
}

/// The name of a test.
pub fn test_name(test: usize) -> String {
    let suites = ["block", "cifs", "ext4", "pci", "wireless"];
    let words = ["switch-race", "source-leak", "writeback-failure", "rescan-deadlock", "rfkill-deadlock"];
    format!("{}::{}-{}", suites[test % 5], words[test % 5], test / 5 + 1)
}

/// The name of a kernel.
pub fn kernel_name(kernel: usize) -> String {
    format!("6.{}.{}", 1 + kernel % 19, 10 + kernel / 19)
}

fn about(test: usize) -> TestAbout {
    TestAbout {
        file: "suites/block.yaml".to_owned(),
        line: 10 + test,
        program: "echo none > /sys/block/nullb0/queue/scheduler\necho \"iterations 1000\" >&3 # </noscript><script>document.title = 'owned'</script>".to_owned(),
        symptom: "crash:\n  trace:\n  - ^elevator_".to_owned(),
        links: vec!["https://lore.example.org/r/1".to_owned(), "javascript:alert(1)".to_owned()],
        fixes: vec!["9b25f381de6b (v7.1)".to_owned()],
    }
}

/// Numbers that look like chance and are the same every time.
fn chance(test: usize, kernel: usize, round: usize) -> usize {
    let mut number = (test * 7919 + kernel * 104_729 + round * 15_485_863 + 1) as u64;
    for _ in 0..3 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    (number % 1000) as usize
}

fn cell(test: usize, kernel: usize, round: usize) -> (CellRecord, Vec<AttemptRecord>) {
    let luck = chance(test, kernel, 0);
    let again = chance(test, kernel, round);
    let verdict = match luck {
        0..40 if again < 700 => Verdict::Bad,
        40..60 => Verdict::Bad,
        60..68 => Verdict::Other,
        68..100 => Verdict::Skip,
        100..106 => Verdict::Blind,
        106..112 => Verdict::Lost,
        _ => Verdict::Good,
    };
    let title = match verdict {
        Verdict::Bad => Some("BUG: unable to handle kernel NULL pointer dereference in elevator_switch"),
        Verdict::Other => Some("WARNING in ext4_iomap_begin <script>\u{202e}gpj"),
        _ => None,
    };
    let reason = match verdict {
        Verdict::Skip => Some("module cifs is not in this kernel's package"),
        Verdict::Blind => Some("the slab probe could not be read: no /proc/slabinfo"),
        Verdict::Lost => Some("the agent did not speak within 60 s"),
        _ => None,
    };
    let each = 1.5 + test as f64 % 7.0 * 3.0 + again as f64 / 100.0;
    let count = match verdict {
        Verdict::Skip => 0,
        _ => 1 + luck % 2,
    };
    let id = id(test, kernel);
    let attempt = |number: usize| {
        let decides = number == count;
        let folder = format!("attempts/{}@{}/{number}", id.test.replace("::", "__"), id.kernel);
        let verdict = if decides || verdict == Verdict::Lost { verdict } else { Verdict::Good };
        let crashed = decides && title.is_some();
        AttemptRecord {
            attempt: number as u32,
            verdict,
            title: title.filter(|_| crashed).map(str::to_owned),
            reason: reason.filter(|_| decides).map(str::to_owned),
            seconds: each,
            start: Start::Booted,
            time_travel: false,
            clock: None,
            processor_seconds: None,
            boot_seconds: (verdict != Verdict::Lost).then_some(1.104),
            phase: if crashed { Phase::Dose } else { Phase::Settle },
            ending: if crashed { Ending::Stopped(Stopped::CrashSeen) } else { Ending::Complete },
            program: ProgramRun {
                started: true,
                exit: Some(Exit::Code(0)),
                reports: vec![ProgramReport::Iterations(20000)],
                subtests: if test % 5 == 4 { subtests(crashed) } else { Vec::new() },
                output: "round 19999\nround 20000\n]]> </noscript> \u{1b}[31m".to_owned(),
                output_bytes: 240_000,
                ..ProgramRun::default()
            },
            probes: Vec::new(),
            blocked: Vec::new(),
            findings: Vec::new(),
            diagnoses: title.filter(|_| crashed).map(|title| vec![diagnosis(title)]).unwrap_or_default(),
            console: Some(format!("{folder}/console.log")),
            reproduce: Some(format!("{folder}/reproduce.sh")),
        }
    };
    let attempts = (1..=count).map(attempt).collect();
    let record = CellRecord {
        test: id.test.clone(),
        kernel: id.kernel.clone(),
        release: Some(format!("{}+deb13-cloud-amd64", id.kernel)),
        verdict,
        title: title.map(str::to_owned),
        attempts: count as u32,
        seconds: each * count as f64,
        reason: reason.map(str::to_owned),
        miss_chance: (verdict == Verdict::Good).then_some(0.01),
        known: (verdict == Verdict::Bad && !luck.is_multiple_of(3)).then(|| "known".to_owned()),
        arch: None,
        package: None,
        expectation: None,
    };
    (record, attempts)
}

fn subtests(failed: bool) -> Vec<Subtest> {
    let named = |number: usize| Subtest {
        name: format!("rfkill > case {number}"),
        result: if failed && number == 7 { SubtestResult::Failed } else { SubtestResult::Passed },
    };
    (1..=9).map(named).collect()
}

/// A crash report as the journal has it, which begins in line 41 of [`console_text`].
fn diagnosis(title: &str) -> Diagnosis {
    Diagnosis {
        title: title.to_owned(),
        alt_titles: Vec::new(),
        kind: if title.starts_with("WARN") { "WARNING".into() } else { "NULL-POINTER-DEREFERENCE".into() },
        frame: Some("elevator_switch".to_owned()),
        frames: [
            "elevator_switch",
            "elevator_change",
            "elv_iosched_store",
            "queue_attr_store",
            "kernfs_fop_write_iter",
            "vfs_write",
            "ksys_write",
            "do_syscall_64",
        ]
        .map(str::to_owned)
        .into(),
        corrupted: false,
        line: 41,
        witness: None,
        text: REPORT.to_owned(),
    }
}

fn console_text() -> String {
    let mut text = String::new();
    for line in 1..=40 {
        let _ = writeln!(
            text,
            "[    {}.{:06}] nullb0: partition table line {line} </pre><script>",
            line / 40,
            line * 331
        );
    }
    text.push_str(REPORT);
    for line in 1..=20 {
        let _ = writeln!(text, "[    3.{:06}] after the crash {line}", line * 100);
    }
    text
}

const REPORT: &str = "\
[    2.731001] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    2.731020] #PF: supervisor read access in kernel mode
[    2.731022] #PF: error_code(0x0000) - not-present page
[    2.731025] Oops: Oops: 0000 [#1] SMP NOPTI
[    2.731031] CPU: 1 UID: 0 PID: 96 Comm: sh Not tainted 6.17.13+deb13-cloud-amd64 #1 PREEMPT(lazy)  Debian 6.17.13-1~bpo13+1
[    2.731034] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.3-debian-1.16.3-2 04/01/2014
[    2.731036] RIP: 0010:mutex_lock+0x1c/0x30
[    2.731044] Code: 90 90 90 90 90 90 90 90 90 90 90 f3 0f 1e fa 0f 1f 44 00 00 53 48 89 fb e8
[    2.731047] Call Trace:
[    2.731049]  <TASK>
[    2.731052]  elevator_switch+0x71/0x1d0
[    2.731056]  elevator_change+0x6c/0x140
[    2.731060]  elv_iosched_store+0x112/0x1a0
[    2.731064]  queue_attr_store+0x98/0xc0
[    2.731069]  kernfs_fop_write_iter+0x14b/0x200
[    2.731075]  vfs_write+0x2c3/0x450
[    2.731079]  ksys_write+0x6b/0xe0
[    2.731083]  do_syscall_64+0x7f/0x2c0
[    2.731089]  entry_SYSCALL_64_after_hwframe+0x76/0x7e
[    2.731094]  </TASK>
[    2.731096] ---[ end trace 0000000000000000 ]---
";
