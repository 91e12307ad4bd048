use super::*;
use crate::observation::{Console, KernelLog};
use crate::suite::KnownMessages;

const WARNING: &[&str] = &[
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 99 at lib/example.c:12 example_warn+0x20/0x30 [example]",
    "Modules linked in: example(O)",
    "CPU: 0 UID: 0 PID: 99 Comm: sh Not tainted 6.99.1 #1",
    "RIP: 0010:example_warn+0x20/0x30 [example]",
    "Call Trace:",
    " <TASK>",
    " example_write+0x10/0x20 [example]",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
];

fn record(seq: u64, facility: u32, text: &str) -> LogRecord {
    LogRecord { seq, micros: 2_000_000 + seq, facility, level: 4, text: text.as_bytes().to_vec() }
}

/// A log: the marks, and between them a line each; those that begin with `!` are a program's.
fn log(between: &[&str]) -> LogExcerpt {
    let mut records = vec![record(50, 1, "kregress: dose starts n")];
    for text in between {
        let (facility, text) = text.strip_prefix('!').map_or((0, *text), |text| (1, text));
        records.push(record(50 + records.len() as u64, facility, text));
    }
    records.push(record(50 + records.len() as u64, 1, "kregress: dose ends n"));
    LogExcerpt { records, ended: true, ..LogExcerpt::default() }
}

/// The console that shows such a log, but for the records of these places; the marks are 0 and the last.
fn seen(log: &LogExcerpt, without: &dyn Fn(usize) -> bool) -> Observation {
    let mut text = b"[    1.000000] booted\r\n".to_vec();
    let mut console = Console::default();
    for (n, record) in log.records.iter().enumerate().filter(|(n, _)| !without(*n)) {
        if n + 1 == log.records.len() {
            console.dose_end = Some(text.len());
        }
        for line in String::from_utf8_lossy(&record.text).split('\n') {
            text.extend_from_slice(format!("[    2.{:06}] {line}\r\n", record.micros % 1_000_000).as_bytes());
        }
        if n == 0 {
            console.dose_start = Some(text.len());
        }
    }
    console.text = text;
    Observation {
        ending: Ending::Complete,
        console,
        kernel_log: KernelLog { kmsg: Some(log.clone()), ..KernelLog::default() },
        ..Observation::not_started("")
    }
}

fn read_all(seen: &Observation) -> (Vec<String>, WitnessEvidence) {
    let mut seen = seen.clone();
    let lists = KnownMessages::default();
    let engine = oops::Engine::embedded();
    let (sorted, testimony) = read(&mut seen, &|text, lines_from| {
        let now =
            crate::suite::MatchContext { today: jiff::civil::date(2026, 1, 1), version: None, lines_from };
        lists.read(engine, text, now, |_| false)
    });
    for report in &sorted.reports {
        let line =
            seen.console.text.split(|byte| *byte == b'\n').nth(report.start_line - 1).unwrap_or_default();
        assert!(seen.console.text[report.start..].starts_with(line), "{report:?}");
    }
    let title = |report: &oops::Report| match testimony.witness_of(report) {
        Some(witness) => format!("{} ({witness:?})", report.title),
        None => report.title.clone(),
    };
    (sorted.reports.iter().map(title).collect(), testimony)
}

use crate::oops;

#[test]
fn a_console_that_has_everything_is_believed() {
    for between in [&[][..], &["a", "b\nc", "", "!by a program"], WARNING] {
        let log = log(between);
        let seen = seen(&log, &|_| false);
        let compared = compare(&seen);
        assert_eq!((compared.lacking, compared.doubt), (None, None), "{between:?}");
        assert_eq!(compared.console.len(), seen.console.text.len());
    }
    let (titles, testimony) = read_all(&seen(&log(WARNING), &|_| false));
    assert_eq!((titles, testimony), (vec!["WARNING in example_warn".to_owned()], WitnessEvidence::default()));
}

#[test]
fn what_a_log_level_hid_is_evidence() {
    let between: Vec<&str> = ["before"].iter().chain(WARNING).chain(&["after"]).copied().collect();
    let log = log(&between);
    let quiet = seen(&log, &|n| (2..2 + WARNING.len()).contains(&n));
    let (titles, testimony) = read_all(&quiet);
    assert_eq!(titles, ["WARNING in example_warn (Log)"]);
    assert_eq!((testimony.lacking.clone(), testimony.doubt.clone()), (vec![(GapReason::Quiet, 10)], None));
    insta::assert_snapshot!(testimony.findings().join("\n"), @"the console lacks 10 messages of the kernel (its log level did not let them through); the kernel's log has them");
    // a part of the report is on the console: one report, not two
    let (titles, _) = read_all(&seen(&log, &|n| (6..2 + WARNING.len()).contains(&n)));
    assert_eq!(titles, ["WARNING in example_warn (Log)"]);
    // something else is missing: the report on the console is what it is
    let (titles, testimony) = read_all(&seen(&log, &|n| n == 1));
    assert_eq!(
        (titles, testimony.lacking),
        (vec!["WARNING in example_warn".to_owned()], vec![(GapReason::Quiet, 1)])
    );
}

#[test]
fn what_a_program_wrote_is_no_report() {
    let written: Vec<String> = WARNING.iter().map(|line| format!("!{line}")).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    let log = log(&written);
    for without in [&(|_| false) as &dyn Fn(usize) -> bool, &|n| (1..=WARNING.len()).contains(&n)] {
        let (titles, testimony) = read_all(&seen(&log, without));
        assert_eq!(titles, Vec::<String>::new());
        assert_eq!(testimony.forged.as_deref(), Some("WARNING in example_warn"));
        assert_eq!(testimony.lacking, Vec::new());
    }
    // written to the console itself: no record has such a time
    let mut forged = seen(&super::tests::log(&["a", "b"]), &|_| false);
    let at = forged.console.dose_end.expect("an end");
    let lines: String = WARNING.iter().map(|line| format!("[    2.000050] {line}\r\n")).collect();
    let mut records = forged.kernel_log.kmsg.take().expect("a log");
    records.records.iter_mut().skip(1).for_each(|record| record.micros += 10);
    forged.console.text = [
        &forged.console.text[..at],
        lines.replace("2.000050", "2.000055").as_bytes(),
        &forged.console.text[at..],
    ]
    .concat();
    forged.kernel_log.kmsg = Some(records);
    let (titles, testimony) = read_all(&forged);
    assert_eq!((titles, testimony.forged.as_deref()), (vec![], Some("WARNING in example_warn")));
}

/// A console with these lines before the dose's last mark.
fn with_lines(log: &LogExcerpt, lines: &str) -> Observation {
    let mut seen = seen(log, &|_| false);
    let at = seen.console.dose_end.expect("an end");
    seen.console.text.splice(at..at, lines.bytes()).for_each(drop);
    seen
}

#[test]
fn what_is_on_the_console_alone_is_no_report() {
    let forged = Some("WARNING in example_warn");
    // without a time, as what is written to a terminal
    let bare: String = WARNING.iter().map(|line| format!("{line}\r\n")).collect();
    let (titles, testimony) = read_all(&with_lines(&log(&["a", "b"]), &bare));
    assert_eq!((titles, testimony.forged.as_deref()), (vec![], forged));
    // a log that ends before does not tell; one out of the memory of a guest that stands still does
    let later: String = WARNING.iter().map(|line| format!("[    9.000000] {line}\r\n")).collect();
    for lines in [bare, later] {
        let mut last = with_lines(&log(&["a"]), &lines);
        let kmsg = last.kernel_log.kmsg.as_mut().expect("a log");
        kmsg.records.pop();
        (kmsg.ended, last.console.dose_end) = (false, None);
        last.ending = Ending::Stopped(crate::observation::Stopped::CrashSeen);
        let cut = memchr::memmem::find(&last.console.text, b"[    2.000052]").expect("the last mark");
        last.console.text.truncate(cut);
        let (titles, testimony) = read_all(&last);
        assert_eq!(
            (titles.as_slice(), testimony.forged),
            (&["WARNING in example_warn".to_owned()][..], None)
        );
        last.kernel_log.memory = last.kernel_log.kmsg.clone();
        let (titles, testimony) = read_all(&last);
        assert_eq!((titles, testimony.forged.as_deref()), (vec![], forged));
    }
}

#[test]
fn a_console_without_times_is_read_by_its_text() {
    let without_times = |log: &LogExcerpt| {
        let mut seen = seen(log, &|_| false);
        let text = String::from_utf8(seen.console.text).expect("text");
        let (before, dose) = text.split_at(seen.console.dose_start.expect("a mark"));
        let bare: String = dose
            .split_inclusive('\n')
            .map(|line| line.split_once("] ").map_or(line, |(_, text)| text))
            .collect();
        seen.console.text = format!("{before}{bare}").into_bytes();
        read_all(&seen)
    };
    let (titles, testimony) = without_times(&log(WARNING));
    assert_eq!((titles, testimony), (vec!["WARNING in example_warn".to_owned()], WitnessEvidence::default()));
    let written: Vec<String> = WARNING.iter().map(|line| format!("!{line}")).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    let (titles, testimony) = without_times(&log(&written));
    assert_eq!((titles, testimony.forged.as_deref()), (vec![], Some("WARNING in example_warn")));
}

#[test]
fn the_kernels_own_report_counts_beside_one_that_a_program_wrote() {
    let written: Vec<String> =
        WARNING.iter().map(|line| format!("!{}", line.replace("example", "hidden"))).collect();
    let between: Vec<&str> = written.iter().map(String::as_str).chain(WARNING.iter().copied()).collect();
    let (titles, testimony) = read_all(&seen(&log(&between), &|_| false));
    assert_eq!(titles, ["WARNING in example_warn"]);
    assert_eq!(testimony.forged.as_deref(), Some("WARNING in hidden_warn"));
}

#[test]
fn each_difference_has_its_reason() {
    let log = log(&["a", "b", "c", "d"]);
    let why = |seen: &Observation| compare(seen).lacking.map(|(_, lacking)| lacking.why).unwrap_or_default();
    assert_eq!(why(&seen(&log, &|n| n == 2 || n == 3)), [(GapReason::Quiet, 2)]);
    assert_eq!(why(&seen(&log, &|n| n >= 3)), [(GapReason::Silent, 2)]);
    let replaced = |from: &str, to: &str| {
        let mut seen = seen(&log, &|_| false);
        seen.console.text =
            String::from_utf8(seen.console.text).expect("text").replace(from, to).into_bytes();
        why(&seen)
    };
    assert_eq!(replaced("2.000052] b", "2.000052] "), [(GapReason::Damaged, 1)]);
    assert_eq!(
        replaced("[    2.000052] b\r\n", "** 1 printk messages dropped **\r\n"),
        [(GapReason::Dropped, 1)]
    );
    assert_eq!(
        replaced("[    2.000052] b\r\n[", "** 1 printk messages dropped ** ["),
        [(GapReason::Dropped, 1)]
    );
    // text of a program in front, a caller's name: the message is there
    assert_eq!(replaced("[    2.000052] b", "a prompt> [    2.000052] b"), []);
    assert_eq!(replaced("[    2.000052] b", "[    2.000052][  T99] b"), []);
}

#[test]
fn a_log_with_gaps_proves_nothing_where_an_attempt_ended_well() {
    let whole = seen(&log(&["a"]), &|_| false);
    let doubt = |change: &dyn Fn(&mut Observation)| {
        let mut seen = whole.clone();
        change(&mut seen);
        compare(&seen).doubt.unwrap_or_default()
    };
    let kmsg = |change: &dyn Fn(&mut LogExcerpt)| {
        doubt(&|seen| change(seen.kernel_log.kmsg.as_mut().expect("a log")))
    };
    let table = [
        kmsg(&|_| {}),
        kmsg(&|log| log.lost = 1),
        kmsg(&|log| log.left_out = 2),
        kmsg(&|log| log.ended = false),
        doubt(&|seen| {
            seen.kernel_log = KernelLog { kmsg_error: Some("no such file".into()), ..KernelLog::default() }
        }),
        doubt(&|seen| seen.kernel_log = KernelLog::default()),
        doubt(&|seen| {
            seen.ending = Ending::GuestReset;
            seen.kernel_log.kmsg.as_mut().expect("a log").lost = 1;
        }),
    ];
    insta::assert_snapshot!(table.join("\n"), @r"

    1 message of the kernel's log were overwritten before the agent could read them, a crash may be among them
    the kernel's log has 2 messages more than are kept, a crash may be among them
    the agent did not read the kernel's log to the dose's end
    the kernel's log could not be read: no such file

    ");
}

#[test]
fn a_silent_guest_speaks_through_its_memory() {
    let lines = [
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:99]",
        "Modules linked in: example",
        "CPU: 0 UID: 0 PID: 99 Comm: sh Not tainted 6.99.1 #1",
        "RIP: 0010:example_spin+0x2/0x10",
        "Call Trace:",
        " <TASK>",
        " example_write+0x10/0x20",
        " vfs_write+0x10/0x20",
        " </TASK>",
    ];
    let mut memory = log(&lines);
    // all since boot, as the ring has it
    memory.records.insert(
        0,
        LogRecord { seq: 49, micros: 1_000_000, text: b"booted".to_vec(), ..LogRecord::default() },
    );
    memory.records.pop();
    let mut told = Vec::new();
    for kmsg in [None, Some(LogExcerpt { records: memory.records[1..3].to_vec(), ..LogExcerpt::default() })] {
        let mut silent = seen(&log(&lines), &|n| n > 1);
        silent.ending = Ending::Stopped(crate::observation::Stopped::Silent { seconds: 45.0 });
        silent.kernel_log = KernelLog { kmsg, memory: Some(memory.clone()), ..KernelLog::default() };
        let (titles, testimony) = read_all(&silent);
        assert_eq!(titles, ["BUG: soft lockup in example_write (Memory)"]);
        told.push(testimony.findings().join("\n"));
    }
    assert_eq!(told[0], told[1]);
    insta::assert_snapshot!(told[0], @r"
    the console lacks 8 messages of the kernel (it was silent from then on); the kernel's log in the guest's memory has them
    the last messages, none of which is on the console:
      [    2.000052] Modules linked in: example
      [    2.000053] CPU: 0 UID: 0 PID: 99 Comm: sh Not tainted 6.99.1 #1
      [    2.000054] RIP: 0010:example_spin+0x2/0x10
      [    2.000055] Call Trace:
      [    2.000056]  <TASK>
      [    2.000057]  example_write+0x10/0x20
      [    2.000058]  vfs_write+0x10/0x20
      [    2.000059]  </TASK>
    ");
}

#[test]
fn a_guest_that_hangs_tells_its_last_messages() {
    let all =
        log(&["Loading the example", "example: interrupts are off", "sysrq: Show Blocked State", "task: sh"]);
    let mut hung = seen(&all, &|_| false);
    hung.kernel_log = KernelLog { memory: Some(all), ..KernelLog::default() };
    assert_eq!(read_all(&hung).1.findings(), [""; 0], "one that ended as it should");
    hung.ending = Ending::Stopped(crate::observation::Stopped::Terminate { limit: 25.0 });
    insta::assert_snapshot!(read_all(&hung).1.findings().join("\n"), @r"
    the kernel's last messages, by its log in the guest's memory:
      [    2.000051] Loading the example
      [    2.000052] example: interrupts are off
    ");
    // what the host asked for may be all that the console lacks
    let nmi =
        ["Uhhuh. NMI received for unknown reason 21 on CPU 0.", "Dazed and confused, but trying to continue"];
    let all = log(&[&["Loading the example"], &nmi[..]].concat());
    let mut hung = seen(&all, &|n| n > 1);
    hung.kernel_log = KernelLog { memory: Some(all), ..KernelLog::default() };
    hung.ending = Ending::Stopped(crate::observation::Stopped::Silent { seconds: 45.0 });
    insta::assert_snapshot!(read_all(&hung).1.findings().join("\n"), @r"
    the console lacks 2 messages of the kernel (it was silent from then on); the kernel's log in the guest's memory has them
    the kernel's last messages, by its log in the guest's memory:
      [    2.000051] Loading the example
    ");
}

proptest::proptest! {
    #[test]
    fn no_console_and_no_log_are_too_strange(
        text in ".{0,200}", stamps in proptest::collection::vec((0..4u64, 0..60u64, 0..2u32), 0..20), start in 0..300usize,
    ) {
        let records = stamps.iter().map(|(gap, micros, facility)| LogRecord {
            seq: gap * 7 + micros, micros: *micros, facility: *facility, level: 1, text: text.as_bytes().to_vec(),
        });
        let mut records: Vec<LogRecord> = records.collect();
        records.sort_by_key(|record| record.seq);
        records.dedup_by_key(|record| record.seq);
        let console: String = stamps.iter().map(|(_, micros, _)| format!("[    0.{micros:06}] {text}\n")).collect();
        let console = Console { dose_start: Some(start.min(console.len())), text: console.into_bytes(), ..Console::default() };
        let kernel_log = KernelLog { kmsg: Some(LogExcerpt { records, ..LogExcerpt::default() }), ..KernelLog::default() };
        let seen = Observation { console, kernel_log, ..Observation::not_started("") };
        let compared = compare(&seen);
        proptest::prop_assert_eq!(compared.console.len(), seen.console.text.len());
    }
}

#[test]
fn a_crash_of_the_dose_is_no_end_of_a_stall_before_it() {
    let stall = "\
[    1.100000] rcu: INFO: rcu_preempt self-detected stall on CPU
[    1.100001] rcu: \t0-...!: (2 ticks this GP) idle=0064/1/0x4000000000000000 softirq=467/467 fqs=0
[    1.100002] rcu: \t(t=32383 jiffies g=-935 q=6 ncpus=1)
[    1.100003] CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.57 #1
[    1.100004] Call Trace:
[    1.100005]  <TASK>
[    1.100006]  vfs_unlink+0x110/0x2a0
[    1.100007]  do_unlinkat+0x2ae/0x330
[    1.100008]  </TASK>
";
    let panic = [
        "sysrq: Trigger a crash",
        "Kernel panic - not syncing: sysrq triggered crash",
        "CPU: 0 UID: 0 PID: 142 Comm: sh Not tainted 6.12.57 #1",
        "Call Trace:",
        " <TASK>",
        " panic+0x118/0x2db",
        " sysrq_handle_crash+0x1a/0x20",
        " </TASK>",
    ];
    let whole = log(&panic);
    let mut seen = seen(&whole, &|_| false);
    seen.console.text.splice(0..0, stall.bytes());
    seen.console.dose_start = seen.console.dose_start.map(|at| at + stall.len());
    seen.console.dose_end = None;
    // the guest restarts: the agent read the mark and no more
    seen.ending = Ending::GuestReset;
    seen.kernel_log.kmsg =
        Some(LogExcerpt { records: vec![whole.records[0].clone()], ..LogExcerpt::default() });
    let (titles, _) = read_all(&seen);
    assert_eq!((titles.len(), titles[1..].join("")), (2, "kernel panic: sysrq triggered crash".to_owned()));
}
