//! Guests whose clock leaps while they are idle.

use super::place::Place;

#[test]
fn a_clock_leaps_over_what_is_idle_and_over_nothing_else() {
    let Some(place) = Place::new() else { return };
    // it takes a newer QEMU than some hosts have
    place.share("tools").expect("the tools of all");
    let ended = place.run(&["-s", "clocks", "--fetch-qemu"]);
    for (test, expected) in [
        ("waits", "good"),
        ("waits-too-long", "blind: the program did not end within 30 s"),
        ("too-few", "blind: the program did 1 of 2 rounds"),
        ("asks", "good"),
        ("hangs", "bad: INFO: task hung in mnt_want_write"),
    ] {
        assert_eq!(ended.cell(&format!("clocks::{test}")), expected);
    }
    let attempts: Vec<_> = ended.events.iter().filter(|e| e["event"] == "attempt").collect();
    let waits = attempts.iter().filter(|attempt| attempt["test"] == "clocks::waits");
    assert!(attempts.iter().all(|attempt| attempt["time_travel"] == true), "{attempts:?}");
    assert!(attempts.iter().all(|attempt| attempt["start"] == "restored"), "{attempts:?}");
    // by the guest's own clock it waited as long as it meant to
    let long = waits.filter(|attempt| attempt["program"]["ran_ms"].as_u64() >= Some(600_000));
    assert_eq!(long.count(), 2, "{attempts:?}");
    let real = place.run(&["-s", "clocks", "asks", "--real-clock"]);
    assert_eq!(real.cell("clocks::asks"), "good");
    assert!(real.event("attempt")["time_travel"].is_null(), "{:?}", real.events);
}

/// As on a host that is so busy that the kernel measures its processor's speed wrong.
#[test]
fn a_clock_that_runs_away_gives_no_verdict_but_that_of_a_crash() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "fast-clock", "--retries", "0"]);
    let waits = ended.cell("fast-clock::waits");
    assert!(waits.starts_with("lost: the guest was not in time, its clock counted "), "{waits}");
    assert_eq!(ended.cell("fast-clock::crashes"), "bad: kernel panic: sysrq triggered crash");
    for attempt in ended.events.iter().filter(|e| e["event"] == "attempt") {
        let seconds = |whose: &str| attempt["clock"][whose].as_f64().expect("it was noticed");
        assert!(seconds("guest") > 1.5 * seconds("host"), "{attempt}");
    }
}
