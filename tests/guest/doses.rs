//! Doses that were not done, in real guests.

use super::place::Place;

#[test]
fn a_dose_was_done_or_the_cell_is_not_good() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "doses"]);
    let table = [
        ("runs-its-time", "good"),
        (
            "misspelt",
            "blind: the program wrote a line that is no report, `iterations: 5`; did you mean `iterations`?",
        ),
        (
            "silent",
            "blind: the program did not say how many of its 1000 rounds it did (a line `iterations N`)",
        ),
        ("helped", "good"),
        ("no-number", "blind: the program could not judge: COUNT is \"-3\", expected a number"),
        ("late-child", "bad: a late leak"),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("doses::{test}")), expected);
    }
    let early = ended.cell("doses::over-at-once");
    assert!(early.starts_with("blind: the program ended with 0 too early: it ran "), "{early}");
    let killed = ended.cell("doses::worker-killed");
    assert!(killed.starts_with("blind: the kernel was out of memory and killed tail ("), "{killed}");
    // which of the two an attempt does is a matter of its seed: a crash counts as soon as there is one
    let attempts = ended.events.iter().filter(|e| e["event"] == "attempt");
    let mut of_it = attempts.filter(|e| e["test"] == "doses::crash-then-skip");
    let crashed = of_it.any(|e| e["verdict"] == "other");
    let cell = ended.cell("doses::crash-then-skip");
    assert!(cell.starts_with(if crashed { "other: kernel panic" } else { "skip: no device" }), "{cell}");
}
