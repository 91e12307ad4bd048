//! Whether two reports are the same defect.

use super::engine::Engine;
use super::report::Report;

/// So much of two traces must agree (as a share of the shorter one) for them to count as the same path.
const SAME_PATH: f64 = 0.6;

/// Traces with fewer functions that tell something prove nothing.
const MIN_PATH: usize = 4;

/// Beginnings of functions that are in traces of all kinds: where the kernel is entered, what runs work for others, and
/// what a blocked task waits in. What reports and what allocates is left out by the rules' own list.
const COMMONPLACE: [&str; 3] = [
    // system calls and traps
    "entry_ asm_ do_syscall_ x64_sys_ __x64_sys_ __ia32_sys_ __arm64_sys_ __se_sys_ __do_sys_ ksys_ ia32_sys_call \
     invoke_syscall syscall_ system_call do_fast_syscall __do_fast_syscall do_int80 do_el0_svc el0_ el0t_ el1_ el1h_ \
     ret_from_ ret_fast_syscall handle_exception exc_ vfs_ioctl do_vfs_ioctl task_work_run exit_to_user sysvec_ \
     common_interrupt irq_exit __irq_exit",
    // work queues, softirqs, the idle loop, the start of the kernel
    "kthread worker_thread process_one_work process_scheduled_works smpboot_thread_fn run_ksoftirqd handle_softirqs \
     do_softirq __do_softirq do_idle cpu_startup_entry start_secondary secondary_startup start_kernel rest_init kernel_init",
    // waiting
    "schedule __schedule io_schedule __switch_to context_switch rwsem_ __down wait_for_ __wait_ do_wait_",
];

/// Whether two reports are the same defect, and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// They are; the text says why.
    Same(String),
    /// Something speaks for it; not enough to count them as one.
    Likely(String),
    /// Nothing speaks for it, or something against.
    Different(String),
}

impl Sameness {
    /// Whether the two reports should be counted as one.
    pub fn is_same(&self) -> bool {
        matches!(self, Sameness::Same(_))
    }

    /// What the answer rests on, for a reader.
    pub fn reason(&self) -> &str {
        match self {
            Sameness::Same(reason) | Sameness::Likely(reason) | Sameness::Different(reason) => reason,
        }
    }
}

/// Compares two reports by title, alternative titles, type and trace.
///
/// A title that blames no function (a damaged report) only counts together with a common trace.
pub fn same_defect(a: &Report, b: &Report) -> Sameness {
    let whole = !is_vague(a) && !is_vague(b);
    if whole && a.title == b.title {
        return Sameness::Same(format!("both are titled `{}`", a.title));
    }
    if whole && let Some(shared) = a.titles().find(|title| b.titles().any(|other| other == *title)) {
        return Sameness::Same(format!("both are also known as `{shared}`"));
    }
    match common_path(&a.frames, &b.frames).filter(|share| *share >= SAME_PATH) {
        Some(share) if a.kind == b.kind => {
            let percent = (share * 100.0).round();
            let reason = format!(
                "both are {} and {percent:.0}% of what the shorter trace tells is in the longer one",
                a.kind
            );
            if whole { Sameness::Likely(reason) } else { Sameness::Same(reason) }
        }
        _ if !whole && a.title == b.title => {
            Sameness::Likely(format!("both are titled `{}`, and at least one is damaged", a.title))
        }
        _ if a.kind != b.kind => Sameness::Different(format!("one is {}, the other {}", a.kind, b.kind)),
        _ => Sameness::Different(format!("`{}` and `{}` have no title in common", a.title, b.title)),
    }
}

/// Whether two reports came about on the same path through the kernel: most of the functions that tell something are in
/// both traces, in the same order.
pub fn share_a_path(a: &Report, b: &Report) -> bool {
    common_path(&a.frames, &b.frames).is_some_and(|share| share >= SAME_PATH)
}

/// Puts reports of the same defect together, in the order in which the defects first appear.
pub fn distinct<'r>(reports: impl IntoIterator<Item = &'r Report>) -> Vec<Vec<&'r Report>> {
    let mut groups: Vec<Vec<&Report>> = Vec::new();
    for report in reports {
        match groups.iter_mut().find(|group| same_defect(group[0], report).is_same()) {
            Some(group) => group.push(report),
            None => groups.push(vec![report]),
        }
    }
    groups
}

/// Whether the title does not say where the defect is.
fn is_vague(report: &Report) -> bool {
    report.title.ends_with(" corrupted") || report.corrupted && report.frame.is_none()
}

/// How much of the shorter trace the longer one has in the same order, if both are long enough to tell.
fn common_path<'r>(a: &'r [String], b: &'r [String]) -> Option<f64> {
    // deeper frames are the same for every system call
    const DEPTH: usize = 24;
    let engine = Engine::embedded();
    let commonplace = || COMMONPLACE.iter().flat_map(|starts| starts.split_ascii_whitespace());
    let tells =
        |name: &str| !commonplace().any(|start| name.starts_with(start)) && !engine.never_blames(name);
    let telling = |names: &'r [String]| -> Vec<&'r str> {
        names.iter().take(DEPTH).map(String::as_str).filter(|name| tells(name)).collect()
    };
    let (a, b) = (telling(a), telling(b));
    let shorter = a.len().min(b.len());
    if shorter < MIN_PATH {
        return None;
    }
    let mut lengths = vec![0_usize; b.len() + 1];
    for name in a {
        let mut diagonal = 0;
        for (at, other) in b.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = if name == *other { diagonal + 1 } else { above.max(lengths[at]) };
            diagonal = above;
        }
    }
    Some(lengths[b.len()] as f64 / shorter as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReportKind;

    fn report(title: &str, alt: &[&str], kind: ReportKind, frames: &[&str]) -> Report {
        Report {
            title: title.to_owned(),
            alt_titles: alt.iter().map(|title| (*title).to_owned()).collect(),
            kind,
            corrupted: title.ends_with("corrupted"),
            corrupted_reason: None,
            frame: None,
            frames: frames.iter().map(|name| (*name).to_owned()).collect(),
            suppressed: false,
            panicked: false,
            start: 0,
            end: 0,
            start_line: 1,
            task: None,
            pid: None,
            cpu: None,
        }
    }

    #[test]
    fn what_all_traces_have_in_common_is_no_path() {
        let torn = |frames: &[&str]| report("INFO: task hung in corrupted", &[], ReportKind::Hang, frames);
        let waits = [
            "__schedule",
            "schedule",
            "schedule_preempt_disabled",
            "__mutex_lock.constprop.0",
            "mutex_lock_nested",
        ];
        let enters =
            ["ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe", "ret_from_fork_asm", "kthread"];
        let through = |names: [&'static str; 4]| torn(&[&waits[..], &names[..], &enters[..]].concat());
        let (a, b) = (through(["a", "b", "c", "d"]), through(["w", "x", "y", "z"]));
        assert!(!same_defect(&a, &b).is_same() && !share_a_path(&a, &b));
        assert!(same_defect(&a, &a).is_same() && share_a_path(&a, &a));
        assert!(!share_a_path(&torn(&enters), &torn(&enters)));
    }

    #[test]
    fn titles_types_and_traces_are_compared() {
        use ReportKind::{DoS, KasanRead, Warning};
        let path = ["f", "g", "h", "i", "j"];
        let gpf = report("general protection fault in f", &["bad-access in f"], DoS, &path);
        let kasan = report("KASAN: slab-out-of-bounds Read in f", &["bad-access in f"], KasanRead, &path);
        let other = report("general protection fault in x", &["bad-access in x"], DoS, &["x", "y", "z", "w"]);
        let near = report("general protection fault in g", &["bad-access in g"], DoS, &path[1..]);
        let torn = report("general protection fault in corrupted", &["bad-access in corrupted"], DoS, &path);
        let warning = report("WARNING in f", &[], Warning, &["a", "b", "c", "d"]);
        let cases = [
            (&gpf, &gpf),
            (&gpf, &kasan),
            (&gpf, &other),
            (&gpf, &near),
            (&torn, &gpf),
            (&torn, &torn),
            (&gpf, &warning),
        ];
        let groups = distinct([&gpf, &other, &kasan, &warning, &torn]);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 1, 1]);
        let lines: Vec<String> = cases.iter().map(|(a, b)| format!("{:?}", same_defect(a, b))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Same("both are titled `general protection fault in f`")
        Same("both are also known as `bad-access in f`")
        Different("`general protection fault in f` and `general protection fault in x` have no title in common")
        Likely("both are DoS and 100% of what the shorter trace tells is in the longer one")
        Same("both are DoS and 100% of what the shorter trace tells is in the longer one")
        Same("both are DoS and 100% of what the shorter trace tells is in the longer one")
        Different("one is DoS, the other WARNING")
        "#);
    }
}
