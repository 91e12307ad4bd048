//! What the kernel's sanitisers and lockdep print is a `crash` symptom like an oops: from the console's text to the verdict.

use super::*;
use crate::oops;

const KASAN: &str = "\
[   12.000001] ==================================================================
[   12.000002] BUG: KASAN: slab-use-after-free in elevator_change_done+0x4b/0x120
[   12.000003] Read of size 8 at addr ffff888008cd1100 by task program/120
[   12.000004]
[   12.000005] CPU: 1 UID: 0 PID: 120 Comm: program Not tainted 6.17.13 #1 PREEMPT(voluntary)
[   12.000006] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2 04/01/2014
[   12.000007] Call Trace:
[   12.000008]  <TASK>
[   12.000009]  dump_stack_lvl+0x4d/0x70
[   12.000010]  print_report+0xcb/0x620
[   12.000011]  kasan_report+0xca/0x100
[   12.000012]  elevator_change_done+0x4b/0x120
[   12.000013]  elv_iosched_store+0x1a2/0x220
[   12.000014]  </TASK>
[   12.000015] ==================================================================
";

const UBSAN: &str = "\
[   12.000001] UBSAN: shift-out-of-bounds in fs/ext4/mballoc.c:3054:23
[   12.000002] shift exponent 119 is too large for 64-bit type 'long long unsigned int'
[   12.000003] CPU: 1 UID: 0 PID: 120 Comm: program Not tainted 6.17.13 #1 PREEMPT(voluntary)
[   12.000004] Call Trace:
[   12.000005]  <TASK>
[   12.000006]  dump_stack_lvl+0x4d/0x70
[   12.000007]  __ubsan_handle_shift_out_of_bounds+0x156/0x320
[   12.000008]  ext4_mb_init_group+0x1a2/0x220
[   12.000009]  ext4_mb_load_buddy_gfp+0x46d/0x4c0
[   12.000010]  </TASK>
[   12.000011] ---[ end trace ]---
";

const KCSAN: &str = "\
[   12.000001] ==================================================================
[   12.000002] BUG: KCSAN: data-race in elevator_switch / elv_iosched_show
[   12.000003]
[   12.000004] write to 0xffff888008cd1100 of 8 bytes by task 120 on cpu 0:
[   12.000005]  elevator_switch+0x4b/0x120
[   12.000006]  elv_iosched_store+0x1a2/0x220
[   12.000007]
[   12.000008] read to 0xffff888008cd1100 of 8 bytes by task 121 on cpu 1:
[   12.000009]  elv_iosched_show+0x4b/0x120
[   12.000010]  queue_attr_show+0x1a2/0x220
[   12.000011]
[   12.000012] Reported by Kernel Concurrency Sanitizer on:
[   12.000013] CPU: 1 UID: 0 PID: 121 Comm: program Not tainted 6.17.13 #1 PREEMPT(voluntary)
[   12.000014] ==================================================================
";

const LOCKDEP: &str = "\
[   12.000001] ======================================================
[   12.000002] WARNING: possible circular locking dependency detected
[   12.000003] 6.17.13 #1 Not tainted
[   12.000004] ------------------------------------------------------
[   12.000005] program/120 is trying to acquire lock:
[   12.000006] ffff888008cd1100 (&q->elevator_lock){+.+.}-{4:4}, at: elv_iosched_store+0x11f/0x220
[   12.000007]
[   12.000008] but task is already holding lock:
[   12.000009] ffff888008cd1200 (&q->sysfs_lock){+.+.}-{4:4}, at: queue_attr_store+0x9c/0x110
[   12.000010]
[   12.000011] which lock already depends on the new lock.
[   12.000012]
[   12.000013] stack backtrace:
[   12.000014] CPU: 1 UID: 0 PID: 120 Comm: program Not tainted 6.17.13 #1 PREEMPT(voluntary)
[   12.000015] Call Trace:
[   12.000016]  <TASK>
[   12.000017]  dump_stack_lvl+0x4d/0x70
[   12.000018]  print_circular_bug+0x29e/0x3b0
[   12.000019]  check_noncircular+0x146/0x160
[   12.000020]  __mutex_lock+0xb4/0xf60
[   12.000021]  elv_iosched_store+0x11f/0x220
[   12.000022]  queue_attr_store+0xf2/0x110
[   12.000023]  </TASK>
";

/// The dose's console holds this text.
fn console(text: &str) -> (Observation, Vec<Report>) {
    let seen = changed(|seen| {
        seen.console.text = text.as_bytes().to_vec();
        (seen.console.dose_start, seen.console.dose_end) = (Some(0), Some(text.len()));
    });
    let reports = oops::diagnose(&seen.console.text);
    (seen, reports)
}

#[test]
fn reports_of_the_sanitisers_are_symptoms() {
    let table: &[(&str, &str, &str, &str)] = &[
        (
            KASAN,
            "KASAN-USE-AFTER-FREE-READ",
            "^elevator_change_done$",
            "bad: KASAN: slab-use-after-free Read in elevator_change_done",
        ),
        (UBSAN, "UBSAN", "^ext4_mb_init_group$", "bad: UBSAN: shift-out-of-bounds in ext4_mb_init_group"),
        (
            KCSAN,
            "KCSAN-DATARACE",
            "^elevator_switch$",
            "bad: KCSAN: data-race in elevator_switch / elv_iosched_show",
        ),
        (LOCKDEP, "LOCKDEP", "^elv_iosched_store$", "bad: possible deadlock in elv_iosched_store"),
    ];
    for (text, kind, function, expected) in table {
        let (seen, reports) = console(text);
        let by_kind = test_with(&format!("{{crash: {{kind: [{kind}]}}}}"), "");
        assert_eq!(said(&by_kind, &seen, &reports), *expected);
        let by_trace = test_with(&format!("{{crash: {{kind: [{kind}], trace: ['{function}']}}}}"), "");
        assert_eq!(said(&by_trace, &seen, &reports), *expected);
        // what the suite does not describe is not its bug, and no absence of it
        let title = expected.trim_start_matches("bad: ");
        let elsewhere = test_with(&format!("{{crash: {{kind: [{kind}], trace: ['^no_such$']}}}}"), "");
        assert_eq!(said(&elsewhere, &seen, &reports), format!("other: {title}: not this test's symptom"));
        let other_kind = test_with("{crash: {kind: [KASAN-WRITE]}}", "");
        assert_eq!(said(&other_kind, &seen, &reports), format!("other: {title}: not this test's symptom"));
    }
}
