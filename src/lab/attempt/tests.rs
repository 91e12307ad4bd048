//! Attempts with scripted guests: every way in which one ends, what evidence is asked for before, and what verdict comes of
//! it. Times are virtual.

mod clocks;

use std::cell::RefCell;
use std::time::Duration;

use super::{AttemptContext, Limits, Payload, Timeouts, run};
use crate::cancel::Cancel;
use crate::guest::blocked::BlockedTask;
use crate::guest::message::FromGuest;
use crate::lab::prepare::Prepared;
use crate::lab::{Watch, sim};
use crate::machine::{Device, DeviceKind, Machine};
use crate::observation::{
    DetectorState, Ending, LogExcerpt, LogRecord, Observation, Phase, SetupFailure, Stopped,
};
use crate::oops;
use crate::suite::{MatchContext, Test};
use crate::verdict::{is_undetectable, judge};
use crate::vm::scripted::{Script, ScriptedGuest};
use crate::vm::spec::{Accel, VmDevice};
use crate::witness;

const OOPS: &str = "\
[    4.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    4.000001] #PF: supervisor read access in kernel mode
[    4.000002] Oops: Oops: 0000 [#1] SMP NOPTI
[    4.000003] CPU: 0 UID: 0 PID: 99 Comm: program Not tainted 6.1.0 #1
[    4.000004] RIP: 0010:scripted_crash+0x10/0x20
[    4.000005] Call Trace:
[    4.000006]  <TASK>
[    4.000007]  scripted_caller+0x10/0x20
[    4.000008]  </TASK>
[    4.000009] ---[ end trace 0000000000000000 ]---
";

const HUNG: &str = "[   14.0] INFO: task dd:7 blocked for more than 10 seconds.\n";
const LOCKUP: &str = "[   30.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [dd:7]\n";

/// What a program of these tests says.
const BOOM: &str = "{reported: {matching: boom}}";

/// A test with this symptom.
fn test(symptom: &str) -> Test {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.yaml");
    let text = format!(
        "suite: s\nsummary: s\ntests:\n- name: a\n  summary: a\n  program: {{shell: 'true'}}\n  symptom: {symptom}\n"
    );
    std::fs::write(&path, text).expect("a file");
    let suite = crate::suite::load_file(&path).expect("a suite");
    (*suite.tests[0]).clone()
}

#[derive(Default)]
struct Heard(RefCell<Vec<String>>);

impl Watch for Heard {
    fn phase(&self, _: Phase) {}
    fn slow(&self, seconds: f64) {
        self.0.borrow_mut().push(format!("slow after {seconds:.1} s"));
    }
    fn trouble(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
}

/// What an attempt resulted in.
struct Attempted {
    seen: Observation,
    /// What the host did, without the setting up.
    actions: String,
    heard: Vec<String>,
    /// By the judge, with all witnesses.
    verdict: String,
}

impl Attempted {
    fn ending(&self) -> String {
        match &self.seen.ending {
            Ending::Complete => "complete".to_owned(),
            Ending::GuestReset => "reset".to_owned(),
            Ending::QemuDied { detail } | Ending::NotStarted { detail } => detail.clone(),
            Ending::Stopped(stopped) => match stopped {
                Stopped::CrashSeen => "crash seen".to_owned(),
                Stopped::Terminate { limit } => format!("not done in {limit} s"),
                Stopped::BootTimeout { limit } => format!("no boot in {limit} s"),
                Stopped::Silent { seconds } => format!("silent for {seconds} s"),
                Stopped::Undetectable => "undetectable".to_owned(),
                Stopped::Cancelled => "cancelled".to_owned(),
            },
        }
    }

    /// In one line.
    fn line(&self) -> String {
        let (phase, seconds) = (format!("{:?}", self.seen.phase).to_lowercase(), self.seen.seconds);
        format!("{} in {phase} at {seconds:.1} s: {}", self.ending(), self.verdict)
    }
}

fn attempt(script: Script) -> Attempted {
    attempt_with(script, &Cancel::new(), |_| {})
}

fn attempt_with(script: Script, cancel: &Cancel, change: impl Fn(&mut AttemptContext<'_>)) -> Attempted {
    attempt_of(&test(BOOM), script, cancel, change)
}

fn attempt_of(
    test: &Test,
    script: Script,
    cancel: &Cancel,
    change: impl Fn(&mut AttemptContext<'_>),
) -> Attempted {
    let (kernel, machine) = (sim::kernel("6.1"), Machine::built_in());
    let payload =
        Payload::build(&kernel, test, &machine, &Prepared::default(), 1, Accel::Tcg).expect("a payload");
    let card = Device { name: "card".into(), at_start: false, behind: None, kind: DeviceKind::Igb };
    let (heard, devices) = (Heard::default(), [VmDevice { device: card, nth: 1, image: None }]);
    let in_vain = |seen: &Observation| is_undetectable(test, seen);
    let mut context = AttemptContext {
        payload: &payload,
        modules: &kernel.modules,
        devices: &devices,
        limits: Limits { slow: Duration::from_secs(30), terminate: Duration::from_secs(60) },
        timeouts: Timeouts::default(),
        watch: &heard,
        cancel,
        console_file: None,
        output_file: None,
        vmcore: None,
        reads_memory: false,
        clock_leaps: false,
        in_vain: &in_vain,
    };
    change(&mut context);
    let mut guest = ScriptedGuest::new(script);
    let start = crate::vm::guest::Guest::now(&guest);
    let mut seen = run(&mut guest, context, start);
    let actions = guest.take_actions();
    let setting_up = ["sysctl", "file", "check", "run"];
    let actions = actions
        .lines()
        .filter(|line| !setting_up.iter().any(|word| line.split(' ').nth(1) == Some(word)))
        .map(|line| format!("{line}\n"))
        .collect();
    let today = "2026-01-01".parse().expect("a date");
    let (sorted, _) = witness::read(&mut seen, &|text, lines_from| {
        let now = MatchContext { today, version: Some(&kernel.version), lines_from };
        test.messages.read(oops::Engine::embedded(), text, now, |_| false)
    });
    let judgement = judge(test, &seen, &sorted.reports);
    let why = judgement.title.or(judgement.reason).map(|why| format!(": {why}")).unwrap_or_default();
    let verdict = format!("{:?}{why}", judgement.verdict);
    Attempted { seen, actions, heard: heard.0.into_inner(), verdict }
}

fn record(seq: u64, text: &str) -> LogRecord {
    LogRecord { seq, micros: seq * 1_000_000, facility: 0, level: 0, text: text.into() }
}

#[test]
fn every_ending_of_an_attempt() {
    let in_dose = || Script::in_dose();
    let table: Vec<(&str, Script)> = vec![
        ("the whole dose", in_dose().after(1.0).completes()),
        ("the symptom", in_dose().report("symptom boom").completes()),
        ("the last word, and no mark on the console", {
            let quiet = in_dose().program_exits(0).reached(Phase::Settle);
            quiet.say(FromGuest::Probes { readings: vec![] }).until("power-off").say(FromGuest::Bye)
        }),
        ("the mark comes after the last word", {
            let late = in_dose().program_exits(0).reached(Phase::Settle);
            let late = late.say(FromGuest::Probes { readings: vec![] }).until("power-off");
            late.say(FromGuest::Bye).after(1.0).console("[    5.0] kregress: dose ends {nonce}\n")
        }),
        ("QEMU ends after the last word", {
            let over = in_dose().program_exits(0).reached(Phase::Settle);
            let over = over.say(FromGuest::Probes { readings: vec![] }).until("power-off");
            over.say(FromGuest::Bye).resets()
        }),
        ("a code that is not 0", in_dose().ends_with(3)),
        ("silence while it boots", Script::new().after(1.0).console("[    0.0] Linux version 6.1.0\n")),
        ("a panic while it boots", {
            let panic = "[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
            Script::new().after(1.0).console(panic).after(0.5).resets()
        }),
        ("a module does not load", {
            let failure = SetupFailure::Module { name: "m".into(), error: "Invalid argument".into() };
            Script::booted()
                .until("run")
                .say(FromGuest::Failed(failure))
                .until("power-off")
                .say(FromGuest::Bye)
        }),
        ("the setting up takes for ever", beats(Script::booted(), 70)),
        ("the program takes for ever", beats(in_dose(), 70)),
        ("the settling takes for ever", { beats(in_dose().program_exits(0).reached(Phase::Settle), 70) }),
        ("the power-off takes for ever", {
            let probes = FromGuest::Probes { readings: vec![] };
            in_dose().program_exits(0).reached(Phase::Settle).say(probes).until("power-off")
        }),
        ("the agent falls silent", in_dose()),
        ("an oops", in_dose().after(1.0).console(OOPS).after(0.2).resets()),
        ("an oops, and no restart", in_dose().after(1.0).console(OOPS)),
        ("a hung task", in_dose().after(11.0).console(HUNG)),
        ("the guest restarts", in_dose().after(1.0).resets()),
        ("QEMU is killed", in_dose().after(1.0).exits(false, "QEMU was ended by signal 9", "")),
        ("QEMU fails", Script::new().exits(false, "QEMU ended with exit code 1", "no such device")),
        ("frames are lost", in_dose().loses_frames(2).completes()),
    ];
    let lines: String =
        table.into_iter().map(|(name, script)| format!("{name}: {}\n", attempt(script).line())).collect();
    insta::assert_snapshot!(lines, @r#"
    the whole dose: complete in stop at 4.0 s: Good
    the symptom: complete in stop at 3.0 s: Bad: boom
    the last word, and no mark on the console: complete in stop at 8.0 s: Blind: the console does not show the dose's beginning and end: the kernel's messages did not get through
    the mark comes after the last word: complete in stop at 4.0 s: Good
    QEMU ends after the last word: complete in stop at 3.0 s: Blind: the console does not show the dose's beginning and end: the kernel's messages did not get through
    a code that is not 0: complete in stop at 3.0 s: Blind: the program ended early with exit code 3
    silence while it boots: no boot in 60 s in boot at 60.0 s: Lost: no word from the agent within 60 s of boot; the console ends with "[    0.0] Linux version 6.1.0"
    a panic while it boots: reset in boot at 1.5 s: Lost: the kernel had no init to run during boot: kernel panic: VFS: Unable to mount root fs
    a module does not load: complete in setup at 2.0 s: Blind: module m could not be loaded: Invalid argument
    the setting up takes for ever: not done in 60 s in setup at 70.0 s: Lost: the attempt ended during setup; the console ends with "[    0.0] Linux version 6.1.0"
    the program takes for ever: not done in 60 s in dose at 71.0 s: Blind: the program did not end within 60 s
    the settling takes for ever: not done in 60 s in settle at 71.2 s: Blind: the guest did not finish after the program's end within 60 s
    the power-off takes for ever: not done in 5 s in stop at 16.0 s: Blind: the guest did not finish after the program's end within 5 s
    the agent falls silent: silent for 45 s in dose at 56.0 s: Blind: the agent fell silent for 45 s during dose, and the console shows no crash
    an oops: reset in dose at 4.2 s: Other: BUG: unable to handle kernel NULL pointer dereference in scripted_crash
    an oops, and no restart: crash seen in dose at 14.0 s: Other: BUG: unable to handle kernel NULL pointer dereference in scripted_crash
    a hung task: crash seen in dose at 22.3 s: Other: INFO: task hung in corrupted
    the guest restarts: reset in dose at 4.0 s: Blind: the guest restarted or powered off during dose, and its console shows no crash
    QEMU is killed: QEMU was ended by signal 9 in dose at 4.0 s: Lost: QEMU was ended by signal 9
    QEMU fails: QEMU ended with exit code 1: no such device in boot at 0.0 s: Lost: QEMU ended with exit code 1: no such device
    frames are lost: complete in stop at 3.0 s: Blind: 2 frames between host and agent were lost or not the agent's, and what was in them is not known
    "#);
}

/// An agent that gives a sign each second.
fn beats(script: Script, seconds: u64) -> Script {
    (0..seconds).fold(script, |script, n| script.after(1.0).say(FromGuest::Heartbeat { uptime_ms: n * 1000 }))
}

#[test]
fn a_dose_that_could_show_nothing_is_not_begun() {
    let hard = "{crash: {title: '^BUG: hard lockup'}}";
    let ready = |name: &str, before: Option<&str>| {
        let (before, error) = match before {
            Some(before) => (Some(before.to_owned()), None),
            None => (None, Some("/proc: Permission denied".to_owned())),
        };
        let state = DetectorState { name: name.into(), before, error, ..DetectorState::default() };
        let over = DetectorState { after: state.before.clone(), ..state.clone() };
        let ready = FromGuest::Ready { states: vec![state], readings: vec![] };
        let script = Script::booted().until("run").say(ready);
        let over = FromGuest::Detectors { states: vec![over] };
        script.until("begin").after(1.0).dose_begins().after(1.0).say(over).completes()
    };
    let table = [
        ("it works", hard, "kernel.nmi_watchdog", Some("1")),
        ("it does not", hard, "kernel.nmi_watchdog", Some("0")),
        ("unreadable", hard, "kernel.nmi_watchdog", None),
        ("another one", hard, "kernel.soft_watchdog", Some("0")),
        ("used up", "{crash: {kind: [LOCKDEP]}}", "debug_locks", Some("0")),
        ("needs none", BOOM, "debug_locks", Some("0")),
    ];
    let mut lines = String::new();
    for (name, symptom, setting, before) in table {
        let script = ready(setting, before);
        let attempted = attempt_of(&test(symptom), script, &Cancel::new(), |_| {});
        let begun = attempted.actions.contains("begin");
        lines += &format!("{name}: begun {begun}: {}\n", attempted.line());
    }
    insta::assert_snapshot!(lines, @r"
    it works: begun true: complete in stop at 4.0 s: Good
    it does not: begun false: undetectable in setup at 2.0 s: Skip: a detector was off: kernel.nmi_watchdog was 0 before the dose (CONFIG_HARDLOCKUP_DETECTOR)
    unreadable: begun false: undetectable in setup at 2.0 s: Blind: kernel.nmi_watchdog could not be read before the dose: /proc: Permission denied (CONFIG_HARDLOCKUP_DETECTOR)
    another one: begun true: complete in stop at 4.0 s: Good
    used up: begun false: undetectable in setup at 2.0 s: Blind: a detector was off: debug_locks was 0 before the dose (CONFIG_LOCKDEP)
    needs none: begun true: complete in stop at 4.0 s: Good
    ");
}

#[test]
fn evidence_of_a_hang_is_asked_for_before_the_end() {
    let in_dose = || Script::in_dose();
    let blocked = || FromGuest::BlockedTasks {
        tasks: vec![BlockedTask { pid: 7, comm: "dd".into(), stack: vec!["io_schedule".into()] }],
    };
    // the agent answers: the kernel is not asked
    let answered = attempt(in_dose().after(11.0).console(HUNG).until("blocked-tasks").say(blocked()));
    insta::assert_snapshot!(answered.actions, @r"
    8.0 read-log
    14.3 blocked-tasks
    15.3 pause
    15.3 read-log
    15.3 kill
    ");
    assert_eq!(answered.seen.blocked.len(), 1);
    // it does not: the kernel is asked over the console
    insta::assert_snapshot!(attempt(in_dose().after(11.0).console(HUNG)).actions, @r"
    8.0 read-log
    14.3 blocked-tasks
    17.3 sysrq w
    18.3 sysrq l
    22.3 pause
    22.3 read-log
    22.3 kill
    ");
    // a console that speaks on is not asked into
    let speaks =
        (0..40).fold(in_dose().console(HUNG), |script, _| script.after(0.1).console("[ 14.1] more\n"));
    insta::assert_snapshot!(attempt(speaks).actions, @r"
    6.0 blocked-tasks
    9.0 sysrq w
    10.0 sysrq l
    14.0 pause
    14.0 read-log
    14.0 kill
    ");
    // an agent that is silent is not waited for, and the processors are interrupted
    insta::assert_snapshot!(attempt(in_dose()).actions, @r"
    8.0 read-log
    48.0 blocked-tasks
    48.0 nmi
    48.0 sysrq w
    49.0 sysrq l
    56.0 pause
    56.0 read-log
    56.0 kill
    ");
    // a machine that refuses is ended all the same
    assert_eq!(attempt(in_dose().refuses_keys()).ending(), "silent for 45 s");
}

#[test]
fn a_silent_agents_guest_is_looked_into() {
    let in_dose = || Script::in_dose();
    let log = |texts: &[&str]| {
        let records = (0..).zip(texts).map(|(seq, text)| record(seq, text)).collect();
        Ok(LogExcerpt { records, ended: true, ..LogExcerpt::default() })
    };
    // a crash that only the memory shows ends the attempt as one on the console does
    let unseen = attempt(in_dose().memory_holds(log(&[
        "kregress: dose starts 0000000000000001",
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "RIP: 0010:scripted_crash+0x10/0x20",
    ])));
    insta::assert_snapshot!(format!("{}\n{}", unseen.line(), unseen.actions), @r"
    crash seen in dose at 18.0 s: Other: BUG: unable to handle kernel NULL pointer dereference in scripted_crash
    8.0 read-log
    18.0 pause
    18.0 read-log
    18.0 kill
    ");
    // a processor that hangs may go on: the agent's silence ends it
    let stuck =
        attempt(in_dose().memory_holds(log(&[LOCKUP.trim_end().split_once("] ").expect("a line").1])));
    assert_eq!(stuck.ending(), "silent for 45 s");
    // unless it speaks again
    let speaks = in_dose().console(LOCKUP).after(7.0).say(FromGuest::Heartbeat { uptime_ms: 1 });
    assert_eq!(attempt(speaks.completes()).ending(), "complete");
}

#[test]
fn the_memory_is_read_and_kept_where_the_guest_did_not_end_as_it_should() {
    let vmcore = |context: &mut AttemptContext<'_>| context.vmcore = Some("a/vmcore".into());
    let cancel = Cancel::new();
    let in_dose = || Script::in_dose();
    let paused = |script: Script| script.event(crate::vm::guest::VmEvent::Paused);
    let table = [
        ("it was complete", attempt_with(in_dose().completes(), &cancel, |_| {})),
        ("complete, kept", attempt_with(paused(in_dose().completes()), &cancel, vmcore)),
        ("reset, kept", attempt_with(paused(in_dose().console(OOPS)), &cancel, vmcore)),
        ("silent, unreadable", attempt_with(in_dose(), &cancel, |_| {})),
        ("always read", attempt_with(in_dose().completes(), &cancel, |context| context.reads_memory = true)),
        ("QEMU is gone", attempt_with(in_dose().resets(), &cancel, vmcore)),
    ];
    let mut lines = String::new();
    for (name, attempted) in table {
        let memory = ["pause-at-end", "pause", "read-log", "dump vmcore"];
        let did: Vec<&str> = attempted
            .actions
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, action)| action)
            .filter(|action| memory.contains(action))
            .collect();
        let error = attempted.seen.kernel_log.memory_error.unwrap_or_default();
        lines += &format!("{name}: {} {error}\n", did.join(", "));
    }
    insta::assert_snapshot!(lines, @r"
    it was complete:  
    complete, kept: pause-at-end, dump vmcore 
    reset, kept: pause-at-end, pause, read-log, dump vmcore the guest's memory has no VMCOREINFO
    silent, unreadable: read-log, pause, read-log the guest's memory has no VMCOREINFO
    always read: pause-at-end, pause, read-log the guest's memory has no VMCOREINFO
    QEMU is gone: pause-at-end
    ");
}

#[test]
fn an_attempt_is_called_off_at_any_time() {
    let table = [
        ("at once", Script::new()),
        ("while it boots", Script::new().after(1.0).console("[    0.0] Linux version 6.1.0\n")),
        ("in the dose", Script::in_dose().after(1.0)),
        ("while evidence is awaited", Script::in_dose().after(1.0).console(OOPS).after(1.0)),
    ];
    for (name, script) in table {
        let cancel = Cancel::new();
        let attempted = attempt_with(script.interrupted(&cancel).after(1.0), &cancel, |context| {
            context.vmcore = Some("a/vmcore".into());
        });
        assert_eq!(attempted.ending(), "cancelled", "{name}");
        assert!(attempted.verdict.contains("interrupted"), "{name}: {}", attempted.verdict);
        assert!(!attempted.actions.contains("dump"), "{name}: {}", attempted.actions);
        assert!(attempted.actions.ends_with("kill\n"), "{name}: {}", attempted.actions);
    }
}

#[test]
fn a_program_plugs_devices() {
    let script = Script::in_dose()
        .asks("plug card")
        .until("answer")
        .asks("unplug card")
        .until("unplug")
        .after(1.0)
        .event(crate::vm::guest::VmEvent::Device(crate::vm::guest::DeviceEvent::Deleted("card".into())))
        .until("answer")
        .asks("plug other")
        .completes();
    let attempted = attempt(script);
    assert_eq!(attempted.ending(), "complete");
    insta::assert_snapshot!(attempted.actions, @r#"
    3.0 plug card
    3.0 answer: done
    3.0 unplug card
    4.0 answer: done
    4.0 answer: the machine has no device "other", it has card
    4.0 power-off
    4.0 kill
    "#);
}

#[test]
fn a_program_that_floods_the_host_with_requests_is_blind() {
    let flood = (0..1100).fold(Script::in_dose().asks("plug card"), |script, _| script.asks("unplug card"));
    let attempted = attempt(flood.completes());
    insta::assert_snapshot!(attempted.line(), @"complete in stop at 3.0 s: Blind: the program could not judge: it asked to plug devices faster than it took the answers, and was no longer listened to");
}

#[test]
fn a_slow_program_is_reported_once() {
    let attempted = attempt(beats(Script::in_dose(), 40).completes());
    assert_eq!(attempted.ending(), "complete");
    assert_eq!(attempted.heard, ["slow after 30.0 s"]);
}

#[test]
fn what_is_printed_at_the_end_is_kept() {
    // it was not reported when the machine ended
    let attempted = attempt(Script::in_dose().resets().console("[    4.0] last words\n"));
    assert_eq!(attempted.ending(), "reset");
    assert!(attempted.seen.console.text.ends_with(b"last words\n"));
}
