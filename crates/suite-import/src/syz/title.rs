//! Titles of crashes, as the dashboard of syzbot has them, as symptoms of a suite.
//!
//! A title there is what its kernels said, which are built with KASAN and its like, and over the years in other words. What
//! stands in a suite fits the titles that kregress gives today, and those that the same defect has on a kernel without them.

use std::fmt::Write as _;

/// What shows the bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    /// The value of `symptom`, as YAML on one line.
    pub symptom: String,
    /// Whether the kernel reports it only after some time.
    pub waits: bool,
    /// What the reader of the suite should know of it.
    pub note: Option<&'static str>,
}

impl Sign {
    /// Any report of the kernel.
    pub fn any() -> Sign {
        Sign { symptom: "{crash: any}".to_owned(), waits: false, note: None }
    }

    fn titled(pattern: String) -> Sign {
        Sign { symptom: format!("{{crash: {{title: {}}}}}", quoted(&pattern)), waits: false, note: None }
    }
}

/// Crashes that have a suite of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// Its part of the suite's name.
    pub name: &'static str,
    /// What they have in common.
    pub summary: &'static str,
}

impl Family {
    /// Of those whose crash is not known.
    pub const UNTITLED: Family = Family { name: "untitled", summary: "crashes that they do not name" };
}

/// Families by what titles begin with; the first one counts.
const FAMILIES: &[(&str, Family)] = &[
    ("KASAN: use-after-free", Family { name: "kasan-uaf", summary: "use after free, as KASAN finds it" }),
    (
        "KASAN: slab-use-after-free",
        Family { name: "kasan-uaf", summary: "use after free, as KASAN finds it" },
    ),
    ("KASAN", Family { name: "kasan", summary: "other wrong accesses that KASAN finds" }),
    ("KMSAN", Family { name: "kmsan", summary: "uninitialised values that KMSAN finds" }),
    ("KCSAN", Family { name: "kcsan", summary: "data races that KCSAN finds" }),
    ("UBSAN", Family { name: "ubsan", summary: "undefined behaviour that UBSAN finds" }),
    ("memory leak", Family { name: "leaks", summary: "memory leaks" }),
    ("INFO: task", HANGS),
    ("INFO: rcu", HANGS),
    ("BUG: soft lockup", HANGS),
    ("BUG: workqueue lockup", HANGS),
    ("possible deadlock", LOCKING),
    ("inconsistent lock state", LOCKING),
    ("suspicious RCU usage", LOCKING),
    ("WARNING", Family { name: "warnings", summary: "warnings" }),
    ("general protection fault", FAULTS),
    ("stack segment fault", FAULTS),
    ("BUG: unable to handle", FAULTS),
    ("BUG", BUGS),
    ("kernel BUG", BUGS),
];

const HANGS: Family = Family { name: "hangs", summary: "tasks that hang, processors that are stuck" };
const LOCKING: Family = Family { name: "locking", summary: "what lockdep finds" };
const FAULTS: Family = Family { name: "faults", summary: "accesses to where there is no memory" };
const BUGS: Family = Family { name: "bugs", summary: "what the kernel itself calls a bug" };
const OTHERS: Family = Family { name: "others", summary: "other crashes" };

/// What titles of the kernel begin with, besides those of the families above.
const KERNELS: &[&str] = &[
    "KFENCE: ",
    "INFO: ",
    "kernel panic: ",
    "divide error",
    "invalid opcode",
    "int3 in ",
    "PANIC: double fault",
    "unregister_netdevice: ",
    "Internal error",
];

/// What is said of accesses through a bad pointer; which of them depends on the address and on KASAN.
const ACCESSES: &[&str] = &[
    "general protection fault in ",
    "stack segment fault in ",
    "BUG: unable to handle kernel NULL pointer dereference in ",
    "BUG: unable to handle kernel paging request in ",
    "BUG: unable to handle kernel access to user memory in ",
    "KASAN: null-ptr-deref Read in ",
    "KASAN: null-ptr-deref Write in ",
    "KASAN: wild-memory-access Read in ",
    "KASAN: wild-memory-access Write in ",
    "KASAN: user-memory-access Read in ",
    "KASAN: user-memory-access Write in ",
];

/// Where a report was too damaged for its function to be known.
const UNKNOWN: &str = " in corrupted";

/// Words in older titles that stand for what differs from crash to crash.
const PLACEHOLDERS: &[&str] = &["LINE", "ADDR", "NUM"];

/// A title without the number that the dashboard adds to the second bug of that title, and the ones after it.
pub(super) fn plain(title: &str) -> &str {
    let counted = title.strip_suffix(')').and_then(|start| start.rsplit_once(" ("));
    match counted {
        Some((start, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => start,
        _ => title,
    }
}

/// The family of a plain title.
pub(super) fn family(title: &str) -> Family {
    FAMILIES.iter().find(|(start, _)| title.starts_with(start)).map_or(OTHERS, |(_, family)| *family)
}

/// What a plain title says to look for.
pub(super) fn sign(title: &str) -> Sign {
    let function = |start: &str| title.strip_prefix(start).filter(|name| is_function(name));
    let hung = ["INFO: task hung in ", "INFO: task can't die in "];
    if let Some(name) = hung.into_iter().find_map(function) {
        let symptom = format!("{{hung-task: {{functions: [{}]}}}}", quoted(&format!("^{}$", escaped(name))));
        return Sign { symptom, waits: true, note: None };
    }
    if let Some(name) = function("memory leak in ") {
        let symptom = format!("{{kmemleak: {{functions: [{}]}}}}", quoted(&format!("^{}$", escaped(name))));
        return Sign { symptom, waits: false, note: None };
    }
    if let Some(name) = ACCESSES.iter().find_map(|start| function(start)) {
        return Sign::titled(format!("^bad-access in {}$", escaped(name)));
    }
    if let Some(name) = function("KASAN: double-free or invalid-free in ") {
        return Sign::titled(format!("^KASAN: invalid-free in {}$", escaped(name)));
    }
    let is_kernels = family(title) != OTHERS || KERNELS.iter().any(|start| title.starts_with(start));
    if !is_kernels {
        return Sign { note: Some("its title is no report of the kernel: any one counts"), ..Sign::any() };
    }
    if title.starts_with("general protection fault") || title.starts_with("BUG: unable to handle") {
        return Sign {
            note: Some("its title names no function: any report of the kernel counts"),
            ..Sign::any()
        };
    }
    let waits = family(title) == HANGS;
    // since Linux 6.4 KASAN says which kind of memory it was
    let pattern = |text: &str| match text.strip_prefix("KASAN: use-after-free") {
        Some(rest) => format!("^KASAN: (slab-)?use-after-free{}", escaped(rest)),
        None => format!("^{}", escaped(text)),
    };
    if let Some(start) = title.strip_suffix(UNKNOWN) {
        let note = Some("its title names no function: only what stands before it counts");
        return Sign { waits, note, ..Sign::titled(pattern(start)) };
    }
    if let Some(start) = before_placeholder(title) {
        let note = Some("its title is of an older form: only its beginning counts");
        return Sign { waits, note, ..Sign::titled(pattern(start)) };
    }
    Sign { waits, ..Sign::titled(format!("{}$", pattern(title))) }
}

/// What of a title stands before the place that a placeholder is part of.
fn before_placeholder(title: &str) -> Option<&str> {
    if title.starts_with("UBSAN: Undefined") || title.starts_with("UBSAN: undefined") {
        return Some("UBSAN:");
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let place = PLACEHOLDERS.iter().filter_map(|word| {
        let (place, _) = title.match_indices(word).find(|(place, _)| {
            let (before, after) = (&title[..*place], &title[place + word.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })?;
        Some(place)
    });
    let before = &title[..place.min()?];
    let end = [" at ", " in "].iter().filter_map(|word| before.rfind(word)).max().unwrap_or(before.len());
    Some(before[..end].trim_end())
}

fn is_function(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    !name.is_empty() && name != "corrupted" && name.bytes().all(inside)
}

/// A text as a regular expression.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                _ = write!(pattern, "\\{c}");
            }
            _ => pattern.push(c),
        }
    }
    pattern
}

/// A pattern in single quotes of YAML.
fn quoted(pattern: &str) -> String {
    format!("'{}'", pattern.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_what_the_kernel_says_today() {
        let table = [
            ("WARNING in enqueue_task_dl", r"{crash: {title: '^WARNING in enqueue_task_dl$'}}"),
            ("possible deadlock in lock_trace (3)", r"{crash: {title: '^possible deadlock in lock_trace$'}}"),
            ("possible deadlock (4)", r"{crash: {title: '^possible deadlock$'}}"),
            (
                "KASAN: use-after-free Read in l2cap_chan_put",
                r"{crash: {title: '^KASAN: (slab-)?use-after-free Read in l2cap_chan_put$'}}",
            ),
            (
                "KASAN: double-free or invalid-free in kfree",
                r"{crash: {title: '^KASAN: invalid-free in kfree$'}}",
            ),
            ("general protection fault in f.part.0", r"{crash: {title: '^bad-access in f\.part\.0$'}}"),
            ("KASAN: null-ptr-deref Write in f", r"{crash: {title: '^bad-access in f$'}}"),
            (
                "BUG: unable to handle kernel NULL pointer dereference in f",
                r"{crash: {title: '^bad-access in f$'}}",
            ),
            ("memory leak in f", r"{kmemleak: {functions: ['^f$']}}"),
            ("INFO: task hung in f", r"{hung-task: {functions: ['^f$']}}"),
            ("INFO: task can't die in f", r"{hung-task: {functions: ['^f$']}}"),
            ("INFO: rcu detected stall in f", r"{crash: {title: '^INFO: rcu detected stall in f$'}}"),
            ("kernel BUG at net/core/skbuff.c:LINE!", r"{crash: {title: '^kernel BUG'}}"),
            (
                "BUG: sleeping function called from invalid context at a/b.c:LINE",
                r"{crash: {title: '^BUG: sleeping function called from invalid context'}}",
            ),
            (
                "BUG: using __this_cpu_read() in preemptible [ADDR] code: syzkaller3",
                r"{crash: {title: '^BUG: using __this_cpu_read\(\)'}}",
            ),
            ("UBSAN: Undefined behaviour in net/x.c:LINE", r"{crash: {title: '^UBSAN:'}}"),
            ("suspicious RCU usage at net/x.c:LINE", r"{crash: {title: '^suspicious RCU usage'}}"),
            ("BUG: unable to handle kernel paging request at ADDR", "{crash: any}"),
            ("general protection fault: 0000 [#1] SMP KASAN", "{crash: any}"),
            ("general protection fault in corrupted", "{crash: any}"),
            ("WARNING: kmalloc bug in corrupted (2)", r"{crash: {title: '^WARNING: kmalloc bug'}}"),
            (
                "KASAN: use-after-free Read in corrupted",
                r"{crash: {title: '^KASAN: (slab-)?use-after-free Read'}}",
            ),
            (
                "kernel panic: stack is corrupted in f",
                r"{crash: {title: '^kernel panic: stack is corrupted in f$'}}",
            ),
            ("it's odd: x (2)", "{crash: any}"),
            ("INFO: it's odd", "{crash: {title: '^INFO: it''s odd$'}}"),
            ("lost connection to test machine", "{crash: any}"),
            ("SYZFAIL: mount failed", "{crash: any}"),
        ];
        for (title, symptom) in table {
            assert_eq!(sign(plain(title)).symptom, symptom, "{title}");
        }
    }

    #[test]
    fn what_is_reported_by_the_clock_takes_longer_and_what_is_no_report_is_said() {
        for (title, waits, noted) in [
            ("INFO: task hung in f", true, false),
            ("BUG: soft lockup in f", true, false),
            ("INFO: rcu detected stall in f", true, false),
            ("WARNING in f", false, false),
            ("no output from test machine", false, true),
            ("kernel BUG at a.c:LINE!", false, true),
        ] {
            let sign = sign(title);
            assert_eq!((sign.waits, sign.note.is_some()), (waits, noted), "{title}");
        }
    }
}
