//! Detectors that were off, lowered or used up.

use super::*;
use crate::observation::DetectorState;

const HUNG: &str = "{hung-task: {functions: ['^elv_iosched_store$']}}";
const LOCKDEP: &str = "{crash: {kind: [LOCKDEP], trace: ['^elv_iosched_store$']}}";
const PLAIN: &str = "{crash: {trace: ['^elv_iosched_store$']}}";

/// A whole dose around which a file of the kernel read so.
fn read(name: &str, before: &str, after: &str) -> Observation {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let state = DetectorState { name: name.into(), before: text(before), after: text(after) };
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
fn reasons_name_the_setting() {
    let told = |symptom: &str, name: &str, before: &str, after: &str| {
        said(&test_with(symptom, ""), &read(name, before, after), &[])
    };
    insta::assert_snapshot!(told(HUNG, "kernel.hung_task_timeout_secs", "20", "0"), @"blind: a detector was lowered during the dose: kernel.hung_task_timeout_secs went from 20 to 0");
    insta::assert_snapshot!(told(LOCKDEP, "debug_locks", "0", "0"), @"blind: a detector was off: debug_locks was 0 before the dose");
    insta::assert_snapshot!(told(PLAIN, "kernel.tainted", "0", "512"), @"blind: the kernel was tainted with W (a warning) during the dose, and no report explains it");
    insta::assert_snapshot!(told(PLAIN, "kernel.printk", "8", "4"), @"blind: the console's log level was lowered during the dose: kernel.printk went from 8 to 4");
    let seen = read("kernel.tainted", "0", "512");
    assert_eq!(judge_allowing(&test_with(PLAIN, ""), &seen, &[], 1).verdict, Verdict::Good);
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
    insta::assert_snapshot!(said(&test_with(LOCKDEP, ""), &clean(), &early), @"blind: lockdep was off: it reports once, and did before the dose (possible deadlock in boot_driver_probe)");
    assert_eq!(said(&test_with(PLAIN, ""), &clean(), &early), "good");
    let kasan = |start| report("KASAN: slab-out-of-bounds Read in f", ReportKind::KasanRead, start, &["f"]);
    let symptom = test_with("{crash: {title: '^KASAN: slab-use-after-free'}}", "");
    let found = said(&symptom, &clean(), &[kasan(BEFORE)]);
    assert!(found.starts_with("blind: KASAN was off: it reports once"), "{found}");
    let multi = changed(|seen| seen.guest.as_mut().unwrap().cmdline = "quiet kasan_multi_shot".into());
    assert_eq!(said(&symptom, &multi, &[kasan(BEFORE)]), "good");
}
