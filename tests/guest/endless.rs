//! Programs that do not end by themselves, in real guests.

use super::place::Place;

#[test]
fn a_dose_is_over_after_its_time_whatever_the_program_did() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "endless"]);
    let table = [
        ("loops", "good"),
        ("leaves-its-work-to-a-child", "good"),
        ("hides-the-log", "good"),
        ("is-no-program", "blind: the program could not be started: Exec format error (os error 8)"),
        ("crashes-in-its-second-run", "bad: kernel panic: sysrq triggered crash"),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("endless::{test}")), expected);
    }
    let died = ended.cell("endless::dies-at-once");
    let whole = died.starts_with("blind: the program never really ran: in ")
        && died.ends_with(" runs it died at once, the last time with signal 11: so soon");
    assert!(whole, "{died}");
    let program = |test: &str| {
        let mut attempts = ended.events.iter().filter(|e| e["event"] == "attempt");
        let attempt = attempts.find(|e| e["test"] == format!("endless::{test}")).expect("an attempt");
        attempt["program"].clone()
    };
    assert_eq!(program("loops")["runs"]["started"], 1);
    // a child is the run as well, was not ended with its parent, and is heard to its last word; time is over for the last one
    let child = program("leaves-its-work-to-a-child");
    let reports = child["reports"].as_array().expect("a list");
    let whole = child["runs"]["started"].as_u64().expect("a number") - 1;
    assert!(
        reports.len() as u64 >= whole && reports.iter().all(|report| report["note"] == "done"),
        "{child}"
    );
}
