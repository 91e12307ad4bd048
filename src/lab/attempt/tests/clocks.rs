//! Guests whose time is not the host's: one that leaps on purpose, and one that runs away.

use super::*;
use crate::observation::GuestFacts;

#[test]
fn a_guest_whose_clock_leaps_is_judged_by_its_own_time() {
    let leaping = |script: Script| attempt_with(script, &Cancel::new(), |context| context.clock_leaps = true);
    // sixty seconds of the guest's in six of the host's
    let beat = |n: u64| FromGuest::Heartbeat { uptime_ms: n * 1000 };
    let fast = |seconds: u64, pause: f64| {
        (0..seconds).fold(Script::in_dose(), |script, n| script.after(pause).say(beat(n)))
    };
    let table = [
        ("an idle guest", fast(70, 0.1)),
        ("it ends in time", fast(59, 0.1).completes()),
        ("a guest that is slower than the host", fast(59, 2.0).completes()),
        ("one that is hardly alive", fast(59, 20.0)),
        ("a hung task", {
            let tasks = vec![BlockedTask { pid: 7, comm: "dd".into(), stack: vec!["io_schedule".into()] }];
            let asked = fast(12, 0.1).console(HUNG).until("blocked-tasks");
            asked.after(0.1).say(FromGuest::BlockedTasks { tasks })
        }),
    ];
    let lines: String =
        table.into_iter().map(|(name, script)| format!("{name}: {}\n", leaping(script).line())).collect();
    insta::assert_snapshot!(lines, @r"
    an idle guest: not done in 60 s in dose at 17.1 s: Blind: the program did not end within 60 s
    it ends in time: complete in stop at 8.9 s: Good
    a guest that is slower than the host: complete in stop at 121.0 s: Good
    one that is hardly alive: not done in 60 s in dose at 611.0 s: Blind: the program did not end within 60 s
    a hung task: crash seen in dose at 4.3 s: Other: INFO: task hung in corrupted
    ");
}

#[test]
fn a_clock_that_runs_away_is_noticed_whenever_signs_come_late() {
    let beat = |n: u64| FromGuest::Heartbeat { uptime_ms: n * 1000 };
    let beats = |pauses: &[(f64, u64)]| {
        let start = Script::in_dose();
        pauses.iter().fold(start, |script, (pause, n)| script.after(*pause).say(beat(*n))).completes()
    };
    let facts = |uptime_ms| GuestFacts { uptime_ms, release: "6.1.0".into(), ..GuestFacts::default() };
    let boots = |seconds: f64, uptime_ms| {
        let hello = FromGuest::Hello(facts(uptime_ms));
        Script::new().after(seconds).say(hello).until("run").after(1.0).dose_begins().completes()
    };
    let leaps = |context: &mut AttemptContext<'_>| context.clock_leaps = true;
    let as_it_is = |_: &mut AttemptContext<'_>| {};
    let table: Vec<(&str, Attempted)> = [
        ("in time", beats(&[(1.0, 1), (1.0, 2), (1.0, 3)])),
        ("somewhat fast", beats(&[(1.0, 1), (1.0, 4), (1.0, 7)])),
        ("fast", beats(&[(1.0, 1), (1.0, 12), (1.0, 23)])),
        ("fast, then in time", beats(&[(0.5, 1), (0.5, 31), (30.0, 61)])),
        // the host was too busy to read them, and reads twenty at once
        ("late signs", beats(&[(20.0, 1), (0.0, 2), (0.0, 20)])),
        ("the first one late", beats(&[(15.0, 1), (5.0, 20)])),
        ("slow", beats(&[(5.0, 1), (5.0, 2), (5.0, 3)])),
        ("a boot in time", boots(3.0, Some(2900))),
        ("a fast boot", boots(3.0, Some(57_000))),
        ("a boot that does not tell", boots(3.0, None)),
    ]
    .map(|(name, script)| (name, attempt_with(script, &Cancel::new(), as_it_is)))
    .into_iter()
    .chain([("it leaps", attempt_with(beats(&[(1.0, 1), (1.0, 59)]), &Cancel::new(), leaps))])
    .collect();
    let lines: String = table
        .into_iter()
        .map(|(name, attempt)| {
            let clock = attempt.seen.clock.map_or("-".to_owned(), |pair| pair.to_string());
            format!("{name}: {clock}: {}\n", attempt.verdict)
        })
        .collect();
    insta::assert_snapshot!(lines, @r"
    in time: -: Good
    somewhat fast: its clock counted 6 s in 4.0 s of the host's: Good
    fast: its clock counted 22 s in 4.0 s of the host's: Lost: the guest was not in time, its clock counted 22 s in 4.0 s of the host's: nothing follows from that
    fast, then in time: its clock counted 60 s in 32.0 s of the host's: Lost: the guest was not in time, its clock counted 60 s in 32.0 s of the host's: nothing follows from that
    late signs: -: Good
    the first one late: -: Good
    slow: -: Good
    a boot in time: -: Good
    a fast boot: its clock counted 57 s in 3.0 s of the host's: Lost: the guest was not in time, its clock counted 57 s in 3.0 s of the host's: nothing follows from that
    a boot that does not tell: -: Good
    it leaps: -: Good
    ");
}
