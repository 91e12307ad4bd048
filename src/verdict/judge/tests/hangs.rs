//! Whose stack it is: from the console's text to the verdict.

use super::*;
use crate::oops;

fn shown(task: &str, pid: u32, state: char, functions: &[&str]) -> String {
    let frames: String = functions.iter().map(|f| format!("[   30.1]  {f}+0x1/0x2\n")).collect();
    format!(
        "[   30.1] task:{task:15} state:{state} stack:0     pid:{pid}    tgid:{pid}    ppid:1      flags:0x0\n\
         [   30.1] Call Trace:\n[   30.1]  <TASK>\n{frames}[   30.1]  </TASK>\n"
    )
}

fn hung_task(task: &str, pid: u32, functions: &[&str]) -> String {
    format!(
        "[   30.1] INFO: task {task}:{pid} blocked for more than 4 seconds.\n\
         [   30.1]       Not tainted 7.3.4 #1\n{}",
        shown(task, pid, 'D', functions)
    )
}

/// A dose with this on its console.
fn verdict(symptom: &str, console: &str) -> String {
    let seen = changed(|seen| {
        seen.console.text = console.as_bytes().to_vec();
        (seen.console.dose_start, seen.console.dose_end) = (Some(0), Some(console.len()));
    });
    said(&test_with(symptom, ""), &seen, &oops::diagnose(console.as_bytes()))
}

#[test]
fn functions_are_those_of_the_task_that_hangs() {
    let sleeper = hung_task("sh", 70, &["schedule_timeout", "nap_long"]);
    let dump = shown("sh", 71, 'D', &["down_read", "wait_a_moment"]);
    let asked = format!("{sleeper}[   30.3] sysrq: Show Blocked State\n{dump}");
    let owned = format!(
        "{sleeper}[   30.2] INFO: task sh:70 is blocked on a mutex likely owned by task sh:71.\n{dump}"
    );
    let other = "other: INFO: task hung in nap_long: not this test's symptom";
    let bad = "bad: INFO: task hung in nap_long";
    for console in [&asked, &owned] {
        assert_eq!(verdict("{hung-task: {functions: ['^wait_a_moment$']}}", console), other);
        assert_eq!(verdict("{crash: {trace: ['^wait_a_moment$']}}", console), other);
        assert_eq!(verdict("{hung-task: {functions: ['^nap_long$']}}", console), bad);
        assert_eq!(verdict("{crash: {trace: ['^nap_long$']}}", console), bad);
    }
}

#[test]
fn the_holder_is_asked_for_by_name() {
    let holder =
        |text: &str| format!("{}[   30.2] INFO: task sh:70 {text}\n", hung_task("sh", 70, &["own_stop"]));
    let with_stack = |text: &str| holder(text) + &shown("sh", 71, 'S', &["msleep", "holds_it"]);
    let symptom = "{hung-task: {functions: ['^own_stop$'], owner: ['^holds_it$']}}";
    let (bad, other) =
        ("bad: INFO: task hung in own_stop", "other: INFO: task hung in own_stop: not this test's symptom");
    for text in [
        "is blocked on a mutex likely owned by task sh:71.",
        "blocked on a semaphore likely last held by task sh:71",
        "<reader> blocked on an rw-semaphore likely owned by task sh:71 <writer>",
    ] {
        assert_eq!(verdict(symptom, &with_stack(text)), bad, "{text}");
        assert_eq!(verdict("{hung-task: {owner: ['^own_stop$']}}", &with_stack(text)), other, "{text}");
    }
    // whether it is the symptom is open where the kernel does not say
    let not_found = with_stack("is blocked on a mutex, but the owner is not found.");
    insta::assert_snapshot!(verdict(symptom, &not_found), @"blind: the kernel does not name the holder of what the task waits for (INFO: task hung in own_stop); kernels with CONFIG_DETECT_HUNG_TASK_BLOCKER do, of mutexes since 6.16 and of semaphores since 6.17");
    let before_6_16 = hung_task("sh", 70, &["own_stop"]);
    assert_eq!(verdict(symptom, &before_6_16), verdict(symptom, &not_found));
    let not_shown = with_stack("is blocked on a mutex likely owned by task sh:72.");
    insta::assert_snapshot!(verdict(symptom, &not_shown), @"blind: the stack of the lock's holder of INFO: task hung in own_stop is not known");
    // another hang decides, and a task that looks otherwise
    let two = hung_task("sh", 80, &["elsewhere"]) + &before_6_16;
    assert_eq!(verdict(symptom, &two), "other: INFO: task hung in elsewhere: not this test's symptom");
    assert_eq!(verdict("{hung-task: {functions: ['^x$'], owner: ['^y$']}}", &before_6_16), other);
}

#[test]
fn a_cycle_is_looked_for_in_all_its_tasks() {
    let links = [("a", 70, "stops_a", 71), ("b", 71, "stops_b", 70)].map(|(task, pid, function, owner)| {
        format!(
            "{}[   30.2] INFO: task {task}:{pid} is blocked on a mutex likely owned by task x:{owner}.\n",
            hung_task(task, pid, &["mutex_lock", function])
        )
    });
    let both = links.concat();
    let symptom = "{hung-task: {functions: ['^stops_a$'], cycle: ['^stops_a$', '^stops_b$']}}";
    assert_eq!(verdict(symptom, &both), "bad: INFO: task hung in stops_a");
    let other = "other: INFO: task hung in stops_a: not this test's symptom";
    assert_eq!(verdict(symptom, &links[0]), other);
    assert_eq!(verdict("{hung-task: {cycle: ['^elsewhere$']}}", &both), other);
}
