//! What a dose is that was not done.

use super::*;
use crate::observation::DetectorState;
use crate::suite::{Program, ProgramFile};

const REPORTED: &str = "{reported: {matching: boom}}";

fn wrote(lines: &[&str]) -> Observation {
    changed(|seen| lines.iter().for_each(|line| seen.program.take_report(line)))
}

#[test]
fn a_time_is_kept_by_the_agents_clock() {
    // how long a program of so many seconds ran, milliseconds, and whether that is its time
    let table: &[(u32, Option<u64>, bool)] = &[
        (10, Some(10_020), true),
        (10, Some(9_000), true),
        (10, Some(8_999), false),
        (10, Some(0), false),
        (60, Some(54_000), true),
        (60, Some(53_900), false),
        // a shell that counts whole seconds may end almost one too early
        (2, Some(1_010), true),
        (2, Some(990), false),
        (1, Some(500), true),
        (1, Some(499), false),
        (10, None, false),
    ];
    for &(seconds, ran_ms, whole) in table {
        let test = test_with(REPORTED, &format!("  dose: {{seconds: {seconds}}}\n"));
        let seen = changed(|seen| seen.program.ran_ms = ran_ms);
        assert_eq!(judge(&test, &seen, &[]).verdict == Verdict::Good, whole, "{ran_ms:?} ms of {seconds} s");
    }
    let test = test_with(REPORTED, "  dose: {seconds: 10}\n");
    let seen = changed(|seen| seen.program.ran_ms = Some(90));
    insta::assert_snapshot!(said(&test, &seen, &[]), @"blind: the program ended with 0 too early: it ran 0.1 s of 10 s");
}

#[test]
fn seconds_that_were_leapt_over_are_no_dose() {
    let test = test_with(REPORTED, "  dose: {seconds: 10, rounds: 30}\n");
    let after = |rounds: &str, time_travel: bool| {
        changed(|seen| {
            (seen.program.ran_ms, seen.time_travel) = (Some(10_000), time_travel);
            seen.program.take_report(rounds);
        })
    };
    assert_eq!(said(&test, &after("iterations 7", false), &[]), "good");
    insta::assert_snapshot!(said(&test, &after("iterations 7", true), &[]), @"blind: the program did 7 of 30 rounds");
    assert_eq!(said(&test, &after("iterations 30", true), &[]), "good");
}

#[test]
fn a_line_that_is_none_of_the_known_ones_is_quoted() {
    let test = test_with(REPORTED, "");
    let told = |line: &str| said(&test, &wrote(&[line]), &[]);
    insta::assert_snapshot!(
        ["symptom: boom", "Symptom boom", "iteration 5", "iterations -1", "iterations 18446744073709551616", "iterations", "hello world"]
            .map(told)
            .join("\n"),
        @r"
    blind: the program wrote a line that is no report, `symptom: boom`; did you mean `symptom`?
    blind: the program wrote a line that is no report, `Symptom boom`; did you mean `symptom`?
    blind: the program wrote a line that is no report, `iteration 5`; did you mean `iterations`?
    blind: the program wrote a line that is no report, `iterations -1`; `iterations` takes one whole number from 0 on
    blind: the program wrote a line that is no report, `iterations 18446744073709551616`; `iterations` takes one whole number from 0 on
    blind: the program wrote a line that is no report, `iterations`; `iterations` takes one whole number from 0 on
    blind: the program wrote a line that is no report, `hello world`; a line begins with one of iterations, symptom, blind, skip, note, plug, unplug
    "
    );
    assert_eq!(told("note anything"), "good");
    assert_eq!(told("   "), "good");
    // what was seen was seen
    assert_eq!(said(&test, &wrote(&["nonsense", "symptom boom"]), &[]), "bad: boom");
}

#[test]
fn a_program_may_test_what_becomes_of_groups_without_memory() {
    let shell = test_with(REPORTED, "");
    let file = ProgramFile { path: "/opt/test_memcontrol".into(), tree: None, beside: Vec::new() };
    let selftest = Test { program: Program::Kselftest { file, args: Vec::new() }, ..shell.clone() };
    let group = "Memory cgroup out of memory: Killed process 77 (tail) total-vm:1kB";
    let guest = "Out of memory: Killed process 78 (tail) total-vm:1kB";
    let table = [
        (&selftest, vec![group, group], "2", "good"),
        (&selftest, vec![group, guest], "2", "blind: the kernel was out of memory and killed tail (77)"),
        // one more than the console shows
        (&selftest, vec![group], "2", "blind: the kernel was out of memory and killed tail (77)"),
        (&shell, vec![group], "1", "blind: the kernel was out of memory and killed tail (77)"),
    ];
    for (test, lines, counted, expected) in table {
        let seen = changed(|seen| {
            let text = format!("[ 1.0] first\n{}\n", lines.join("\n")).into_bytes();
            (seen.console.dose_start, seen.console.dose_end) = (Some(13), Some(text.len()));
            seen.console.text = text;
            seen.detectors = vec![DetectorState {
                name: "oom_kill".into(),
                before: Some("0".into()),
                after: Some(counted.into()),
                ..DetectorState::default()
            }];
        });
        let verdict = said(test, &seen, &[]);
        assert!(verdict.starts_with(expected), "{lines:?} {counted}: {verdict}");
    }
}

#[test]
fn a_guest_out_of_memory_had_no_whole_dose() {
    let test = test_with(REPORTED, "");
    let console = |line: &str| {
        changed(|seen| {
            let text = format!("[ 1.0] first\n[ 2.0] {line}\n").into_bytes();
            (seen.console.dose_start, seen.console.dose_end) = (Some(13), Some(text.len()));
            seen.console.text = text;
        })
    };
    let killed = "blind: the kernel was out of memory and killed tail (77), so it was no whole dose; give the machine more memory";
    for line in [
        "Out of memory: Killed process 77 (tail) total-vm:427968kB, anon-rss:419620kB",
        "Memory cgroup out of memory: Killed process 77 (tail) total-vm:427968kB",
    ] {
        assert_eq!(said(&test, &console(line), &[]), killed, "{line}");
    }
    assert_eq!(said(&test, &console("reclaimed some memory"), &[]), "good");
    let boom = || {
        let mut seen = console("Out of memory: Killed process 77 (tail) total-vm:1kB");
        seen.program.take_report("symptom boom");
        seen
    };
    assert_eq!(said(&test, &boom(), &[]), "bad: boom");

    let panic = || panic_of("kernel panic: System is deadlocked on memory", DURING);
    let reset = cut_short(Ending::GuestReset);
    insta::assert_snapshot!(said(&test, &reset, &[panic()]), @"blind: the guest ran out of memory (kernel panic: System is deadlocked on memory), so it was no whole dose; give the machine more memory");
    assert_eq!(
        said(&test, &reset, &[warning(DURING), panic()]),
        "other: WARNING in folio_x: not this test's symptom"
    );
    let asked_for = test_with("{crash: {title: 'deadlocked on memory'}}", "");
    assert_eq!(said(&asked_for, &reset, &[panic()]), "bad: kernel panic: System is deadlocked on memory");
    let boot = undosed(Phase::Boot, Ending::GuestReset);
    let early = [panic_of("kernel panic: System is deadlocked on memory", BEFORE)];
    assert_eq!(
        said(&test, &boot, &early),
        "lost, not dosed: the guest ran out of memory during boot: kernel panic: System is deadlocked on memory"
    );
}
