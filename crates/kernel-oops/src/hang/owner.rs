//! What the kernel itself says about who holds the lock that a hung task waits for (`kernel/hung_task.c`: mutexes
//! since 6.16, semaphores and read-write semaphores since 6.17).

use std::sync::LazyLock;

use regex::Regex;

use super::task::lines;

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

#[cfg(test)]
mod tests {
    use super::*;

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
