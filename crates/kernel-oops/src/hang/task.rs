//! Blocked tasks as the kernel prints them: in reports of hung tasks, and in answer to the SysRq `w`.

use serde::{Deserialize, Serialize};

use super::locks::is_primitive;

/// The most tasks that are taken from a console.
const MOST_TASKS: usize = 256;

/// The most functions of one stack.
const MOST_FRAMES: usize = 64;

/// A task that sleeps and cannot be interrupted, with what it sleeps in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedTask {
    /// Process id in the guest.
    pub pid: u32,
    /// The task's name (`comm`).
    pub comm: String,
    /// The kernel functions of its stack, innermost first, without offsets.
    pub stack: Vec<String>,
}

/// The blocked tasks of a console with their stacks as `/proc/PID/stack` has them, without what only waits.
pub fn sleepers(console: &[u8]) -> Vec<BlockedTask> {
    let mut tasks = blocked_tasks(console);
    for task in &mut tasks {
        let site = task.stack.iter().position(|function| !is_primitive(function)).unwrap_or(0);
        task.stack.drain(..site);
    }
    tasks
}

/// The tasks in uninterruptible sleep that a console shows, in the order of their first appearance; of a task that is
/// shown several times the longest stack counts, because the last one may be cut off. Form: `sched_show_task` in
/// `kernel/sched/core.c`, since 5.9.
pub fn blocked_tasks(console: &[u8]) -> Vec<BlockedTask> {
    shown(console, |state| state == 'D')
}

/// As [`blocked_tasks`], of tasks in one of these states (`D`, `S`, `R` …).
pub(super) fn shown(console: &[u8], wanted: impl Fn(char) -> bool) -> Vec<BlockedTask> {
    let mut found = Vec::new();
    let mut reading: Option<BlockedTask> = None;
    for line in lines(console) {
        if let Some((comm, state, pid)) = header(&line) {
            keep(reading.take(), &mut found);
            let task = BlockedTask { pid, comm: comm.to_owned(), stack: Vec::new() };
            reading = wanted(state).then_some(task);
            continue;
        }
        let Some(task) = &mut reading else { continue };
        match frame(&line) {
            Frame::Function(name) if task.stack.len() < MOST_FRAMES => task.stack.push(name.to_owned()),
            Frame::Function(_) | Frame::Between => {}
            Frame::Other => keep(reading.take(), &mut found),
        }
    }
    keep(reading, &mut found);
    found
}

fn keep(task: Option<BlockedTask>, found: &mut Vec<BlockedTask>) {
    let Some(task) = task else { return };
    match found.iter().position(|earlier| earlier.pid == task.pid) {
        Some(n) if found[n].stack.len() <= task.stack.len() => found[n] = task,
        None if found.len() < MOST_TASKS => found.push(task),
        _ => {}
    }
}

/// The console's lines without what stands before the kernel's text: time stamps, levels, the caller.
pub(super) fn lines(console: &[u8]) -> impl Iterator<Item = String> {
    console.split(|byte| *byte == b'\n').filter(|line| line.len() < 1024).map(|line| {
        let line = String::from_utf8_lossy(line);
        let mut text = line.trim_end();
        while let Some(rest) = text.strip_prefix(['[', '<']) {
            let Some(end) = rest.find([']', '>']) else { break };
            text = &rest[end + 1..];
        }
        text.strip_prefix(' ').unwrap_or(text).to_owned()
    })
}

/// `task:NAME            state:D stack:0     pid:146   tgid:146 …`
fn header(line: &str) -> Option<(&str, char, u32)> {
    let rest = line.strip_prefix("task:")?;
    let (comm, rest) = rest.split_once(" state:")?;
    let state = rest.chars().next()?;
    let digits = rest.split_once(" pid:")?.1.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Some((comm.trim(), state, digits[..end].parse().ok()?))
}

#[derive(Debug, PartialEq, Eq)]
enum Frame<'l> {
    /// A function that is surely on the stack.
    Function(&'l str),
    /// A line within a stack, or between the task's line and its stack.
    Between,
    /// The stack is over.
    Other,
}

/// A line below a task's: ` sriov_disable+0x2a/0x100 [igb]`.
fn frame(line: &str) -> Frame<'_> {
    let text = line.trim();
    let between = ["Call Trace:", "<TASK>", "? ", "Workqueue:", "Stopper:"];
    if text.is_empty() || between.iter().any(|start| text.starts_with(start)) {
        return Frame::Between;
    }
    let word = text.split(' ').next().unwrap_or_default();
    match word.split_once("+0x") {
        Some((name, place)) if place.contains("/0x") && line.starts_with(' ') => Frame::Function(name),
        _ => Frame::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONSOLE: &str = "\
[   15.701900] task:program         state:D stack:0     pid:146   tgid:146   ppid:145    flags:0x00004002\r
[   15.702451] Call Trace:\r
[   15.702775]  <TASK>\r
[   15.702949]  __schedule+0x4b5/0xcf0\r
[   15.704443]  ? bus_find_device+0xb1/0xe0\r
[   15.704970]  igb_disable_sriov+0x6b/0x120 [igb]\r
[   15.706340] RIP: 0033:0x433db0\r
[   15.706341]  not_of_the_stack+0x1/0x2\r
<6>[   16.0][    T9] task:a b c           state:D stack:    0 pid:   17 ppid:     2 flags:0x00004000\r
[   16.1] Workqueue: events rfkill_poll [rfkill]\r
[   16.2] Call Trace:\r
[   16.3]  rfkill_poll+0x2a/0x50 [rfkill]\r
[   17.0] task:init            state:S stack:0     pid:1     tgid:1 ppid:0 flags:0x0\r
[   17.1]  do_wait+0x1/0x2\r
";

    #[test]
    fn tasks_are_read_from_a_console() {
        let tasks: Vec<String> = blocked_tasks(CONSOLE.as_bytes())
            .iter()
            .map(|t| format!("{}:{} {}", t.comm, t.pid, t.stack.join(" ")))
            .collect();
        assert_eq!(tasks, ["program:146 __schedule igb_disable_sriov", "a b c:17 rfkill_poll"]);
    }

    #[test]
    fn what_only_waits_is_left_out() {
        let stacks: Vec<String> = sleepers(CONSOLE.as_bytes()).iter().map(|t| t.stack.join(" ")).collect();
        assert_eq!(stacks, ["igb_disable_sriov", "rfkill_poll"]);
    }

    #[test]
    fn a_task_that_is_shown_again_is_taken_once() {
        let cut = &CONSOLE[..CONSOLE.find("igb").unwrap()];
        for again in [CONSOLE, cut] {
            let both = format!("{CONSOLE}{again}");
            assert_eq!(blocked_tasks(both.as_bytes()), blocked_tasks(CONSOLE.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn no_console_panics(text in "(task:| state:| pid:|D|[0-9]{1,12}|\\[|\\]|<|>| |f\\+0x1/0x2|\n|é){0,60}") {
            blocked_tasks(text.as_bytes());
        }
    }
}
