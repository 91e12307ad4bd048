//! Guests whose clock ran away, as emulated ones' may on a busy host: what takes its time there proves nothing.

use super::*;
use crate::observation::{BlockedTask, ClockPair};

const HUNG: &str = "{hung-task: {functions: ['elv_iosched_store']}}";
const EITHER: &str =
    "{any: [{hung-task: {functions: ['elv_iosched_store']}}, {crash: {trace: ['^elv_x$']}}]}";
const BOTH: &str = "{all: [{reported: {matching: boom}}, {crash: {trace: ['^elv_x$']}}]}";

#[test]
fn what_took_long_by_such_a_clock_is_lost() {
    let clock = |guest, host| Some(ClockPair { guest, host });
    let (fast, exact) = (clock(61.0, 4.0), clock(22.0, 20.9));
    let with = |clock, seen: Observation| Observation { clock, ..seen };
    let hangs = || cut_short(Ending::Stopped(Stopped::CrashSeen));
    let late = || cut_short(Ending::Stopped(Stopped::Terminate { limit: 60.0 }));
    let reported =
        |text: &str| changed(|seen| seen.program.reports.push(ProgramReport::Symptom(text.into())));
    let blocked = || {
        changed(|seen| {
            seen.blocked =
                vec![BlockedTask { pid: 77, comm: "writer".into(), stack: vec!["elv_iosched_store".into()] }];
        })
    };
    let boots = |ending| undosed(Phase::Boot, ending);
    let table: Vec<(&str, &str, Observation, Vec<Report>)> = vec![
        ("a hang, in time", HUNG, with(exact, hangs()), vec![hung(DURING)]),
        ("a hang", HUNG, with(fast, hangs()), vec![hung(DURING)]),
        ("another hang", BOOM, with(fast, hangs()), vec![hung(DURING)]),
        ("a task that is blocked", HUNG, with(fast, blocked()), vec![]),
        ("nothing", HUNG, with(fast, clean()), vec![]),
        ("a program that does not end", HUNG, with(fast, late()), vec![]),
        (
            "an exit code",
            "{exit: 1}",
            with(fast, changed(|seen| seen.program.exit = Some(Exit::Code(1)))),
            vec![],
        ),
        ("a program's word", BOOM, with(fast, reported("boom")), vec![]),
        ("a program's word, in time", BOOM, with(exact, reported("boom")), vec![]),
        // a crash needs no time
        ("a crash behind a hang", EITHER, with(fast, hangs()), vec![hung(DURING), oops(DURING + 600)]),
        ("another crash", HUNG, with(fast, hangs()), vec![oops(DURING)]),
        ("a crash and a word", BOTH, with(fast, reported("boom")), vec![oops(DURING)]),
        ("a crash and a word, in time", BOTH, with(exact, reported("boom")), vec![oops(DURING)]),
        // a boot that hangs
        ("a boot", HUNG, with(fast, boots(Ending::GuestReset)), vec![hung(BEFORE)]),
        ("a boot, in time", HUNG, with(exact, boots(Ending::GuestReset)), vec![hung(BEFORE)]),
        ("a stall of the boot", BOOM, with(fast, clean()), vec![hung(BEFORE)]),
        ("a stall of the boot, in time", BOOM, with(exact, clean()), vec![hung(BEFORE)]),
    ];
    let lines: String = table
        .into_iter()
        .map(|(name, symptom, seen, reports)| {
            format!("{name}: {}\n", said(&test_with(symptom, ""), &seen, &reports))
        })
        .collect();
    insta::assert_snapshot!(lines, @r"
    a hang, in time: bad: INFO: task hung in elv_iosched_store
    a hang: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: INFO: task hung in elv_iosched_store
    another hang: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: INFO: task hung in elv_iosched_store
    a task that is blocked: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    nothing: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    a program that does not end: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    an exit code: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    a program's word: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    a program's word, in time: bad: boom
    a crash behind a hang: bad: general protection fault in elv_x
    another crash: other: general protection fault in elv_x: not this test's symptom
    a crash and a word: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: nothing follows from that
    a crash and a word, in time: bad: boom; general protection fault in elv_x
    a boot: lost, not dosed: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: INFO: task hung in elv_iosched_store
    a boot, in time: other, not dosed: INFO: task hung in elv_iosched_store: before the test started
    a stall of the boot: lost: the guest was not in time, its clock counted 61 s in 4.0 s of the host's: INFO: task hung in elv_iosched_store
    a stall of the boot, in time: good
    ");
}

const BOOM: &str = "{reported: {matching: boom}}";
