//! Which of the kernel's own detectors a symptom cannot be seen without.
//!
//! KASAN, lockdep and their like are only in kernels that were built with them. On any other kernel such a symptom
//! stays away whatever the kernel does, and that proves nothing.

mod kinds;
mod table;

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

use super::pattern::Pattern;
use super::symptom::{CrashPattern, HangPattern, Parts, Symptom};
use crate::oops::ReportKind;
pub use kinds::{
    DEBUG_KMEMLEAK, DETECT_HUNG_TASK, DETECT_HUNG_TASK_BLOCKER, Detector, SLAB, SLAB_CHECKS, SLAB_POISON,
    SLAB_RED_ZONE, SLUB_DEBUG, Stops,
};
use table::{KINDS, TITLES, WORDS};

/// The options of which a kernel needs at least one to show this symptom, where it has none of them; `None` if the
/// symptom can be seen. `on` says whether an option (without `CONFIG_`) is at work.
pub fn missing(symptom: &Symptom, on: &dyn Fn(&str) -> bool) -> Option<Vec<&'static str>> {
    let lacking = |detectors: Vec<Detector>| {
        let options: Vec<&'static str> = detectors.iter().map(|detector| detector.option).collect();
        (!options.iter().any(|option| on(option))).then_some(options)
    };
    match symptom.parts() {
        // one of several parts, or of several detectors, is enough
        Parts::OneOf(parts) => {
            let lacking: Vec<_> = parts.iter().map(|part| missing(part, on)).collect::<Option<_>>()?;
            Some(distinct(lacking.into_iter().flatten()))
        }
        Parts::AllOf(parts) => parts.iter().find_map(|part| missing(part, on)),
        Parts::None => symptom.traits().detectors.into_iter().find_map(lacking),
    }
}

/// What a kernel needs to show such a hang, as [`behind_crash`]. The holder of what a task waits for is known by the kernel's
/// word only.
pub(crate) fn behind_hang(pattern: &HangPattern) -> Vec<Vec<Detector>> {
    let holder = (!pattern.owner.is_empty()).then_some(vec![DETECT_HUNG_TASK_BLOCKER]);
    [vec![DETECT_HUNG_TASK]].into_iter().chain(holder).collect()
}

/// What a kernel needs to show such a report: of each list one detector.
pub(crate) fn behind_crash(pattern: &CrashPattern) -> Vec<Vec<Detector>> {
    let CrashPattern { title, kind, like, trace: _ } = pattern;
    let by_kind = kind.as_ref().and_then(|kinds| of_kinds(kinds));
    let by_title = title.as_ref().and_then(of_title);
    let alike = like.as_ref().map(|reference| &reference.report);
    let of_its_kind = alike.and_then(|report| of_kinds(&[report.kind.to_string()]));
    let of_its_title = alike.and_then(|report| behind(report.title.as_bytes()).map(<[_]>::to_vec));
    [by_kind, by_title, of_its_title.or(of_its_kind)].into_iter().flatten().collect()
}

/// The detectors that stand behind these report types; `None` if one of the types needs none.
fn of_kinds(kinds: &[String]) -> Option<Vec<Detector>> {
    let detectors = |kind: &String| {
        let kind = kind.parse::<ReportKind>().ok()?;
        let (detectors, _) = KINDS.iter().find(|(_, kinds)| kinds.contains(&kind))?;
        (!detectors.is_empty()).then_some(*detectors)
    };
    Some(distinct(kinds.iter().map(detectors).collect::<Option<Vec<_>>>()?.into_iter().flatten().copied()))
}

/// The detectors that stand behind every title that the pattern can match, as far as the words that it starts with tell,
/// or those that it must contain; `None` if a title without any detector may match.
fn of_title(pattern: &Pattern) -> Option<Vec<Detector>> {
    // what may stand before the first word says nothing
    let text = pattern.as_str().trim_start_matches('^').trim_start_matches(".*");
    let pattern = regex_syntax::parse(text).ok()?;
    if let Some((_, detectors)) = WORDS.iter().find(|(words, _)| must_contain(&pattern, words.as_bytes())) {
        return Some(detectors.to_vec());
    }
    let starts = Extractor::new().extract(&pattern);
    let found: Vec<_> =
        starts.literals()?.iter().map(|literal| behind(literal.as_bytes())).collect::<Option<_>>()?;
    (!found.is_empty()).then(|| distinct(found.into_iter().flatten().copied()))
}

/// Whether every text that the pattern matches has these words.
fn must_contain(pattern: &Hir, words: &[u8]) -> bool {
    match pattern.kind() {
        HirKind::Literal(literal) => memchr::memmem::find(&literal.0, words).is_some(),
        HirKind::Concat(parts) => parts.iter().any(|part| must_contain(part, words)),
        HirKind::Alternation(parts) => parts.iter().all(|part| must_contain(part, words)),
        HirKind::Capture(capture) => must_contain(&capture.sub, words),
        HirKind::Repetition(repeated) => repeated.min > 0 && must_contain(&repeated.sub, words),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// The detectors that stand behind titles that begin so.
fn behind(start: &[u8]) -> Option<&'static [Detector]> {
    let (_, detectors) = TITLES.iter().find(|(word, _)| start.starts_with(word.as_bytes()))?;
    Some(detectors)
}

fn distinct<T: PartialEq>(of: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in of {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::KmemleakPattern;

    fn crash(title: &str) -> Symptom {
        let title = Some(title.parse().expect("a pattern"));
        Symptom::Crash(CrashPattern { title, ..CrashPattern::default() })
    }

    fn of_kind(kinds: &[&str]) -> Symptom {
        let kind = Some(kinds.iter().map(|kind| (*kind).to_owned()).collect());
        Symptom::Crash(CrashPattern { kind, ..CrashPattern::default() })
    }

    #[test]
    fn a_symptom_that_only_a_detector_shows_needs_it() {
        let table = [
            ("^KASAN: ", "KASAN"),
            ("KASAN: slab-use-after-free Read in cifs_", "KASAN"),
            ("^(KASAN|KFENCE): ", "KASAN KFENCE"),
            ("^KASAN.*in foo$", "KASAN"),
            (".*use-after-free (Read|read) in foo", "KASAN KFENCE KMSAN"),
            ("^K(A|C)SAN: ", "KASAN KCSAN"),
            ("^possible deadlock in", "PROVE_LOCKING"),
            ("^UBSAN: shift", "UBSAN"),
            ("^UBSAN: shift-out-of-bounds in", "UBSAN_SHIFT UBSAN_MISC"),
            (
                "^UBSAN: signed-integer-overflow",
                "UBSAN_SIGNED_OVERFLOW UBSAN_SIGNED_WRAP UBSAN_INTEGER_WRAP UBSAN_MISC",
            ),
            ("^UBSAN: invalid-load", "UBSAN_BOOL UBSAN_ENUM UBSAN_MISC"),
            (r"^BUG: using smp_processor_id\(\) in preemptible", "DEBUG_PREEMPT"),
            ("^WARNING: ODEBUG bug", "DEBUG_OBJECTS"),
            ("^BUG: rwlock", "DEBUG_SPINLOCK"),
            ("^INFO: trying to register non-static key", "LOCKDEP"),
            ("^BUG: hard lockup", "HARDLOCKUP_DETECTOR"),
            ("^BUG: .*Redzone overwritten in slab", SLAB_RED_ZONE.option),
            ("^BUG: (Left|Right) Redzone overwritten", SLAB_RED_ZONE.option),
            ("Poison overwritten", SLAB_POISON.option),
            ("^INFO: rcu detected stall in", "RCU_STALL_COMMON"),
            ("^BUG: (Poison overwritten|corrupted)", ""),
            ("^memory leak in", "DEBUG_KMEMLEAK"),
            ("^BUG: scheduling while atomic", "PREEMPT_COUNT"),
            // these are seen without any of them
            ("^(BUG: (unable|corrupted)|general protection fault|KASAN|KFENCE|WARNING)", ""),
            ("^WARNING in foo", ""),
            ("in cifs_smb3_do_mount", ""),
            (".", ""),
        ];
        for (title, expected) in table {
            let found = missing(&crash(title), &|_| false).unwrap_or_default();
            assert_eq!(found.join(" "), expected, "{title}");
            assert_eq!(missing(&crash(title), &|_| true), None, "{title}");
        }
    }

    #[test]
    fn kinds_and_parts_count_too() {
        let table = [
            (of_kind(&["KASAN-READ", "KASAN-WRITE"]), Some(vec!["KASAN"])),
            (of_kind(&["KASAN-READ", "WARNING"]), None),
            (of_kind(&["LOCKDEP"]), Some(vec!["LOCKDEP"])),
            (Symptom::Any(vec![crash("^KASAN"), of_kind(&["KCSAN-DATARACE"])]), Some(vec!["KASAN", "KCSAN"])),
            (Symptom::Any(vec![crash("^KASAN"), Symptom::Exit { code: 1 }]), None),
            (Symptom::All(vec![crash("^KASAN"), Symptom::Exit { code: 1 }]), Some(vec!["KASAN"])),
            (of_kind(&["ATOMIC_SLEEP"]), Some(vec!["DEBUG_ATOMIC_SLEEP"])),
            (Symptom::HungTask(HangPattern::default()), Some(vec!["DETECT_HUNG_TASK"])),
            (
                Symptom::Kmemleak(KmemleakPattern { functions: Vec::new(), at_least: 1 }),
                Some(vec!["DEBUG_KMEMLEAK"]),
            ),
        ];
        for (symptom, expected) in table {
            assert_eq!(missing(&symptom, &|_| false), expected, "{symptom:?}");
        }
        let either = Symptom::Any(vec![crash("^KASAN"), crash("^KCSAN")]);
        assert_eq!(missing(&either, &|option| option == "KCSAN"), None);
        // who holds what a task waits for is said by kernels from 6.16 on
        let owner = HangPattern { owner: vec!["^f$".parse().expect("a pattern")], ..HangPattern::default() };
        let without = |option: &str| option != "DETECT_HUNG_TASK_BLOCKER";
        assert_eq!(missing(&Symptom::HungTask(owner), &without), Some(vec!["DETECT_HUNG_TASK_BLOCKER"]));
        assert_eq!(missing(&Symptom::HungTask(HangPattern::default()), &without), None);
    }

    #[test]
    fn every_report_type_has_an_answer() {
        for kind in ReportKind::ALL {
            let rows = KINDS.iter().filter(|(_, kinds)| kinds.contains(kind)).count();
            assert_eq!(rows, 1, "say in the table which options {kind} needs, once");
        }
    }

    /// Starts of titles of rules that need no option: the kernel reports such a thing without being asked.
    const UNASKED: &[&str] = &[
        "BUG: unable to handle kernel",
        "BUG: Bad rss-counter state",
        "BUG: non-zero nr_",
        "BUG: Dentry still in use",
        "BUG: Bad page",
        "BUG: non-zero pgtables",
        "BUG: invalid or fatal FRED event",
        "BUG: arch topology borken",
        "INFO: task waits for writeback completion",
        "BUG: corrupted",
        "WARNING: kobject bug",
        "WARNING: proc registration bug",
        "WARNING: refcount bug",
        "WARNING: kmalloc bug",
        "WARNING: zero-size vmalloc",
        "WARNING: corrupted",
        "WARNING in ",
        "WARNING at ",
        "kernel panic: Asynchronous SError",
        "PANIC in ",
        "PANIC: {1}",
        "LBUG in ",
        "INFO: {1} in {2}",
        "INFO: corrupted",
        "general protection fault",
        "stack segment fault",
        "kernel panic: Attempted to kill init!",
        "kernel panic: Couldn't open N_TTY ldisc",
        "kernel panic: {1}",
        "PANIC: double fault",
        "kernel BUG",
        "divide error",
        "invalid opcode",
        "int3 in ",
        "Kernel Fault in ",
        "unexpected kernel reboot",
        "unregister_netdevice",
        "VFS: ",
        "Internal error",
        "Unhandled fault",
        "Alignment trap",
        "trusty: ",
        "Oops",
        "SYZF",
        "{1} in {frame}",
        "machine check",
    ];

    #[test]
    fn every_rule_has_an_answer() {
        let rules = include_str!("../../crates/kernel-oops/src/rules.yaml");
        let titles = rules.lines().filter_map(|line| line.trim_start().strip_prefix("title: "));
        let mut without = Vec::new();
        for title in titles {
            let title = title.trim_matches(['\'', '"']);
            // `BUG: {1} {2} in {frame}` of spin_bug() and rwlock_bug(), and `BUG: {2} in slab {1}`: WORDS and two rows
            if title.starts_with("BUG: {") {
                continue;
            }
            let answered =
                behind(title.as_bytes()).is_some() || UNASKED.iter().any(|start| title.starts_with(start));
            if !answered {
                without.push(title);
            }
        }
        assert!(without.is_empty(), "say in the table which options these need: {without:#?}");
    }
}
