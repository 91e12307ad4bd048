//! Which of the kernel's own detectors a symptom cannot be seen without.
//!
//! KASAN, lockdep and their like are only in kernels that were built with them. On any other kernel such a symptom
//! stays away whatever the kernel does, and that proves nothing.

use regex_syntax::hir::literal::Extractor;

use super::pattern::Pattern;
use super::symptom::{CrashPattern, Symptom};

/// Starts of titles, with the options of which one is needed to report such a thing; the first that fits counts.
const TITLES: &[(&str, &[&str])] = &[
    ("KASAN", &["KASAN"]),
    ("KCSAN", &["KCSAN"]),
    ("KMSAN", &["KMSAN"]),
    ("KFENCE", &["KFENCE"]),
    ("UBSAN", &["UBSAN"]),
    ("array-index-out-of-bounds", &["UBSAN"]),
    ("shift-out-of-bounds", &["UBSAN"]),
    ("slab-use-after-free", &["KASAN"]),
    ("slab-out-of-bounds", &["KASAN"]),
    ("stack-out-of-bounds", &["KASAN"]),
    ("global-out-of-bounds", &["KASAN"]),
    ("vmalloc-out-of-bounds", &["KASAN"]),
    ("wild-memory-access", &["KASAN"]),
    ("null-ptr-deref", &["KASAN"]),
    ("invalid-free", &["KASAN"]),
    ("double-free", &["KASAN"]),
    ("out-of-bounds", &["KASAN", "KFENCE", "UBSAN"]),
    ("use-after-free", &["KASAN", "KFENCE", "KMSAN"]),
    ("uninit-value", &["KMSAN"]),
    ("kernel-infoleak", &["KMSAN"]),
    ("data-race", &["KCSAN"]),
    ("memory leak in", &["DEBUG_KMEMLEAK"]),
    ("possible deadlock", &["PROVE_LOCKING"]),
    ("inconsistent lock state", &["PROVE_LOCKING"]),
    ("WARNING: suspicious RCU usage", &["PROVE_RCU"]),
    ("WARNING: locking bug", &["LOCKDEP"]),
    ("WARNING: bad unlock balance", &["LOCKDEP"]),
    ("WARNING: held lock freed", &["LOCKDEP"]),
    ("WARNING: still has locks held", &["LOCKDEP"]),
    ("WARNING: nested lock was not taken", &["LOCKDEP"]),
    ("BUG: sleeping function called from invalid context", &["DEBUG_ATOMIC_SLEEP"]),
    ("BUG: spinlock", &["DEBUG_SPINLOCK"]),
    ("BUG: soft lockup", &["SOFTLOCKUP_DETECTOR"]),
    ("BUG: workqueue lockup", &["WQ_WATCHDOG"]),
    ("INFO: task hung", &["DETECT_HUNG_TASK"]),
];

/// Starts of the words for report types, as [`TITLES`]. What a kernel reports without being asked is not among them.
const KINDS: &[(&str, &str)] = &[
    ("KASAN-", "KASAN"),
    ("KCSAN-", "KCSAN"),
    ("KMSAN-", "KMSAN"),
    ("KFENCE-", "KFENCE"),
    ("UBSAN", "UBSAN"),
    ("MEMORY_SAFETY_UBSAN", "UBSAN"),
    ("LOCKDEP", "LOCKDEP"),
    ("LEAK", "DEBUG_KMEMLEAK"),
];

/// The options of which a kernel needs at least one to show this symptom, where it has none of them; `None` if the
/// symptom can be seen. `on` says whether an option (without `CONFIG_`) is at work.
pub fn missing(symptom: &Symptom, on: &dyn Fn(&str) -> bool) -> Option<Vec<&'static str>> {
    match symptom {
        Symptom::Any(parts) => {
            let lacking: Vec<_> = parts.iter().map(|part| missing(part, on)).collect::<Option<_>>()?;
            Some(distinct(lacking.into_iter().flatten()))
        }
        Symptom::All(parts) => parts.iter().find_map(|part| missing(part, on)),
        Symptom::Crash(CrashPattern { title, kind, like, .. }) => {
            let by_kind = kind.as_ref().and_then(|kinds| of_kinds(kinds));
            let by_title = title.as_ref().and_then(of_title);
            let alike = like.as_ref().map(|reference| &reference.report);
            let of_its_kind = alike.and_then(|report| of_kinds(&[report.kind.to_string()]));
            let of_its_title = alike.and_then(|report| behind(report.title.as_bytes()).map(<[_]>::to_vec));
            let given = [by_kind, by_title, of_its_title.or(of_its_kind)];
            given.into_iter().flatten().find(|options| !options.iter().any(|option| on(option)))
        }
        _ => None,
    }
}

/// The options that stand behind these report types; `None` if one of the types needs no detector.
fn of_kinds(kinds: &[String]) -> Option<Vec<&'static str>> {
    let option = |kind: &String| KINDS.iter().find(|(start, _)| kind.starts_with(start)).map(|(_, o)| *o);
    Some(distinct(kinds.iter().map(option).collect::<Option<Vec<_>>>()?.into_iter()))
}

/// The options that stand behind every title that the pattern can match, as far as the words that it starts with tell;
/// `None` if a title without any detector may match.
fn of_title(pattern: &Pattern) -> Option<Vec<&'static str>> {
    // what may stand before the first word says nothing
    let text = pattern.as_str().trim_start_matches('^').trim_start_matches(".*");
    let starts = Extractor::new().extract(&regex_syntax::parse(text).ok()?);
    let found: Vec<_> =
        starts.literals()?.iter().map(|literal| behind(literal.as_bytes())).collect::<Option<_>>()?;
    (!found.is_empty()).then(|| distinct(found.into_iter().flatten().copied()))
}

/// The options that stand behind titles that begin so.
fn behind(start: &[u8]) -> Option<&'static [&'static str]> {
    TITLES.iter().find(|(word, _)| start.starts_with(word.as_bytes())).map(|(_, options)| *options)
}

fn distinct<'a>(options: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for option in options {
        if !found.contains(&option) {
            found.push(option);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ];
        for (symptom, expected) in table {
            assert_eq!(missing(&symptom, &|_| false), expected, "{symptom:?}");
        }
        let either = Symptom::Any(vec![crash("^KASAN"), crash("^KCSAN")]);
        assert_eq!(missing(&either, &|option| option == "KCSAN"), None);
    }

    #[test]
    fn every_report_type_of_a_detector_is_known() {
        use crate::oops::ReportKind;
        let own: Vec<&str> = ReportKind::ALL
            .iter()
            .map(|kind| kind.word())
            .filter(|word| of_kinds(&[(*word).to_owned()]).is_none())
            .collect();
        insta::assert_snapshot!(own.join(" "), @"ATOMIC_SLEEP BUG DoS HANG LOST_CONNECTION MEMORY_SAFETY_BUG NULL-POINTER-DEREFERENCE REFCOUNT_WARNING REBOOT SYZ_FAILURE UNKNOWN WARNING");
    }
}
