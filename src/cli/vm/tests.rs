use super::*;
use crate::observation::GuestFacts;

fn end(outcome: Outcome) -> SessionEnd {
    let guest = GuestFacts { release: "6.17.13".into(), ..GuestFacts::default() };
    SessionEnd { outcome, guest: Some(guest), boot: Some(Duration::from_millis(3449)), console: Vec::new() }
}

#[test]
fn every_end_has_its_code() {
    let lost = |up, detail: Option<&str>| Outcome::GuestLost { up, detail: detail.map(str::to_owned) };
    let program = SetupFailure::Program { error: "no-such: No such file or directory".into() };
    let module = SetupFailure::Module { name: "igb".into(), error: "Exec format error".into() };
    let crash = &["kernel panic: sysrq triggered crash".to_owned()][..];
    let table: &[(Outcome, &[String], bool, u8, &str)] = &[
        (Outcome::Booted, &[], false, 0, ""),
        (Outcome::Exited(Exit::Code(7)), &[], false, 7, ""),
        (Outcome::Exited(Exit::Code(7)), crash, false, 7, ""),
        (Outcome::Exited(Exit::Signal(9)), &[], false, 137, ""),
        (
            Outcome::Failed(program),
            &[],
            false,
            127,
            "the command could not be started: no-such: No such file or directory",
        ),
        (
            Outcome::Failed(module),
            &[],
            false,
            96,
            "6.17.13: module igb could not be loaded: Exec format error",
        ),
        (Outcome::NotBooted(120.0), &[], false, 96, "6.17.13 did not boot in 120 s"),
        (lost(false, None), crash, false, 96, "6.17.13 did not boot: kernel panic: sysrq triggered crash"),
        (lost(false, Some("no room")), &[], false, 96, "6.17.13 did not boot: no room"),
        (lost(true, None), crash, false, 104, "6.17.13 crashed: kernel panic: sysrq triggered crash"),
        (lost(true, None), crash, true, 104, "6.17.13 crashed: kernel panic: sysrq triggered crash"),
        (
            lost(true, None),
            &[],
            false,
            104,
            "6.17.13 ended before the command: it powered off or restarted, and its console shows no crash",
        ),
        (lost(true, None), &[], true, 0, ""),
        (
            lost(true, Some("QEMU ended with signal: 9")),
            &[],
            true,
            104,
            "6.17.13 ended before the command: QEMU ended with signal: 9",
        ),
        (Outcome::TimedOut(5.0), &[], false, 124, "the command did not end in 5 s"),
        (
            Outcome::TimedOut(5.0),
            crash,
            false,
            124,
            "the command did not end in 5 s: kernel panic: sysrq triggered crash",
        ),
        (Outcome::Left, &[], true, 0, ""),
        (Outcome::Cancelled, &[], true, 130, ""),
    ];
    for (outcome, titles, is_shell, status, complaint) in table {
        let found = ending(&end(outcome.clone()), "6.17.13", titles, *is_shell);
        assert_eq!((found.status, found.complaint.unwrap_or_default()), (*status, (*complaint).to_owned()));
    }
}

#[test]
fn a_boot_is_told_in_a_line() {
    assert_eq!(booted(&end(Outcome::Booted), "tcg"), "6.17.13 booted in 3.4 s (tcg)");
}

#[test]
fn one_kernel_is_asked_for() {
    assert_eq!(
        not_one(&["6.12.57", "6.12.117"]),
        "one kernel is booted, and these are 2: 6.12.57, 6.12.117; name one of them"
    );
    let many = ["6.12"; 11];
    assert!(not_one(&many).ends_with("6.12, 6.12 and 3 more; name one of them"));
}
