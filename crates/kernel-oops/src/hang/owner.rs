//! What the kernel itself says about who holds the lock that a hung task waits for (`kernel/hung_task.c`: mutexes
//! since 6.16, semaphores and read-write semaphores since 6.17).

use std::sync::LazyLock;

use regex::Regex;

use super::task::{BlockedTask, lines, shown};

/// One such line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The task that waits.
    pub waiter: u32,
    /// What sort of lock it waits for: `mutex`.
    pub what: String,
    /// Name and process id of the task that holds it.
    pub owner: (String, u32),
}

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^INFO: task .*:(\d+)(?: <\w+>)? (?:is )?blocked on an? ([\w-]+),? likely (?:last )?(?:owned|held) by (?:\w+ )?task (.*):(\d+)\b",
    )
    .expect("a valid pattern")
});

/// All such lines of a console, the last one of each waiter.
pub fn owners(console: &[u8]) -> Vec<Owned> {
    let mut found: Vec<Owned> = Vec::new();
    for line in lines(console).filter(|line| line.starts_with("INFO: task")) {
        let Some(parts) = LINE.captures(&line) else { continue };
        let (Ok(waiter), Ok(owner)) = (parts[1].parse(), parts[4].parse()) else { continue };
        found.retain(|earlier| earlier.waiter != waiter);
        found.push(Owned { waiter, what: parts[2].to_owned(), owner: (parts[3].to_owned(), owner) });
    }
    found
}

/// The task that the kernel names as the holder of what this one waits for, with its stack as far as it is shown.
pub fn owner(console: &[u8], waiter: u32) -> Option<BlockedTask> {
    let owned = owners(console).into_iter().find(|owned| owned.waiter == waiter)?;
    let (comm, pid) = owned.owner;
    let task = shown(console, |_| true).into_iter().find(|task| task.pid == pid);
    Some(task.unwrap_or(BlockedTask { pid, comm, stack: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_comes_with_its_stack() {
        let console = "\
[ 1.0] INFO: task a:3 <reader> blocked on an rw-semaphore likely owned by task b:4 <writer>
[ 1.0] task:b               state:S stack:0     pid:4     tgid:4     ppid:1      flags:0x0
[ 1.0] Call Trace:
[ 1.0]  msleep+0x1/0x2
[ 1.1] INFO: task c:5 blocked on a semaphore likely last held by task y:6
";
        let told = |waiter| {
            owner(console.as_bytes(), waiter).map(|t| format!("{}:{} {}", t.comm, t.pid, t.stack.join(" ")))
        };
        assert_eq!([3, 5, 7].map(told), [Some("b:4 msleep".into()), Some("y:6 ".into()), None]);
    }

    #[test]
    fn owners_are_read() {
        let console = "\
[ 1.0] INFO: task program:121 is blocked on a mutex likely owned by task program:122.
[ 1.1] INFO: task a:b:3 <reader> blocked on an rw-semaphore likely owned by task c d:4 <writer>
[ 1.2] INFO: task x:5 blocked on a semaphore likely last held by task y:6
[ 1.3] INFO: task x:7 is blocked on a mutex, but the owner is not found.
[ 1.4] INFO: task program:121 blocked for more than 10 seconds.
";
        let read: Vec<String> = owners(console.as_bytes())
            .iter()
            .map(|o| format!("{} {} {}:{}", o.waiter, o.what, o.owner.0, o.owner.1))
            .collect();
        assert_eq!(read, ["121 mutex program:122", "3 rw-semaphore c d:4", "5 semaphore y:6"]);
    }
}
