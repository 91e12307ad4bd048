//! Detectors that a program switches off, or that a kernel does not have.

use super::place::Place;

#[test]
fn an_absence_takes_a_detector_at_work() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "detectors"]);
    let lowered = |change: &str| {
        format!(
            "blind: a detector was lowered during the dose: kernel.hung_task_{change} (CONFIG_DETECT_HUNG_TASK)"
        )
    };
    let needs = |what: &str| {
        format!("skip: needs {what} for its symptom to be seen, 6.12.117+deb13-cloud-amd64 has it not set")
    };
    let table = [
        ("at-work", "good".to_owned()),
        ("switched-off", lowered("timeout_secs went from 20 to 0")),
        ("covered", lowered("timeout_secs went from 20 to 0")),
        ("off-for-a-while", lowered("timeout_secs went from 20 to 0, for a while")),
        ("watches-less", lowered("check_count went from 4194304 to 1")),
        ("used-up", lowered("warnings went from -1 to 0")),
        ("holder", needs("CONFIG_DETECT_HUNG_TASK_BLOCKER")),
        (
            "stalls-suppressed",
            "blind: a detector was lowered during the dose: rcu_cpu_stall_suppress went from 0 to 1 (CONFIG_RCU_STALL_COMMON)"
                .to_owned(),
        ),
        ("needs-no-detector", "good".to_owned()),
        ("non-static-key", needs("CONFIG_LOCKDEP")),
        ("red-zone", needs("CONFIG_SLUB_DEBUG_ON or slab_debug=Z")),
        ("red-zone-asked-for", "good".to_owned()),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("detectors::{test}")), expected);
    }
    // with KVM the processor may have the counter that it takes; without one the detector is dead before the dose
    let hard = ended.cell("detectors::hard-lockup");
    let dead = "skip: a detector was off: kernel.nmi_watchdog was 0 before the dose";
    assert!(hard == "good" || hard.starts_with(dead), "{hard}");
}
