//! What every other end of an attempt means.

use super::*;
use crate::observation::BlockedTask;

const CRASH: &str = "{crash: {trace: ['^elevator_change_done$']}}";
const INIT_KILLED: &str = "kernel panic: Attempted to kill init! exitcode=0x00000009";

fn stopped(stopped: Stopped) -> Ending {
    Ending::Stopped(stopped)
}

#[test]
fn witnesses_that_differ_prove_nothing() {
    let log = |change: fn(&mut crate::observation::KernelLog)| changed(|seen| change(&mut seen.kernel_log));
    let forged = log(|log| log.forged = Some("WARNING in f".into()));
    let ended = Observation { ending: Ending::GuestReset, ..forged.clone() };
    let written = "blind: a program wrote what looks like a crash report of the kernel: WARNING in f";
    let table: &[(&str, Observation, &str)] = &[
        (CRASH, forged, written),
        (CRASH, ended, written),
        (CRASH, log(|log| log.doubt = Some("2 messages were lost".into())), "blind: 2 messages were lost"),
    ];
    for (symptom, seen, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, &[]), *expected);
    }
}

#[test]
fn exit_codes() {
    let exit = |exit| changed(|seen| seen.program.exit = exit);
    let code = |code| exit(Some(Exit::Code(code)));
    let with_output = changed(|seen| {
        seen.program.exit = Some(Exit::Code(1));
        seen.program.output = "one\nmount: no such device\n\n".into();
    });
    let by_exit = "{exit: {code: 3}}";
    let table: &[(&str, Observation, &str)] = &[
        (CRASH, code(0), "good"),
        (CRASH, code(77), "skip: the program skipped without a reason"),
        (CRASH, code(1), "blind: the program ended early with exit code 1"),
        (CRASH, code(3), "blind: the program ended early with exit code 3"),
        (CRASH, with_output, "blind: the program ended early with exit code 1: mount: no such device"),
        (CRASH, exit(Some(Exit::Signal(9))), "blind: the program ended early with signal 9"),
        (CRASH, exit(None), "blind: the program's end was not seen"),
        (by_exit, code(0), "good"),
        (by_exit, code(3), "bad: the program ended with exit code 3"),
        (by_exit, code(77), "skip: the program skipped without a reason"),
        (by_exit, code(1), "blind: the program ended with exit code 1, which means neither good nor bad"),
        (by_exit, exit(Some(Exit::Signal(3))), "blind: the program ended early with signal 3"),
        (by_exit, exit(None), "blind: the program's end was not seen"),
    ];
    for (symptom, seen, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, &[]), *expected, "{symptom} {:?}", seen.program.exit);
    }
}

#[test]
fn ends_before_the_dose() {
    let boot = |ending| undosed(Phase::Boot, ending);
    let silent_console = |ending| Observation { console: Console::default(), ..boot(ending) };
    let failed =
        |failure| Observation { setup_failure: Some(failure), ..undosed(Phase::Setup, Ending::Complete) };
    let module = SetupFailure::Module { name: "bfq".into(), error: "Unknown symbol".into() };
    let program = SetupFailure::Program { error: "Exec format error".into() };
    let last = "; the console ends with \"[    9.0] last line\"";
    let boot_timeout = || stopped(Stopped::BootTimeout { limit: 120.0 });
    let mut gave_up = boot(Ending::GuestReset);
    gave_up.console.text.extend_from_slice(
        b"\nkregress: the agent cannot go on: no channel: a; b\r\n[    5.0] reboot: Power down\n",
    );
    let table: &[(Observation, Vec<Report>, String)] = &[
        (Observation::not_started("no initramfs"), vec![], "no initramfs".into()),
        (boot(Ending::QemuDied { detail: "QEMU ended with exit code 1: no such device".into() }), vec![], "QEMU ended with exit code 1: no such device".into()),
        (boot(boot_timeout()), vec![], format!("no word from the agent within 120 s of boot{last}")),
        (silent_console(boot_timeout()), vec![], "no word from the agent within 120 s of boot; the console is empty".into()),
        (boot(Ending::GuestReset), vec![], format!("the guest restarted during boot without a crash report{last}")),
        (gave_up, vec![], "during boot the agent cannot go on: no channel: a; b".into()),
        (undosed(Phase::Setup, stopped(Stopped::Silent { seconds: 45.0 })), vec![], format!("the agent fell silent for 45 s during setup{last}")),
        (undosed(Phase::Setup, stopped(Stopped::Terminate { limit: 60.0 })), vec![], format!("the attempt ended during setup{last}")),
        (undosed(Phase::Check, Ending::Complete), vec![], format!("the attempt ended during check{last}")),
        // the trivial program is no evidence about the test
        (failed(SetupFailure::Check { error: "signal 11".into() }), vec![], "the trivial program failed: signal 11".into()),
        (failed(SetupFailure::Channel { frames: 1 }), vec![], "one frame between host and agent was lost or not the agent's, and what was in it is not known".into()),
        // no init: what this program put into the guest did not work, the kernel did
        (boot(Ending::GuestReset), vec![panic_of("kernel panic: VFS: Unable to mount root fs on unknown-block(0,0)", BEFORE)], "the kernel had no init to run during boot: kernel panic: VFS: Unable to mount root fs on unknown-block(0,0)".into()),
        (boot(Ending::GuestReset), vec![panic_of("kernel panic: IO-APIC + timer doesn't work! Boot with apic=debug", BEFORE)], "the host was too busy to emulate a timer in time: kernel panic: IO-APIC + timer doesn't work! Boot with apic=debug".into()),
        (boot(Ending::GuestReset), vec![Report { panicked: true, ..warning(BEFORE) }, panic_of("kernel panic: No working init found.", BEFORE + 600)], "the kernel had no init to run during boot: kernel panic: No working init found.".into()),
        (undosed(Phase::Setup, Ending::GuestReset), vec![panic_of(INIT_KILLED, BEFORE)], format!("the kernel had no init to run during setup: {INIT_KILLED}")),
    ];
    let test = test_with(CRASH, "");
    for (seen, reports, reason) in table {
        assert_eq!(said(&test, seen, reports), format!("lost, not dosed: {reason}"), "{:?}", seen.ending);
    }
    // what the test itself asks for and the kernel refuses is worth no second attempt
    assert_eq!(said(&test, &failed(module), &[]), "blind: module bfq could not be loaded: Unknown symbol");
    assert_eq!(
        said(&test, &failed(program), &[]),
        "blind: the program could not be started: Exec format error"
    );
}

#[test]
fn a_breakpoint_that_is_no_longer_there_is_qemus_fault() {
    const TITLE: &str = "int3 in sched_clock_cpu";
    let crash = "Oops: int3: 0000 [#1] SMP\nCode: 41 54 55 53 66 <90> e8 31\n";
    let text = format!("{:DURING$}{crash}", "");
    let stale = Report { end: text.len(), ..report(TITLE, ReportKind::DoS, DURING, &["sched_clock_cpu"]) };
    let with = |mut seen: Observation, stale_code| {
        seen.console.text = text.clone().into_bytes();
        Observation { stale_code, ..seen }
    };
    let why = format!(
        "QEMU ran a breakpoint that the kernel had already taken back, as it does before 8.1 when it emulates several processors: {TITLE}"
    );
    let test = test_with(CRASH, "");
    let any_oops = test_with("{crash: {title: '^int3 in'}}", "");
    let dose = || cut_short(Ending::GuestReset);
    let boot = || undosed(Phase::Boot, Ending::GuestReset);
    let reports = &[stale.clone()][..];
    // a symptom that fits any crash is not shown by it, and neither is what comes after it
    for (test, verdict) in [(&test, "lost"), (&any_oops, "blind")] {
        assert_eq!(said(test, &with(dose(), true), reports), format!("{verdict}: {why}"));
        let after = [stale.clone(), oops(stale.end)];
        assert_eq!(said(test, &with(dose(), true), &after), format!("{verdict}: {why}"));
        assert_eq!(said(test, &with(boot(), true), reports), format!("lost, not dosed: during boot {why}"));
    }
    // what came before it counts
    assert_eq!(
        said(&test, &with(dose(), true), &[oops(DOSE.0), stale.clone()]),
        "bad: general protection fault in elv_x"
    );
    // elsewhere it is the kernel's
    assert_eq!(
        said(&test, &with(dose(), false), reports),
        format!("other: {TITLE}: not this test's symptom")
    );
    assert_eq!(said(&any_oops, &with(dose(), false), reports), format!("bad: {TITLE}"));
    assert_eq!(
        said(&test, &with(boot(), false), reports),
        format!("other, not dosed: {TITLE}: before the test started")
    );
}

#[test]
fn crashes_before_the_dose() {
    let test = test_with(CRASH, "");
    let boot = undosed(Phase::Boot, Ending::GuestReset);
    let setup = undosed(Phase::Setup, stopped(Stopped::Terminate { limit: 60.0 }));
    let other = |title: &str| format!("other, not dosed: {title}: before the test started");
    assert_eq!(said(&test, &boot, &[oops(BEFORE)]), other("general protection fault in elv_x"));
    // an oops that takes init with it is the oops
    let both = [oops(BEFORE), panic_of(INIT_KILLED, BEFORE + 600)];
    assert_eq!(said(&test, &boot, &both), other("general protection fault in elv_x"));
    let panicked = Report { panicked: true, ..warning(BEFORE) };
    assert_eq!(said(&test, &boot, &[panicked]), other("WARNING in folio_x"));
    assert_eq!(said(&test, &setup, &[hung(BEFORE)]), other("INFO: task hung in elv_iosched_store"));
    // a warning alone ends no boot
    assert!(said(&test, &boot, &[warning(BEFORE)]).starts_with("lost, not dosed: "));
    assert!(
        said(&test, &boot, &[Report { suppressed: true, ..oops(BEFORE) }]).starts_with("lost, not dosed: ")
    );
}

#[test]
fn ends_during_the_dose() {
    let blocked = |seen: Observation| Observation {
        blocked: vec![BlockedTask { pid: 7, comm: "dd".into(), stack: vec!["msleep".into()] }],
        ..seen
    };
    let terminate = || stopped(Stopped::Terminate { limit: 60.0 });
    let after = |ending| Observation { phase: Phase::Settle, ..cut_short(ending) };
    let table: &[(Observation, Vec<Report>, &str)] = &[
        (cut_short(terminate()), vec![], "blind: the program did not end within 60 s"),
        (
            blocked(cut_short(terminate())),
            vec![],
            "blind: the program did not end within 60 s; task dd (7) is blocked in msleep",
        ),
        (after(terminate()), vec![], "blind: the guest did not finish after the program's end within 60 s"),
        (
            cut_short(stopped(Stopped::Silent { seconds: 45.2 })),
            vec![],
            "blind: the agent fell silent for 45 s during dose, and the console shows no crash",
        ),
        (
            cut_short(stopped(Stopped::CrashSeen)),
            vec![],
            "blind: the console looked like a crash, but no report could be read from it",
        ),
        (
            cut_short(stopped(Stopped::CrashSeen)),
            vec![oops(DURING)],
            "bad: general protection fault in elv_x",
        ),
        (
            cut_short(Ending::GuestReset),
            vec![],
            "blind: the guest restarted or powered off during dose, and its console shows no crash",
        ),
        (cut_short(Ending::GuestReset), vec![oops(DURING)], "bad: general protection fault in elv_x"),
        (
            cut_short(Ending::QemuDied { detail: "QEMU was ended by signal 9".into() }),
            vec![],
            "lost: QEMU was ended by signal 9",
        ),
        (
            cut_short(Ending::QemuDied { detail: "QEMU was ended by signal 9".into() }),
            vec![warning(DURING)],
            "other: WARNING in folio_x: not this test's symptom",
        ),
        (cut_short(stopped(Stopped::Cancelled)), vec![oops(DURING)], "lost, not dosed: interrupted"),
        // the mark alone shows that the dose began, where the agent's word for it was lost
        (
            Observation { program: ProgramRun::default(), ..cut_short(Ending::GuestReset) },
            vec![oops(DURING)],
            "bad: general protection fault in elv_x",
        ),
        // the program killed init: nothing that the kernel did
        (
            cut_short(Ending::GuestReset),
            vec![panic_of(INIT_KILLED, DURING)],
            "blind: the guest's init was ended during dose: kernel panic: Attempted to kill init! exitcode=0x00000009",
        ),
    ];
    for (seen, reports, expected) in table {
        assert_eq!(said(&test_with(CRASH, ""), seen, reports), *expected, "{:?}", seen.ending);
    }
    // not even a symptom that every panic fits makes the end of init one
    for symptom in ["{crash: {title: 'kernel panic'}}", "{crash: {kind: [DoS]}}"] {
        let panic = [panic_of(INIT_KILLED, DURING)];
        let said = said(&test_with(symptom, ""), &cut_short(Ending::GuestReset), &panic);
        assert!(said.starts_with("blind: the guest's init was ended"), "{said}");
    }
}

#[test]
fn good_takes_the_whole_console() {
    let test = test_with(CRASH, "");
    let marks = "blind: the console does not show the dose's beginning and end: the kernel's messages did not get through";
    let left_out = changed(|seen| seen.console.left_out = 4096);
    assert_eq!(
        said(&test, &left_out, &[]),
        "blind: 4096 bytes of the console are missing, a crash may be among them"
    );
    assert_eq!(said(&test, &changed(|seen| seen.console.dose_start = None), &[]), marks);
    assert_eq!(said(&test, &changed(|seen| seen.console.dose_end = None), &[]), marks);
    let dropped = |at| {
        changed(|seen| {
            seen.console.text = vec![b'x'; DOSE.1];
            seen.console.text.splice(at..at, *b"\n** 12 printk messages dropped ** [    5.0] x");
        })
    };
    assert_eq!(
        said(&test, &dropped(DURING), &[]),
        "blind: the kernel said more than its log holds and dropped messages, a crash may be among them"
    );
    assert_eq!(said(&test, &dropped(BEFORE), &[]), "good");
    assert_eq!(said(&test, &dropped(DURING), &[oops(DURING)]), "bad: general protection fault in elv_x");
    // what was seen in the part that is there was seen
    assert_eq!(said(&test, &left_out, &[oops(DURING)]), "bad: general protection fault in elv_x");
}

#[test]
fn good_takes_the_whole_dose() {
    let did = |rounds: u64| changed(|seen| seen.program.take_report(&format!("iterations {rounds}")));
    let rounds = test_with(CRASH, "  dose: {rounds: 100}\n");
    assert_eq!(said(&rounds, &did(100), &[]), "good");
    assert_eq!(said(&rounds, &did(99), &[]), "blind: the program did 99 of 100 rounds");
    let silent = "blind: the program did not say how many of its 100 rounds it did (a line `iterations N`)";
    assert_eq!(said(&rounds, &clean(), &[]), silent);
    // where a time is given too, the program ends at whichever comes first
    let either = test_with(CRASH, "  dose: {rounds: 100, seconds: 5}\n");
    let in_time = |rounds, ran_ms| Observation {
        program: ProgramRun { ran_ms: Some(ran_ms), ..did(rounds).program },
        ..clean()
    };
    assert_eq!(said(&either, &in_time(99, 5000), &[]), "good");
    assert_eq!(said(&either, &in_time(100, 100), &[]), "good");
    let early = "blind: the program ended with 0 too early: it ran 0.1 s of 5 s";
    assert_eq!(said(&either, &in_time(99, 100), &[]), early);
    assert_eq!(said(&either, &clean(), &[]), silent);
    assert_eq!(
        said(
            &rounds,
            &changed(|seen| {
                *seen = did(1);
                seen.program.take_report("symptom x");
            }),
            &[oops(DURING)]
        ),
        "bad: general protection fault in elv_x"
    );
}

#[test]
fn a_failed_set_up_is_never_good() {
    let test = test_with(CRASH, "");
    let failed = changed(|seen| seen.setup_failure = Some(SetupFailure::Disk { name: "data".into() }));
    assert_eq!(said(&test, &failed, &[]), "blind: disk data did not appear in the guest");
}
