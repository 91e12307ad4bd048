//! Leaks, by the kernel's detector and by more than one detector.

use super::*;
use crate::observation::{LeakedObjects, ProbeReading, SlabRow, SlabRows};
use crate::verdict::{overlooked_leaks, slab_findings, unrelated_leaks};

const KMEMLEAK: &str = "{kmemleak: {functions: ['^smb3_fs_context_parse_param$'], at-least: 100}}";
const SLAB: &str = "{leak: {probe: slab, cache: kmalloc-192, per-iteration: 2}}";
const OFF: &str = "there is no /sys/kernel/debug/kmemleak";

fn leak(objects: u64, function: &str) -> LeakedObjects {
    let stack = ["__kmalloc_noprof", "kstrdup", function, "vfs_parse_fs_param"];
    LeakedObjects {
        objects,
        bytes: objects * 192,
        comm: "program".into(),
        stack: stack.map(str::to_owned).to_vec(),
    }
}

fn found(leaks: &[LeakedObjects]) -> ProbeReading {
    ProbeReading {
        probe: "kmemleak".into(),
        before: Some(0),
        after: Some(leaks.iter().map(|l| l.objects as i64).sum()),
        leaks: leaks.to_vec(),
        ..ProbeReading::default()
    }
}

fn own(objects: u64) -> ProbeReading {
    found(&[leak(objects, "smb3_fs_context_parse_param")])
}

fn off() -> ProbeReading {
    ProbeReading { probe: "kmemleak".into(), error: Some(OFF.into()), ..ProbeReading::default() }
}

/// The detector broke down in the middle of the dose.
fn off_later() -> ProbeReading {
    ProbeReading { before: Some(0), ..off() }
}

fn cut(reading: ProbeReading) -> ProbeReading {
    ProbeReading { leaks_cut: true, ..reading }
}

fn grew(objects: i64) -> ProbeReading {
    ProbeReading {
        probe: "slab".into(),
        subject: "kmalloc-192".into(),
        before: Some(1000),
        after: Some(1000 + objects),
        ..ProbeReading::default()
    }
}

fn unread() -> ProbeReading {
    ProbeReading { after: None, error: Some("/proc/slabinfo: denied".into()), ..grew(0) }
}

fn with(probes: &[ProbeReading]) -> Observation {
    changed(|seen| {
        seen.program.take_report("iterations 20000");
        seen.probes = probes.to_vec();
    })
}

#[test]
fn what_kmemleak_finds() {
    let elsewhere = || leak(4000, "nci_core_init");
    let table: &[(&[ProbeReading], &str)] = &[
        (&[own(2000)], "bad: memory leak in smb3_fs_context_parse_param"),
        (&[own(100)], "bad: memory leak in smb3_fs_context_parse_param"),
        (&[own(99)], "blind: kmemleak found 99 leaked objects of the 100 that make the symptom"),
        (&[own(1)], "blind: kmemleak found 1 leaked object of the 100 that make the symptom"),
        (&[found(&[])], "good"),
        // another leak is not this one
        (&[found(&[elsewhere()])], "good"),
        (
            &[found(&[elsewhere(), leak(100, "smb3_fs_context_parse_param")])],
            "bad: memory leak in smb3_fs_context_parse_param",
        ),
        (
            &[cut(found(&[elsewhere()]))],
            "blind: kmemleak found more leaked objects than are read, the symptom may be among the others",
        ),
        (&[cut(own(2000))], "bad: memory leak in smb3_fs_context_parse_param"),
        (&[off()], "blind: kmemleak: there is no /sys/kernel/debug/kmemleak"),
        (&[off_later()], "blind: kmemleak: there is no /sys/kernel/debug/kmemleak"),
        (&[], "blind: kmemleak was not read"),
        (&[grew(0)], "blind: kmemleak was not read"),
    ];
    let test = test_with(KMEMLEAK, "");
    for (probes, expected) in table {
        assert_eq!(said(&test, &with(probes), &[]), *expected, "{probes:?}");
    }
    let one = test_with("{kmemleak: {functions: ['^kstrdup$', '^smb3_']}}", "");
    assert_eq!(said(&one, &with(&[own(1)]), &[]), "bad: memory leak in kstrdup");
    assert_eq!(said(&one, &with(&[found(&[elsewhere()])]), &[]), "good");
}

#[test]
fn detectors_of_one_symptom() {
    let both = format!("{{detectors: [{KMEMLEAK}, {SLAB}]}}");
    let grown = "memory leak: kmalloc-192 grew by 40000 objects in 20000 iterations";
    let seen = "memory leak in smb3_fs_context_parse_param";
    let unclear =
        "kmalloc-192 grew by 9000 objects in 20000 iterations: neither the leak's 2 an iteration nor none";
    let table: &[(&[ProbeReading], String)] = &[
        (&[own(2000), grew(40_000)], format!("bad: {seen}; {grown}")),
        (&[found(&[]), grew(0)], "good".into()),
        // where one cannot judge the other one does
        (&[off(), grew(40_000)], format!("bad: {grown}")),
        (&[off_later(), grew(40_000)], format!("bad: {grown}")),
        (&[off(), grew(0)], "good".into()),
        (&[own(2000), unread()], format!("bad: {seen}")),
        (&[found(&[]), unread()], "good".into()),
        (&[own(2000), grew(9000)], format!("bad: {seen}")),
        // neither can
        (
            &[off(), unread()],
            format!("blind: kmemleak: {OFF}; slab cache kmalloc-192: /proc/slabinfo: denied"),
        ),
        (&[off(), grew(9000)], format!("blind: kmemleak: {OFF}; {unclear}")),
        (&[], "blind: kmemleak was not read; slab cache kmalloc-192 was not read".into()),
        // both can, and only one saw it
        (
            &[own(2000), grew(0)],
            format!("blind: the detectors disagree: one saw {seen}, another one saw nothing"),
        ),
        (
            &[found(&[]), grew(40_000)],
            format!("blind: the detectors disagree: one saw {grown}, another one saw nothing"),
        ),
    ];
    let test = test_with(&both, "");
    for (probes, expected) in table {
        assert_eq!(said(&test, &with(probes), &[]), *expected, "{probes:?}");
    }
    // as alternatives, each is a symptom of its own that has to be looked for
    let any = test_with(&format!("{{any: [{KMEMLEAK}, {SLAB}]}}"), "");
    assert_eq!(said(&any, &with(&[off(), grew(0)]), &[]), format!("blind: kmemleak: {OFF}"));
}

#[test]
fn another_leak_is_told_and_decides_nothing() {
    let test = test_with(KMEMLEAK, "");
    let seen = with(&[found(&[leak(3, "nci_core_init"), leak(100, "smb3_fs_context_parse_param")])]);
    assert_eq!(
        unrelated_leaks(&test.symptom, &seen),
        ["kmemleak also found 3 objects of 576 bytes leaked in nci_core_init (by program)"]
    );
    assert_eq!(unrelated_leaks(&test.symptom, &with(&[own(100)])), Vec::<String>::new());
}

fn rows(counted: &[(&str, i64)], siblings: &[(&str, i64)]) -> SlabRows {
    let row = |(name, grew): &(&str, i64)| SlabRow { name: (*name).into(), grew: *grew };
    let list = |rows: &[(&str, i64)]| rows.iter().map(row).collect();
    SlabRows { counted: list(counted), siblings: list(siblings), ..SlabRows::default() }
}

#[test]
fn a_leak_is_counted_in_every_cache_of_its_size() {
    let test = test_with("{leak: {size: 192, per-iteration: 2}}", "");
    let by_size = |slab| ProbeReading { subject: "caches of 192 bytes".into(), slab, ..grew(40_012) };
    let seen = with(&[by_size(rows(&[("memdup_user-192", 40_000), ("kmalloc-192", 12)], &[]))]);
    assert_eq!(
        said(&test, &seen, &[]),
        "bad: memory leak: caches of 192 bytes grew by 40012 objects in 20000 iterations"
    );
    assert_eq!(
        slab_findings(&test.symptom, &seen),
        ["most of the growth is in memdup_user-192, 40000 objects"]
    );
    // a reading of other caches is none of these
    assert_eq!(said(&test, &with(&[grew(0)]), &[]), "blind: the slab caches of 192 bytes was not read");
}

#[test]
fn a_glob_that_misses_the_cache_of_a_leak_is_warned_of() {
    let test = test_with(SLAB, "");
    type Row = (&'static str, i64);
    let table: &[(i64, &[Row], usize)] = &[
        (0, &[("memdup_user-192", 40_000)], 1),
        (0, &[("memdup_user-192", 40_000), ("msg_msg-192", 39_000)], 1),
        // what is less than the symptom's share is none
        (0, &[("memdup_user-192", 19_999)], 0),
        (0, &[], 0),
        // the glob saw it
        (40_000, &[("memdup_user-192", 40_000)], 0),
    ];
    for (growth, siblings, warnings) in table {
        let seen = with(&[ProbeReading { slab: rows(&[], siblings), ..grew(*growth) }]);
        assert_eq!(overlooked_leaks(&test.symptom, &seen).len(), *warnings, "{growth} {siblings:?}");
    }
    let seen = with(&[ProbeReading { slab: rows(&[], &[("memdup_user-192", 40_000)]), ..grew(0) }]);
    assert_eq!(said(&test, &seen, &[]), "good");
    insta::assert_snapshot!(overlooked_leaks(&test.symptom, &seen).join("\n"), @"kmalloc-192 did not grow, but memdup_user-192 did, by 40000 objects: `size` in place of `cache` counts every cache of that size");
}

#[test]
fn merged_caches_and_late_frees_are_told() {
    let test = test_with(SLAB, "");
    let reading = |slab| with(&[ProbeReading { slab, ..grew(100) }]);
    let seen = reading(SlabRows {
        merged: vec!["cred".into(), "pid".into()],
        first_after: Some(9000),
        ..SlabRows::default()
    });
    assert_eq!(said(&test, &seen, &[]), "good");
    insta::assert_snapshot!(slab_findings(&test.symptom, &seen).join("\n"), @"
    kmalloc-192 is counted together with cred, pid, which the kernel merged with it; slab_nomerge on the kernel's command line keeps them apart
    kmalloc-192 had grown by 8000 objects when the program ended, 7900 of which were freed within seconds
    ");
    // nothing was seen of some of what was asked for
    let seen = reading(SlabRows { without_row: vec!["cred".into()], ..SlabRows::default() });
    insta::assert_snapshot!(said(&test, &seen, &[]), @"blind: slab cache kmalloc-192: the kernel merged cred with other caches and does not count it alone; slab_nomerge on the kernel's command line keeps them apart");
}
