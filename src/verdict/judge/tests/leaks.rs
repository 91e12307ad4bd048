//! Leaks, by the kernel's detector and by more than one detector.

use super::*;
use crate::observation::{LeakedObjects, ProbeReading};
use crate::verdict::unrelated_leaks;

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
