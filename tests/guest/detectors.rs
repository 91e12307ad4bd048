//! Detectors that a program switches off, or that a kernel does not have.

use super::place::Place;

#[test]
fn an_absence_takes_a_detector_at_work() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "detectors"]);
    let lowered = |name: &str, before: &str| {
        format!("blind: a detector was lowered during the dose: {name} went from {before} to 0")
    };
    let needs = |what: &str| {
        format!("skip: needs {what} for its symptom to be seen, 6.12.117+deb13-cloud-amd64 has it not set")
    };
    let table = [
        ("at-work", "good".to_owned()),
        ("switched-off", lowered("kernel.hung_task_timeout_secs", "20")),
        ("covered", lowered("kernel.hung_task_timeout_secs", "20")),
        ("used-up", lowered("kernel.hung_task_warnings", "-1")),
        ("needs-no-detector", "good".to_owned()),
        ("non-static-key", needs("CONFIG_LOCKDEP")),
        ("red-zone", needs("CONFIG_SLUB_DEBUG_ON or slab_debug=Z")),
        ("red-zone-asked-for", "good".to_owned()),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("detectors::{test}")), expected);
    }
    // with KVM the processor may have the counter that it takes
    let hard = ended.cell("detectors::hard-lockup");
    assert!(hard == "good" || hard.starts_with("blind: "), "{hard}");
}
