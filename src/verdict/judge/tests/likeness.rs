//! A symptom that is a report in a log beside the suite.

use super::*;
use crate::oops::diagnose;
use crate::verdict::likeness_findings;

/// The console of an attempt on another kernel, where the title is another.
const LOG: &str = "\
[    2.4] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    2.5] RIP: 0010:blk_mq_debugfs_register_sched_hctx+0x20/0x90
[    2.5] Call Trace:
[    2.5]  blk_mq_sched_reg_debugfs+0x5b/0xa0
[    2.5]  elevator_change_done+0x15c/0x200
[    2.5]  elv_iosched_store+0x12c/0x190
[    2.5]  kernfs_fop_write_iter+0x142/0x1e0
[    2.5]  vfs_write+0x25d/0x480
[    2.5]  ksys_write+0x73/0xf0
[    2.5]  do_syscall_64+0x84/0x2f0
[    2.5] ---[ end trace 0000000000000000 ]---
";

const HUNG: &str = "\
[   42.0] INFO: task writer:77 blocked for more than 20 seconds.
[   42.0] task:writer          state:D stack:0     pid:77    ppid:1
[   42.0] Call Trace:
[   42.0]  __schedule+0x3fb/0xb10
[   42.0]  schedule+0x27/0xf0
[   42.0]  blk_mq_freeze_queue_wait+0x9d/0xe0
[   42.0]  elevator_switch+0x35/0x140
[   42.0]  elv_iosched_store+0x12c/0x190
[   42.0]  kernfs_fop_write_iter+0x142/0x1e0
[   42.0]  vfs_write+0x25d/0x480
";

/// A test whose symptom is the report of this log.
fn test_like(log: &str) -> Test {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("seen.log"), log).unwrap();
    let text = "suite: s\nsummary: s\ntests:\n- name: t\n  summary: t\n  program: {shell: 'true'}\n  \
                symptom: {crash: {like: seen.log}}\n";
    let path = folder.path().join("suite.yaml");
    std::fs::write(&path, text).unwrap();
    let suite = crate::suite::load_file(&path).unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
    Test::clone(&suite.tests[0])
}

/// What is said about an attempt during whose dose this was printed.
fn said_of(log: &str, console: &str, change: impl FnOnce(&mut Observation)) -> String {
    let test = test_like(log);
    let mut reports = diagnose(console.as_bytes());
    for report in &mut reports {
        report.start += DURING;
        report.end += DURING;
    }
    let judged = said(&test, &changed(change), &reports);
    let told: Vec<String> =
        reports.iter().flat_map(|report| likeness_findings(&test.symptom, report)).collect();
    [vec![judged], told].concat().join("\n    ")
}

#[test]
fn only_what_is_the_same_for_certain_is_the_symptom() {
    let elsewhere = LOG.replace("blk_mq_debugfs_register_sched_hctx", "blk_mq_map_swqueue");
    let kasan = "\
[    2.4] BUG: KASAN: slab-use-after-free in blk_mq_debugfs_register_sched_hctx+0x20/0x90
[    2.4] Read of size 8 at addr ffff888100000000 by task a/1
[    2.5] Call Trace:
[    2.5]  blk_mq_debugfs_register_sched_hctx+0x20/0x90
[    2.5]  blk_mq_sched_reg_debugfs+0x5b/0xa0
[    2.5]  elevator_change_done+0x15c/0x200
";
    let torn: String =
        LOG.lines().filter(|line| !line.contains("RIP")).map(|line| format!("{line}\n")).collect();
    let headless = format!("{}\n", LOG.lines().next().unwrap_or_default());
    let another = LOG.replace(
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "WARNING: CPU: 1 PID: 5 at a.c:1 x+0x1/0x2",
    );
    let entry_only = "\
[    2.4] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    2.5] Call Trace:
[    2.5]  ksys_write+0x73/0xf0
[    2.5]  __x64_sys_write+0x73/0xf0
[    2.5]  x64_sys_call+0x73/0xf0
[    2.5]  do_syscall_64+0x84/0x2f0
[    2.5]  entry_SYSCALL_64_after_hwframe+0x76/0x7e
";
    let table = [
        ("the same", said_of(LOG, LOG, |_| ())),
        ("the same, as KASAN sees it", said_of(LOG, kasan, |_| ())),
        ("the same path, another function", said_of(LOG, &elsewhere, |_| ())),
        ("without its instruction pointer", said_of(LOG, &torn, |_| ())),
        ("its first line only", said_of(LOG, &headless, |_| ())),
        ("how it was entered only", said_of(LOG, entry_only, |_| ())),
        ("another kind", said_of(LOG, &another, |_| ())),
        ("nothing", said_of(LOG, "", |_| ())),
        ("a blocked task", said_of(HUNG, HUNG, |_| ())),
        ("no blocked task", said_of(HUNG, "", |_| ())),
        ("nobody looks for blocked tasks", said_of(HUNG, "", |seen| seen.guest = None)),
    ];
    let lines: Vec<String> = table.iter().map(|(what, said)| format!("{what}:\n    {said}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    the same:
        bad: BUG: unable to handle kernel NULL pointer dereference in blk_mq_debugfs_register_sched_hctx
        the same defect as in seen.log: both are titled `BUG: unable to handle kernel NULL pointer dereference in blk_mq_debugfs_register_sched_hctx`
    the same, as KASAN sees it:
        bad: KASAN: slab-use-after-free Read in blk_mq_debugfs_register_sched_hctx
        the same defect as in seen.log: both are also known as `bad-access in blk_mq_debugfs_register_sched_hctx`
    the same path, another function:
        other: BUG: unable to handle kernel NULL pointer dereference in blk_mq_map_swqueue: not this test's symptom
        perhaps the defect of seen.log, which is not proved: both are NULL-POINTER-DEREFERENCE and 83% of what the shorter trace tells is in the longer one
    without its instruction pointer:
        bad: BUG: unable to handle kernel NULL pointer dereference in corrupted
        the same defect as in seen.log: both are NULL-POINTER-DEREFERENCE and 100% of what the shorter trace tells is in the longer one
    its first line only:
        other: BUG: unable to handle kernel NULL pointer dereference in corrupted: not this test's symptom; the report is damaged
    how it was entered only:
        other: BUG: unable to handle kernel NULL pointer dereference in corrupted: not this test's symptom; the report is damaged
    another kind:
        other: WARNING in blk_mq_debugfs_register_sched_hctx: not this test's symptom
    nothing:
        good
    a blocked task:
        bad: INFO: task hung in elevator_switch
        the same defect as in seen.log: both are titled `INFO: task hung in elevator_switch`
    no blocked task:
        good
    nobody looks for blocked tasks:
        blind: this kernel has no hung-task detector, or it is switched off (CONFIG_DETECT_HUNG_TASK)
    ");
}

#[test]
fn the_detector_that_saw_it_is_needed_again() {
    let needs = |log: &str| crate::suite::detector::missing(&test_like(log).symptom, &|_| false);
    let kasan = "[    2.4] BUG: KASAN: slab-use-after-free in f+0x20/0x90\n\
        [    2.4] Read of size 8 at addr ffff888100000000 by task a/1\n[    2.5] Call Trace:\n\
        [    2.5]  f+0x20/0x90\n[    2.5]  g+0x5b/0xa0\n[    2.5]  h+0x15c/0x200\n";
    assert_eq!(needs(kasan), Some(vec!["KASAN"]));
    assert_eq!(needs(HUNG), Some(vec!["DETECT_HUNG_TASK"]));
    assert_eq!(needs(LOG), None);
}
