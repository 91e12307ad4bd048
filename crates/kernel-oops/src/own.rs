//! Whose stack it is: behind the stack of a hung task its report may show those of other tasks.

/// Goes through the lines of a report and tells which belong to the task that the report is about.
///
/// `check_hung_task()` prints the task with its stack. Behind it may follow, without a header of its own: the owner of
/// the lock with its stack (`debug_show_blocker()`, since 6.16), the stacks of all processors
/// (`hung_task_all_cpu_backtrace`), and those of all blocked tasks where SysRq `w` was asked for.
#[derive(Debug)]
pub(super) struct OwnLines {
    pid: Option<u32>,
    own: bool,
    /// Whether the task's trace was announced.
    traced: bool,
}

impl OwnLines {
    /// For a report about the task with this process id; `None`: the first task that is shown.
    pub(super) fn of(pid: Option<u32>) -> OwnLines {
        OwnLines { pid, own: true, traced: false }
    }

    /// Whether the next line belongs to the task; `starts_trace`: it announces a stack trace.
    pub(super) fn next(&mut self, line: &[u8], starts_trace: bool) -> bool {
        if let Some(pid) = shown_task(line) {
            self.own = *self.pid.get_or_insert(pid) == pid;
            self.traced = false;
        } else if is_processor(line) {
            self.own = false;
        } else if starts_trace {
            self.own = self.own && !self.traced;
            self.traced = true;
        }
        self.own
    }
}

/// The process id in the line of `sched_show_task()`, since 5.9: `task:NAME  state:D stack:0 pid:146 …`.
fn shown_task(line: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, rest) = line.strip_prefix("task:")?.split_once(" state:")?;
    let digits = rest.split_once(" pid:")?.1.trim_start();
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether what follows is about a processor and what runs on it.
fn is_processor(line: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"NMI backtrace for cpu", b"CPU: ", b"Sending NMI from CPU"];
    starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use crate::diagnose;

    const HUNG: &str = "\
[   30.1] INFO: task writer:77 blocked for more than 10 seconds.
[   30.1]       Not tainted 7.3.4 #1
[   30.1] \"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.
[   30.1] task:writer          state:D stack:0     pid:77    tgid:77    ppid:1      flags:0x0
[   30.1] Call Trace:
[   30.1]  <TASK>
[   30.1]  __schedule+0x4b5/0xcf0
[   30.1]  own_wait+0x1/0x2
[   30.1]  </TASK>
";

    fn frames(behind: &str) -> String {
        let reports = diagnose(format!("{HUNG}{behind}").as_bytes());
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports[0].frames.join(" ")
    }

    #[test]
    fn frames_are_those_of_the_hung_task() {
        let trace = |task: &str| {
            format!(
                "[   30.2] task:{task} state:D stack:0     pid:78    tgid:78    ppid:1      flags:0x0
[   30.2] Call Trace:
[   30.2]  <TASK>
[   30.2]  another_wait+0x1/0x2
[   30.2]  </TASK>
"
            )
        };
        let owners = [
            "INFO: task writer:77 is blocked on a mutex likely owned by task owner:78.",
            "INFO: task writer:77 blocked on a semaphore likely last held by task owner:78",
            "INFO: task writer:77 <reader> blocked on an rw-semaphore likely owned by task owner:78 <writer>",
        ];
        for line in owners {
            assert_eq!(
                frames(&format!("[   30.2] {line}\n{}", trace("owner"))),
                "__schedule own_wait",
                "{line}"
            );
        }
        for line in [
            "INFO: task writer:77 is blocked on a mutex, but the owner is not found.",
            "INFO: task writer:77 is blocked on an rw-semaphore, but the owner is not found.",
        ] {
            assert_eq!(frames(&format!("[   30.2] {line}\n")), "__schedule own_wait", "{line}");
        }
        let asked = format!("[   30.3] sysrq: Show Blocked State\n{}", trace("sleeper"));
        assert_eq!(frames(&asked), "__schedule own_wait");
        let processor = "\
[   30.4] NMI backtrace for cpu 1
[   30.4] CPU: 1 UID: 0 PID: 9 Comm: khungtaskd Not tainted 7.3.4 #1
[   30.4] Call Trace:
[   30.4]  <TASK>
[   30.4]  watchdog+0x1/0x2
[   30.4]  </TASK>
";
        assert_eq!(frames(processor), "__schedule own_wait");
    }

    #[test]
    fn older_kernels_show_the_task_in_another_form() {
        let console = HUNG.replace(
            "task:writer          state:D stack:0     pid:77    tgid:77    ppid:1      flags:0x0",
            "writer          D    0    77      1 0x00000000",
        );
        assert_eq!(diagnose(console.as_bytes())[0].frames.join(" "), "__schedule own_wait");
    }
}
