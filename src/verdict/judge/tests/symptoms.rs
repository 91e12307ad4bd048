//! What each symptom takes to be seen, not to be seen, or to be unknown.

use super::*;
use crate::observation::{BlockedTask, ProbeReading};

const CRASH: &str = "{crash: {title: '^general protection fault'}}";
const TRACE: &str = "{crash: {trace: ['^elevator_change_done$']}}";
const WARNING: &str = "{crash: {title: '^WARNING in folio_x$'}}";
const HUNG: &str = "{hung-task: {functions: ['^elv_iosched_store$']}}";
const REPORTED: &str = "{reported: {matching: 'still mapped'}}";

fn corrupted(report: Report) -> Report {
    Report { corrupted: true, ..report }
}

#[test]
fn crashes() {
    let kinds = "{crash: {kind: [DoS], trace: ['^elevator_change_done$']}}";
    let other = "other: general protection fault in elv_x: not this test's symptom";
    let table: &[(&str, Vec<Report>, &str)] = &[
        (CRASH, vec![oops(DURING)], "bad: general protection fault in elv_x"),
        (TRACE, vec![oops(DURING)], "bad: general protection fault in elv_x"),
        (kinds, vec![oops(DURING)], "bad: general protection fault in elv_x"),
        (WARNING, vec![oops(DURING)], other),
        ("{crash: {kind: [WARNING], trace: ['^elevator_change_done$']}}", vec![oops(DURING)], other),
        ("{crash: {trace: ['^elevator_change_done$', '^no_such$']}}", vec![oops(DURING)], other),
        // the parts of a pattern must fit one and the same report
        (
            "{crash: {kind: [WARNING], trace: ['^elevator_change_done$']}}",
            vec![warning(DURING), oops(DURING + 600)],
            "other: WARNING in folio_x: not this test's symptom",
        ),
        // the symptom may come after another report
        (TRACE, vec![warning(DURING), oops(DURING + 600)], "bad: general protection fault in elv_x"),
        // a damaged report is believed for its trace, not for its title
        (TRACE, vec![corrupted(oops(DURING))], "bad: general protection fault in elv_x"),
        (
            CRASH,
            vec![corrupted(oops(DURING))],
            "other: general protection fault in elv_x: not this test's symptom; the report is damaged",
        ),
        (CRASH, vec![corrupted(oops(DURING)), oops(DURING + 600)], "bad: general protection fault in elv_x"),
        (CRASH, vec![], "good"),
    ];
    for (symptom, reports, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), &clean(), reports), *expected, "{symptom}");
    }
}

#[test]
fn what_came_before_the_dose_is_not_the_doses() {
    let no_mark = changed(|seen| seen.console.dose_start = None);
    let table: &[(&str, Observation, Vec<Report>, &str)] = &[
        // a kernel that broke before says nothing, even if it goes on and breaks again
        (
            TRACE,
            clean(),
            vec![oops(BEFORE)],
            "other, not dosed: general protection fault in elv_x: before the test started",
        ),
        (
            WARNING,
            clean(),
            vec![oops(BEFORE), warning(DURING)],
            "other, not dosed: general protection fault in elv_x: before the test started",
        ),
        // a warning leaves the kernel as it was
        (TRACE, clean(), vec![warning(BEFORE)], "good"),
        (TRACE, clean(), vec![warning(BEFORE), oops(DURING)], "bad: general protection fault in elv_x"),
        (
            TRACE,
            clean(),
            vec![Report { panicked: true, ..warning(BEFORE) }, oops(DURING)],
            "bad: general protection fault in elv_x",
        ),
        // the symptom without the dose: whatever it is, the dose did not cause it
        (
            WARNING,
            clean(),
            vec![warning(BEFORE)],
            "blind: the symptom was on the console before the dose began (WARNING in folio_x)",
        ),
        (WARNING, clean(), vec![warning(BEFORE), warning(DURING)], "bad: WARNING in folio_x"),
        (
            WARNING,
            clean(),
            vec![corrupted(warning(BEFORE))],
            "blind: the symptom was on the console before the dose began (WARNING in folio_x)",
        ),
        (
            HUNG,
            clean(),
            vec![hung(BEFORE)],
            "blind: the symptom was on the console before the dose began (INFO: task hung in elv_iosched_store)",
        ),
        (
            "{all: [{crash: {title: '^WARNING in folio_x$'}}, {reported: {matching: 'still mapped'}}]}",
            clean(),
            vec![warning(BEFORE)],
            "blind: the symptom was on the console before the dose began (WARNING in folio_x)",
        ),
        // where the dose's beginning is not known no report is the dose's
        (
            TRACE,
            no_mark.clone(),
            vec![oops(DURING)],
            "other, not dosed: general protection fault in elv_x: the dose's beginning is not on the console, so this may have come before it",
        ),
        (
            WARNING,
            no_mark.clone(),
            vec![warning(DURING)],
            "blind: the symptom was on the console at an unknown moment, the dose's beginning is not on it (WARNING in folio_x)",
        ),
        (
            TRACE,
            no_mark,
            vec![warning(DURING)],
            "blind: the console does not show the dose's beginning and end: the kernel's messages did not get through",
        ),
    ];
    for (symptom, seen, reports, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, reports), *expected, "{symptom}");
    }
}

#[test]
fn a_report_that_proves_nothing_is_neither_symptom_nor_absence() {
    let unsound = |start| Report { suppressed: true, ..oops(start) };
    let test = test_with(TRACE, "");
    insta::assert_snapshot!(said(&test, &clean(), &[unsound(DURING)]), @"blind: the machine was not sound, so this proves nothing: general protection fault in elv_x");
    assert_eq!(
        said(&test, &clean(), &[oops(DURING), unsound(DURING)]),
        "bad: general protection fault in elv_x"
    );
}

#[test]
fn any_crash_is_every_report_of_the_dose_that_speaks_of_a_defect() {
    let test = test_with("{crash: any}", "");
    let oom = report("kernel panic: System is deadlocked on memory", ReportKind::DoS, DURING, &[]);
    let full = report("BUG: MAX_LOCKDEP_CHAINS too low!", ReportKind::Bug, DURING, &[]);
    let table: &[(&[Report], &str)] = &[
        (&[], "good"),
        (&[oops(DURING)], "bad"),
        (&[warning(DURING)], "bad"),
        (&[hung(DURING)], "bad"),
        // it is a crash, whichever it is
        (&[corrupted(oops(DURING))], "bad"),
        // what came before is not the program's
        (&[warning(BEFORE)], "good"),
        (&[warning(BEFORE), warning(DURING)], "bad"),
        (&[oops(BEFORE)], "other"),
        (std::slice::from_ref(&oom), "blind"),
        (std::slice::from_ref(&full), "good"),
        (&[oom.clone(), full.clone(), warning(DURING)], "bad"),
    ];
    for (reports, expected) in table {
        let found = judge(&test, &clean(), reports);
        assert_eq!(found.verdict.word(), *expected, "{found:?} {reports:?}");
    }
    // known messages are asked of each, as none is the one that the test is about
    assert!(!shows_symptom(&test, &warning(DURING)));
    assert!(shows_symptom(&test_with("{crash: {trace: ['^folio_x$']}}", ""), &warning(DURING)));
    // a symptom that was read before the time was over counts
    let mut seen = cut_short(Ending::Stopped(Stopped::Terminate { limit: 60.0 }));
    seen.program.reports.push(ProgramReport::Symptom("not ok 2 b".into()));
    assert_eq!(said(&test_with("{reported: {matching: '^not ok'}}", ""), &seen, &[]), "bad: not ok 2 b");
}

#[test]
fn hung_tasks() {
    let by_name = "{hung-task: {task: '^writer$'}}";
    let both = "{hung-task: {functions: ['^elv_iosched_store$'], task: '^writer$'}}";
    let elsewhere = || Report {
        frames: vec!["io_schedule".into()],
        title: "INFO: task hung in io_schedule".into(),
        ..hung(DURING)
    };
    let blocked = |pid| BlockedTask { pid, comm: "writer".into(), stack: vec!["elv_iosched_store".into()] };
    let with_stack = |pid| changed(|seen| seen.blocked = vec![blocked(1), blocked(pid)]);
    let detector = |seconds| changed(|seen| seen.guest.as_mut().unwrap().hung_task_timeout = seconds);
    let stuck = Report { title: "BUG: soft lockup in elv_iosched_store".into(), ..hung(DURING) };
    let stalled = Report { title: "INFO: rcu detected stall in elv_iosched_store".into(), ..hung(DURING) };
    let bad = "bad: INFO: task hung in elv_iosched_store";
    let other = "other: INFO: task hung in io_schedule: not this test's symptom";
    let off = "blind: this kernel has no hung-task detector, or it is switched off (CONFIG_DETECT_HUNG_TASK)";
    let table: &[(&str, Observation, Vec<Report>, &str)] = &[
        (HUNG, clean(), vec![hung(DURING)], bad),
        (by_name, clean(), vec![hung(DURING)], bad),
        (both, clean(), vec![hung(DURING)], bad),
        (HUNG, clean(), vec![elsewhere()], other),
        (
            "{hung-task: {task: '^reader$'}}",
            clean(),
            vec![hung(DURING)],
            "other: INFO: task hung in elv_iosched_store: not this test's symptom",
        ),
        // the stack that the agent read completes the report of the same task, and of no other
        (HUNG, with_stack(77), vec![elsewhere()], "bad: INFO: task hung in io_schedule"),
        (HUNG, with_stack(78), vec![elsewhere()], other),
        // a task left blocked is no hung task yet, and no sign of health
        (
            HUNG,
            with_stack(77),
            vec![],
            "blind: task writer (1) was blocked at the end as in the symptom, and the kernel had no time to call it hung",
        ),
        (
            "{hung-task: {task: '^writer$', functions: ['^elv']}}",
            with_stack(77),
            vec![],
            "blind: task writer (1) was blocked at the end as in the symptom, and the kernel had no time to call it hung",
        ),
        ("{hung-task: {task: '^reader$', functions: ['^elv']}}", with_stack(77), vec![], "good"),
        ("{hung-task: {functions: ['^no_such$']}}", with_stack(77), vec![], "good"),
        (HUNG, clean(), vec![corrupted(hung(DURING))], bad),
        (
            by_name,
            clean(),
            vec![corrupted(hung(DURING))],
            "other: INFO: task hung in elv_iosched_store: not this test's symptom; the report is damaged",
        ),
        // a processor that is stuck is no blocked task
        (HUNG, clean(), vec![stuck], "other: BUG: soft lockup in elv_iosched_store: not this test's symptom"),
        (
            HUNG,
            clean(),
            vec![stalled],
            "other: INFO: rcu detected stall in elv_iosched_store: not this test's symptom",
        ),
        (HUNG, clean(), vec![], "good"),
        (HUNG, detector(None), vec![], off),
        (HUNG, detector(Some(0)), vec![], off),
        (HUNG, changed(|seen| seen.guest = None), vec![], off),
        // a report is evidence whatever the detector says of itself
        (HUNG, detector(Some(0)), vec![hung(DURING)], bad),
    ];
    for (symptom, seen, reports, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, reports), *expected, "{symptom}");
    }
}

#[test]
fn leaks() {
    let reading = |before, after, iterations: u64| {
        changed(|seen| {
            seen.program.reports = vec![ProgramReport::Iterations(iterations)];
            seen.probes = vec![ProbeReading {
                probe: "slab".into(),
                subject: "kmalloc-192".into(),
                before,
                after,
                error: (before.is_none() || after.is_none()).then(|| "/proc/slabinfo: denied".to_owned()),
                ..ProbeReading::default()
            }];
        })
    };
    let silent = changed(|seen| {
        *seen = reading(Some(0), Some(40_000), 1);
        seen.program.reports.clear();
    });
    let other_cache = changed(|seen| {
        *seen = reading(Some(0), Some(40_000), 20_000);
        seen.probes[0].subject = "kmalloc-96".into();
    });
    let table: &[(Observation, &str)] = &[
        (
            reading(Some(1000), Some(41_005), 20_000),
            "bad: memory leak: kmalloc-192 grew by 40005 objects in 20000 iterations",
        ),
        (
            reading(Some(1000), Some(21_000), 20_000),
            "bad: memory leak: kmalloc-192 grew by 20000 objects in 20000 iterations",
        ),
        (
            reading(Some(1000), Some(20_999), 20_000),
            "blind: kmalloc-192 grew by 19999 objects in 20000 iterations: neither the leak's 2 an iteration nor none",
        ),
        (
            reading(Some(1000), Some(5001), 20_000),
            "blind: kmalloc-192 grew by 4001 objects in 20000 iterations: neither the leak's 2 an iteration nor none",
        ),
        (reading(Some(1000), Some(5000), 20_000), "good"),
        (reading(Some(1000), Some(1000), 20_000), "good"),
        (reading(Some(1000), Some(10), 20_000), "good"),
        // a few objects come and go by themselves
        (
            reading(Some(1000), Some(1002), 1),
            "blind: 1 iterations leak 2 objects at most, too few to tell from the noise of slab cache kmalloc-192; do more of them",
        ),
        (
            reading(Some(1000), Some(1000), 255),
            "blind: 255 iterations leak 510 objects at most, too few to tell from the noise of slab cache kmalloc-192; do more of them",
        ),
        (
            reading(Some(1000), Some(1256), 256),
            "bad: memory leak: kmalloc-192 grew by 256 objects in 256 iterations",
        ),
        (reading(None, Some(41_000), 20_000), "blind: slab cache kmalloc-192: /proc/slabinfo: denied"),
        (reading(Some(1000), None, 20_000), "blind: slab cache kmalloc-192: /proc/slabinfo: denied"),
        (reading(Some(1000), Some(41_000), 0), "blind: the program did not say how many iterations it did"),
        (silent, "blind: the program did not say how many iterations it did"),
        (other_cache, "blind: slab cache kmalloc-192 was not read"),
        (clean(), "blind: slab cache kmalloc-192 was not read"),
    ];
    let test = test_with("{leak: {probe: slab, cache: kmalloc-192, per-iteration: 2}}", "");
    for (seen, expected) in table {
        assert_eq!(said(&test, seen, &[]), *expected, "{:?}", seen.probes);
    }
    let strict = test_with("{leak: {probe: slab, cache: kmalloc-192, per-iteration: 2, at-least: 0.9}}", "");
    assert!(said(&strict, &reading(Some(0), Some(30_000), 20_000), &[]).starts_with("blind: "));
    assert!(said(&strict, &reading(Some(0), Some(36_000), 20_000), &[]).starts_with("bad: "));
}

#[test]
fn what_the_program_reports() {
    let lines = |lines: &[&str]| changed(|seen| lines.iter().for_each(|l| seen.program.take_report(l)));
    let table: &[(&str, Observation, &str)] = &[
        (REPORTED, lines(&["symptom page 3 is still mapped"]), "bad: page 3 is still mapped"),
        (
            REPORTED,
            lines(&["symptom something else"]),
            "blind: the program reported a symptom that the suite does not describe: something else",
        ),
        (
            CRASH,
            lines(&["symptom something else"]),
            "blind: the program reported a symptom that the suite does not describe: something else",
        ),
        (
            REPORTED,
            lines(&["symptom something else", "symptom page 3 is still mapped"]),
            "bad: page 3 is still mapped",
        ),
        (REPORTED, lines(&["note page 3 is still mapped"]), "good"),
        (REPORTED, clean(), "good"),
        (
            REPORTED,
            lines(&["blind the file system is read-only"]),
            "blind: the program could not judge: the file system is read-only",
        ),
        (REPORTED, lines(&["skip no such mount option"]), "skip: no such mount option"),
        // what was seen was seen, whatever the program says besides
        (
            REPORTED,
            lines(&["blind half of it", "symptom page 3 is still mapped"]),
            "bad: page 3 is still mapped",
        ),
        (
            REPORTED,
            changed(|seen| (0..2000).for_each(|n| seen.program.take_report(&format!("note {n}")))),
            "blind: the program reported too much: 1000 lines are missing, a symptom may be among them",
        ),
    ];
    for (symptom, seen, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, &[]), *expected, "{:?}", seen.program);
    }
}

#[test]
fn symptoms_together() {
    let any = "{any: [{crash: {trace: ['^elevator_change_done$']}}, {reported: {matching: mapped}}]}";
    let all = "{all: [{crash: {title: '^WARNING'}}, {reported: {matching: mapped}}]}";
    let any_hung = "{any: [{crash: {title: '^WARNING'}}, {hung-task: {functions: ['^x$']}}]}";
    let all_hung = "{all: [{crash: {title: '^WARNING'}}, {hung-task: {functions: ['^x$']}}]}";
    let told = || changed(|seen| seen.program.take_report("symptom still mapped"));
    let no_detector = || changed(|seen| seen.guest = None);
    let off = "blind: this kernel has no hung-task detector, or it is switched off (CONFIG_DETECT_HUNG_TASK)";
    let table: &[(&str, Observation, Vec<Report>, &str)] = &[
        (any, clean(), vec![oops(DURING)], "bad: general protection fault in elv_x"),
        (any, told(), vec![], "bad: still mapped"),
        (any, clean(), vec![], "good"),
        (any, clean(), vec![warning(DURING)], "other: WARNING in folio_x: not this test's symptom"),
        (all, told(), vec![warning(DURING)], "bad: WARNING in folio_x; still mapped"),
        // half of a symptom is not it, and not nothing
        (all, clean(), vec![warning(DURING)], "other: WARNING in folio_x: not this test's symptom"),
        (
            all,
            told(),
            vec![],
            "blind: the program reported a symptom that the suite does not describe: still mapped",
        ),
        (all, clean(), vec![], "good"),
        (any_hung, no_detector(), vec![], off),
        (any_hung, no_detector(), vec![warning(DURING)], "bad: WARNING in folio_x"),
        (all_hung, no_detector(), vec![], "good"),
        (
            all_hung,
            no_detector(),
            vec![warning(DURING)],
            "other: WARNING in folio_x: not this test's symptom",
        ),
    ];
    for (symptom, seen, reports, expected) in table {
        assert_eq!(said(&test_with(symptom, ""), seen, reports), *expected, "{symptom}");
    }
}
