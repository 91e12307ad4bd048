//! Detectors that were off, lowered or used up.

use super::*;
use crate::observation::{DetectorState, ProbeReading};

const HUNG: &str = "{hung-task: {functions: ['^elv_iosched_store$']}}";
const LOCKDEP: &str = "{crash: {kind: [LOCKDEP], trace: ['^elv_iosched_store$']}}";
const PLAIN: &str = "{crash: {trace: ['^elv_iosched_store$']}}";

/// A whole dose around which a file of the kernel read so.
fn read(name: &str, before: &str, after: &str) -> Observation {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let state = DetectorState {
        name: name.into(),
        before: text(before),
        after: text(after),
        ..DetectorState::default()
    };
    changed(|seen| seen.detectors = vec![state])
}

/// A whole dose with these lines before and in it.
fn said_by_kernel(before: &str, during: &str) -> Observation {
    changed(|seen| {
        let text = format!("[ 1.0] first\n{before}[ 2.0] the dose\n{during}");
        seen.console.dose_start = Some(13 + before.len());
        seen.console.dose_end = Some(text.len());
        seen.console.text = text.into_bytes();
    })
}

#[test]
fn each_detector_is_at_work_from_beginning_to_end() {
    let crash = |title: &str| format!("{{crash: {{title: '{title}'}}}}");
    let (soft, hard) = (crash("^BUG: soft lockup"), crash("^BUG: hard lockup"));
    let (kfence, redzone) = (crash("^KFENCE: "), crash("^BUG: .*Redzone overwritten"));
    let either = crash("^(KASAN|KFENCE): ");
    let (deadlock, kcsan) = (crash("^possible deadlock in"), crash("^KCSAN: data-race"));
    let (workqueue, stall) = (crash("^BUG: workqueue lockup"), crash("^INFO: rcu detected stall in"));
    let (timeout, thresh) = ("kernel.hung_task_timeout_secs", "kernel.watchdog_thresh");
    let (warnings, interval) = ("kernel.hung_task_warnings", "kernel.hung_task_check_interval_secs");
    let sampling = "kfence.sample_interval";
    // a symptom, a setting, and what it was before and after the dose; whether the absence means anything
    let table: &[(&str, &str, &str, &str, bool)] = &[
        (HUNG, timeout, "20", "20", true),
        (HUNG, timeout, "20", "0", false),
        (HUNG, timeout, "20", "3600", false),
        (HUNG, timeout, "20", "10", true),
        (HUNG, timeout, "20", "", false),
        (HUNG, warnings, "-1", "-1", true),
        (HUNG, warnings, "10", "9", true),
        (HUNG, warnings, "1", "0", false),
        (HUNG, interval, "1", "1", true),
        (HUNG, interval, "1", "0", false),
        (HUNG, interval, "1", "900", false),
        (PLAIN, timeout, "20", "0", true),
        (&soft, "kernel.watchdog", "1", "1", true),
        (&soft, "kernel.watchdog", "1", "0", false),
        (&soft, "kernel.soft_watchdog", "0", "0", false),
        (&soft, "kernel.nmi_watchdog", "0", "0", true),
        (&soft, thresh, "10", "60", false),
        (&soft, "kernel.watchdog_cpumask", "0-1", "0-1", true),
        (&soft, "kernel.watchdog_cpumask", "0-1", "0", false),
        (HUNG, "kernel.hung_task_check_count", "4194304", "4194304", true),
        (HUNG, "kernel.hung_task_check_count", "4194304", "1", false),
        (LOCKDEP, "kernel.prove_locking", "1", "0", true),
        (&deadlock, "kernel.prove_locking", "1", "1", true),
        (&deadlock, "kernel.prove_locking", "1", "0", false),
        (&kcsan, "kcsan", "1", "1", true),
        (&kcsan, "kcsan", "1", "0", false),
        (&workqueue, "workqueue.watchdog_thresh", "30", "30", true),
        (&workqueue, "workqueue.watchdog_thresh", "30", "0", false),
        (&workqueue, "workqueue.watchdog_thresh", "30", "3000", false),
        (&stall, "rcu_cpu_stall_suppress", "0", "0", true),
        (&stall, "rcu_cpu_stall_suppress", "0", "1", false),
        (&stall, "rcu_cpu_stall_suppress", "1", "1", false),
        (&stall, "rcu_cpu_stall_timeout", "21", "21", true),
        (&stall, "rcu_cpu_stall_timeout", "21", "300", false),
        (PLAIN, "rcu_cpu_stall_suppress", "0", "1", true),
        (&hard, "kernel.nmi_watchdog", "1", "1", true),
        (&hard, "kernel.nmi_watchdog", "0", "0", false),
        (LOCKDEP, "debug_locks", "1", "1", true),
        (LOCKDEP, "debug_locks", "1", "0", false),
        (LOCKDEP, "debug_locks", "0", "0", false),
        (PLAIN, "debug_locks", "1", "0", true),
        (&kfence, sampling, "100", "100", true),
        (&kfence, sampling, "100", "0", false),
        (&kfence, sampling, "0", "0", false),
        // KASAN may be there where KFENCE never was; what stopped in the dose may be all there was
        (&either, sampling, "0", "0", true),
        (&either, sampling, "100", "0", false),
        (&redzone, "slab_debug=Z", "1", "1", true),
        (&redzone, "slab_debug=Z", "0", "0", false),
        (&redzone, "slab_debug=P", "0", "0", true),
        // of every test
        (PLAIN, "kernel.printk", "8 4 1 7", "8 4 1 7", true),
        (PLAIN, "kernel.printk", "8 4 1 7", "6 4 1 7", false),
        (PLAIN, "kernel.tainted", "512", "512", true),
        (PLAIN, "kernel.tainted", "0", "12288", true),
        (PLAIN, "kernel.tainted", "0", "512", false),
        (PLAIN, "kernel.tainted", "512", "640", false),
        (PLAIN, "oom_kill", "3", "3", true),
        (PLAIN, "oom_kill", "0", "1", false),
    ];
    for &(symptom, name, before, after, sound) in table {
        let found = said(&test_with(symptom, ""), &read(name, before, after), &[]);
        assert_eq!(found == "good", sound, "{symptom} {name} {before} -> {after}: {found}");
        assert!(sound || found.starts_with("blind: "), "{found}");
        // what was seen was seen
        if symptom == HUNG {
            let found = said(&test_with(symptom, ""), &read(name, before, after), &[hung(DURING)]);
            assert!(found.starts_with("bad: "), "{found}");
        }
    }
}

#[test]
fn a_dose_that_no_detector_could_watch_is_skipped_or_blind() {
    let (hard, lockdep) = ("{crash: {title: '^BUG: hard lockup'}}", "{crash: {kind: [LOCKDEP]}}");
    let (leak, kmemleak) = ("{leak: {cache: x, per-iteration: 1}}", "{kmemleak: {functions: ['^f$']}}");
    let either = |one: &str, other: &str| format!("{{any: [{one}, {other}]}}");
    let both = |one: &str, other: &str| format!("{{all: [{one}, {other}]}}");
    let detectors = format!("{{detectors: [{leak}, {kmemleak}]}}");
    let state = |name: &str, before: &str| DetectorState {
        name: name.into(),
        before: Some(before.into()),
        ..DetectorState::default()
    };
    let (no_nmi, no_lockdep) = (state("kernel.nmi_watchdog", "0"), state("debug_locks", "0"));
    let unread = DetectorState {
        name: "kernel.nmi_watchdog".into(),
        error: Some("Permission denied".into()),
        ..DetectorState::default()
    };
    let fault = |probe: &str, subject: &str| ProbeReading {
        probe: probe.into(),
        subject: subject.into(),
        error: Some("it is off".into()),
        ..ProbeReading::default()
    };
    let (no_slab, no_kmemleak) = (fault("slab", "x"), fault("kmemleak", "leaked objects"));
    let (on, none) = (state("kernel.nmi_watchdog", "1"), vec![]);
    // a symptom, what was read before the dose, and the verdict if it is not begun; empty: it is
    let table: &[(&str, Vec<DetectorState>, Vec<ProbeReading>, &str)] = &[
        (hard, vec![on], none.clone(), ""),
        (hard, vec![no_nmi.clone()], none.clone(), "skip"),
        (hard, vec![unread], none.clone(), "blind"),
        (lockdep, vec![no_nmi.clone()], none.clone(), ""),
        (lockdep, vec![no_lockdep.clone()], none.clone(), "blind"),
        (PLAIN, vec![no_nmi.clone(), no_lockdep.clone()], none.clone(), ""),
        (&either(hard, PLAIN), vec![no_nmi.clone()], none.clone(), ""),
        (&either(hard, lockdep), vec![no_nmi.clone()], none.clone(), ""),
        (&either(hard, lockdep), vec![no_nmi.clone(), no_lockdep], none.clone(), "blind"),
        (&both(hard, PLAIN), vec![no_nmi.clone()], none.clone(), "skip"),
        (&both(hard, "{exit: {code: 1}}"), vec![no_nmi], none, "skip"),
        (leak, vec![], vec![no_slab.clone()], "blind"),
        (kmemleak, vec![], vec![no_kmemleak.clone()], "blind"),
        (&detectors, vec![], vec![no_kmemleak.clone()], ""),
        (&detectors, vec![], vec![no_kmemleak, no_slab], "blind"),
    ];
    for (symptom, states, readings, expected) in table {
        let test = test_with(symptom, "");
        let mut seen = undosed(Phase::Check, Ending::Stopped(Stopped::Undetectable));
        (seen.detectors, seen.probes) = (states.clone(), readings.clone());
        assert_eq!(is_undetectable(&test, &seen), !expected.is_empty(), "{symptom} {states:?} {readings:?}");
        if !expected.is_empty() {
            let Judgement { verdict, reason, dosed, .. } = judge(&test, &seen, &[]);
            assert_eq!((verdict.word(), dosed), (*expected, true), "{symptom} {reason:?}");
            // an attempt that ended before for another reason says nothing of the detectors
            seen.ending = Ending::QemuDied { detail: "killed".into() };
            assert_eq!(said(&test, &seen, &[]), "lost, not dosed: killed");
        }
    }
    let mut seen = undosed(Phase::Check, Ending::Stopped(Stopped::Undetectable));
    seen.detectors = vec![state("kernel.nmi_watchdog", "0")];
    insta::assert_snapshot!(said(&test_with(hard, ""), &seen, &[]), @"skip: a detector was off: kernel.nmi_watchdog was 0 before the dose (CONFIG_HARDLOCKUP_DETECTOR)");
}

#[test]
fn a_setting_that_cannot_be_read_is_none_that_is_at_work() {
    let unread = |name: &str, before: Option<&str>| {
        changed(|seen| {
            let error = Some(format!("/proc/{name}: Input/output error"));
            let before = before.map(str::to_owned);
            seen.detectors =
                vec![DetectorState { name: name.into(), before, error, ..DetectorState::default() }];
        })
    };
    let of_lockdep = "{crash: {kind: [LOCKDEP]}}";
    let table: &[(&str, &[&str])] = &[
        (
            HUNG,
            &[
                "kernel.hung_task_timeout_secs",
                "kernel.hung_task_warnings",
                "kernel.hung_task_check_interval_secs",
                "kernel.hung_task_check_count",
            ],
        ),
        ("{crash: {title: '^BUG: soft lockup'}}", &["kernel.watchdog_cpumask", "kernel.soft_watchdog"]),
        (of_lockdep, &["debug_locks"]),
        ("{crash: {title: '^INFO: rcu detected stall in'}}", &["rcu_cpu_stall_timeout"]),
        (PLAIN, &["kernel.tainted", "kernel.printk", "oom_kill"]),
    ];
    for (symptom, names) in table {
        for name in *names {
            for (before, when) in [(None, "before"), (Some("1"), "after")] {
                let found = said(&test_with(symptom, ""), &unread(name, before), &[]);
                let reason = format!("blind: {name} could not be read {when} the dose: /proc/{name}: Input");
                assert!(found.starts_with(&reason), "{found}");
            }
        }
    }
    // another detector's setting does not matter
    assert_eq!(said(&test_with(HUNG, ""), &unread("debug_locks", None), &[]), "good");
    insta::assert_snapshot!(said(&test_with(of_lockdep, ""), &unread("debug_locks", None), &[]), @"blind: debug_locks could not be read before the dose: /proc/debug_locks: Input/output error (CONFIG_LOCKDEP)");
}

#[test]
fn what_was_off_for_a_while_counts() {
    let seen = |name: &str, meanwhile: &str| {
        let mut seen = read(name, "20", "20");
        seen.detectors[0].meanwhile.push(meanwhile.into());
        said(&test_with(HUNG, ""), &seen, &[])
    };
    insta::assert_snapshot!(seen("kernel.hung_task_timeout_secs", "0"), @"blind: a detector was lowered during the dose: kernel.hung_task_timeout_secs went from 20 to 0, for a while (CONFIG_DETECT_HUNG_TASK)");
    assert!(seen("kernel.hung_task_timeout_secs", "900").starts_with("blind: "));
    assert_eq!(seen("kernel.hung_task_timeout_secs", "10"), "good");
}

#[test]
fn reasons_name_the_setting() {
    let told = |symptom: &str, name: &str, before: &str, after: &str| {
        said(&test_with(symptom, ""), &read(name, before, after), &[])
    };
    insta::assert_snapshot!(told(HUNG, "kernel.hung_task_timeout_secs", "20", "0"), @"blind: a detector was lowered during the dose: kernel.hung_task_timeout_secs went from 20 to 0 (CONFIG_DETECT_HUNG_TASK)");
    insta::assert_snapshot!(told(LOCKDEP, "debug_locks", "0", "0"), @"blind: a detector was off: debug_locks was 0 before the dose (CONFIG_LOCKDEP)");
    insta::assert_snapshot!(told(PLAIN, "kernel.tainted", "0", "512"), @"blind: the kernel was tainted with W (a warning) during the dose, and no report explains it");
    insta::assert_snapshot!(told(PLAIN, "kernel.printk", "8", "4"), @"blind: the console's log level was lowered during the dose: kernel.printk went from 8 to 4");
    let seen = read("kernel.tainted", "0", "512");
    assert_eq!(judge_allowing(&test_with(PLAIN, ""), &seen, &[], 1).verdict, Verdict::Good);
}

#[test]
fn a_warning_right_before_the_dose_explains_the_taint() {
    let warning = "[ 1.1] ------------[ cut here ]------------\n[ 1.1] WARNING: CPU: 0 PID: 63 at crypto/testmgr.c:5928 alg_test+0x2c9/0x5f0\n\
        [ 1.1] RIP: 0010:alg_test+0x2c9/0x5f0\n[ 1.1] Call Trace:\n[ 1.1]  cryptomgr_test+0x1f/0x40\n[ 1.1] ---[ end trace 0000000000000000 ]---\n";
    for (before, after, sound) in [("0", "512", true), ("0", "640", false), ("4", "516", true)] {
        let mut seen = said_by_kernel(warning, "");
        seen.detectors = read("kernel.tainted", before, after).detectors;
        let found = said(&test_with(PLAIN, ""), &seen, &crate::oops::diagnose(&seen.console.text));
        assert_eq!(found == "good", sound, "{before} -> {after}: {found}");
    }
}

#[test]
fn what_the_kernel_says_of_its_detectors_counts() {
    let hard = "{crash: {title: '^BUG: hard lockup'}}";
    let leak = "{crash: {title: '^memory leak in'}}";
    let turned_off = "[ 3.0] turning off the locking correctness validator.\n";
    let tainted = "[ 3.0] Disabling lock debugging due to kernel taint\n";
    let no_nmi = "[ 3.0] watchdog: Perf NMI watchdog permanently disabled\n";
    let no_kmemleak = "[ 3.0] kmemleak: Kernel memory leak detector disabled\n";
    for (symptom, line) in [(LOCKDEP, turned_off), (LOCKDEP, tainted), (hard, no_nmi), (leak, no_kmemleak)] {
        for seen in [said_by_kernel(line, ""), said_by_kernel("", line)] {
            let found = said(&test_with(symptom, ""), &seen, &[]);
            assert!(found.starts_with("blind: ") && found.contains(" was off: the console says "), "{found}");
            assert_eq!(said(&test_with(PLAIN, ""), &seen, &[]), "good", "{line}");
        }
    }
    assert_eq!(said(&test_with(LOCKDEP, ""), &said_by_kernel("", ""), &[]), "good");
}

#[test]
fn a_detector_that_reports_once_did_so_before() {
    let splat =
        report("possible deadlock in boot_driver_probe", ReportKind::Lockdep, BEFORE, &["boot_driver_probe"]);
    let early = [splat];
    insta::assert_snapshot!(said(&test_with(LOCKDEP, ""), &clean(), &early), @"blind: lockdep was off: it reports once, and did before the dose (possible deadlock in boot_driver_probe) (CONFIG_LOCKDEP)");
    assert_eq!(said(&test_with(PLAIN, ""), &clean(), &early), "good");
    let kasan = |start| report("KASAN: slab-out-of-bounds Read in f", ReportKind::KasanRead, start, &["f"]);
    let symptom = test_with("{crash: {title: '^KASAN: slab-use-after-free'}}", "");
    let found = said(&symptom, &clean(), &[kasan(BEFORE)]);
    assert!(found.starts_with("blind: KASAN was off: it reports once"), "{found}");
    // a report that is known and allowed is one all the same
    for seen in [said_by_kernel("[ 1.0] BUG: KASAN: x\n", ""), said_by_kernel("", "[ 3.0] BUG: KASAN: x\n")] {
        let found = said(&symptom, &seen, &[]);
        assert!(found.starts_with("blind: KASAN was off: the console says"), "{found}");
    }
    let multi = changed(|seen| seen.guest.as_mut().unwrap().cmdline = "quiet kasan_multi_shot".into());
    assert_eq!(said(&symptom, &multi, &[kasan(BEFORE)]), "good");
}

/// A report of lockdep's with these functions, as a console shows it.
fn splat(seconds: u32, function: &str) -> String {
    let lines = [
        "======================================================",
        "WARNING: possible circular locking dependency detected",
        "6.99.1 #1 Not tainted",
        "------------------------------------------------------",
        "sh/77 is trying to acquire lock:",
        "ffff888001234500 (&one->lock){+.+.}-{4:4}, at: FUNCTION+0x10/0x20",
        "",
        "but task is already holding lock:",
        "ffff888001234600 (&other->lock){+.+.}-{4:4}, at: FUNCTION+0x1/0x20",
        "",
        "which lock already depends on the new lock.",
        "",
        "stack backtrace:",
        "CPU: 0 UID: 0 PID: 77 Comm: sh Not tainted 6.99.1 #1",
        "Call Trace:",
        " <TASK>",
        " print_circular_bug+0x1/0x2",
        " check_noncircular+0x1/0x2",
        " __mutex_lock+0x1/0x2",
        " FUNCTION+0x10/0x20",
        " </TASK>",
    ];
    lines.iter().map(|line| format!("[    {seconds}.0] {}\n", line.replace("FUNCTION", function))).collect()
}

#[test]
fn what_lockdep_said_before_and_in_the_dose_counts_as_the_whole_console_tells() {
    let other_lock = splat(1, "boot_probe");
    let chains = "[    1.5] BUG: MAX_LOCKDEP_CHAINS too low!\n[    1.5] turning off the locking correctness validator.\n";
    let taint = "[    1.5] Disabling lock debugging due to kernel taint\n";
    let module = format!("[    1.5] x: module license 'Proprietary' taints kernel.\n{taint}");
    let killed = "[    1.5] Out of memory: Killed process 77 (worker) total-vm:427968kB\n";
    let leaks = "[    1.5] kmemleak: Kernel memory leak detector disabled\n";
    let itself = splat(1, "elv_iosched_store");
    // what stands before the dose, and in it; the verdicts of a symptom that lockdep shows and of one that it does not
    let table: &[(&str, &str, &str, &str)] = &[
        ("", "", "good", "good"),
        (&other_lock, "", "blind", "good"),
        (chains, "", "blind", "good"),
        ("", chains, "blind", "good"),
        (taint, "", "blind", "good"),
        ("", &module, "blind", "good"),
        ("", &other_lock, "other", "other"),
        ("", &itself, "bad", "bad"),
        ("", killed, "blind", "blind"),
        ("", leaks, "good", "good"),
        ("", "[    1.5] Kernel tests: x\n", "good", "good"),
    ];
    for &(before, during, lockdep, plain) in table {
        let seen = said_by_kernel(before, during);
        let reports = crate::oops::diagnose(&seen.console.text);
        for (symptom, expected) in [(LOCKDEP, lockdep), (PLAIN, plain)] {
            let found = judge(&test_with(symptom, ""), &seen, &reports).verdict;
            assert_eq!(found.word(), expected, "{symptom} {before:?} {during:?}");
        }
    }
}
