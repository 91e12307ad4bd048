//! Programs that end, hang, flood and crash.

use super::place::{Ended, KERNEL, Place};

fn check(ended: &Ended, expected: &[(&str, &str)]) {
    let found: Vec<(&str, String)> = expected.iter().map(|(test, _)| (*test, ended.cell(test))).collect();
    let expected: Vec<(&str, String)> =
        expected.iter().map(|(test, said)| (*test, (*said).to_owned())).collect();
    assert_eq!(found, expected);
    let cells = ended.events.iter().filter(|e| e["event"] == "cell").count();
    assert_eq!(cells, expected.len(), "a cell was not looked at");
}

#[test]
fn every_end_of_a_program() {
    let Some(place) = Place::new() else { return };
    let mut command = place.run_command(&["-s", "ends"]);
    command.env("CC", "no-such-compiler");
    let ended = place.finish(command);
    let reset = "blind: the guest restarted or powered off during dose, and its console shows no crash";
    check(
        &ended,
        &[
            ("ends::clean", "good"),
            ("ends::too-few-rounds", "blind: the program did 2 of 4 rounds"),
            ("ends::exits-early", "blind: the program ended early with exit code 3: cannot go on"),
            ("ends::reports-the-symptom", "bad: 3 pages leak"),
            ("ends::hangs", "blind: the program did not end within 3 s"),
            ("ends::missing-module", "skip: module no_such_module is not in 6.12.117+deb13-cloud-amd64"),
            (
                "ends::missing-option",
                "skip: needs CONFIG_KASAN=y or m, 6.12.117+deb13-cloud-amd64 has it not set",
            ),
            // the others run all the same
            (
                "ends::in-c",
                "blind: no C compiler: no-such-compiler was not found; install one (Debian: apt-get install gcc libc6-dev) or name it in CC",
            ),
            ("ends::signals-init", "good"),
            (
                "ends::breaks-init",
                "blind: the guest's init was ended during dose: kernel panic: Attempted to kill init!",
            ),
            ("ends::reboots", reset),
            ("ends::powers-off", reset),
            ("ends::resets", reset),
            ("ends::crashes", "other: kernel panic: sysrq triggered crash"),
            ("ends::crashes-as-described", "bad: kernel panic: sysrq triggered crash"),
            (
                "ends::silences-the-console",
                "blind: the console does not show the dose's beginning and end: the kernel's messages did not get through",
            ),
        ],
    );
    assert_eq!(ended.code, Some(100), "{}", ended.err);
    let last = ended.last();
    assert_eq!(
        (&last["good"], &last["bad"], &last["other"], &last["skip"]),
        (&2.into(), &2.into(), &1.into(), &2.into())
    );
    assert_eq!((&last["blind"], &last["lost"], &last["not_run"]), (&9.into(), &0.into(), &0.into()));
}

#[test]
fn tasks_that_hang() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "hangs"]);
    assert_eq!(ended.cell("hangs::as-described"), "bad: INFO: task hung in mnt_want_write");
    assert_eq!(ended.cell("hangs::in-another-way"), "other: INFO: task hung in mnt_want_write");
    let left = ended.cell("hangs::left-behind");
    assert!(left.starts_with("blind: task touch ("), "{left}");
    assert!(
        left.ends_with(
            "was blocked at the end as in the symptom, and the kernel had no time to call it hung"
        ),
        "{left}"
    );
}

#[test]
fn floods_cost_their_bound_and_no_more() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "floods"]);
    assert_eq!(ended.cell("floods::output"), "good");
    let attempts: Vec<_> = ended.events.iter().filter(|e| e["event"] == "attempt").collect();
    let program = &attempts[0]["program"];
    assert!(program["output_bytes"].as_u64() > Some(200 << 20), "{program}");
    assert!(program["output"].as_str().is_some_and(|text| text.ends_with("\nthe end\n")), "{program}");
    assert_eq!(
        ended.cell("floods::report-lines"),
        "blind: the program reported too much: 4001 lines are missing, a symptom may be among them"
    );
    let console = ended.cell("floods::console");
    let dropped =
        "blind: the kernel said more than its log holds and dropped messages, a crash may be among them";
    let beyond = console.ends_with(" bytes of the console are missing, a crash may be among them");
    assert!(console == dropped || beyond && console.starts_with("blind: "), "{console}");
    assert_eq!(
        ended.cell("floods::plug"),
        "blind: the program could not judge: it asked to plug devices faster than it took the answers, and was no longer \
         listened to"
    );
    let said = ended.cell("floods::prepare");
    assert!(said.starts_with("blind: the prepare step of data failed (exit status: 1):\ny\n"), "{said}");
    assert_eq!(
        ended.cell("floods::prepare-too-long"),
        "blind: the prepare step of data did not end within 500ms and was ended (`timeout` allows it more):\nwaiting"
    );
    assert!(ended.peak_kib > 0 && ended.peak_kib < 150 << 10, "kregress took {} KiB", ended.peak_kib);
}

#[test]
fn a_full_standard_output_is_a_failure_and_a_full_standard_error_is_none() {
    let Some(place) = Place::new() else { return };
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return loud_skip::skip("this host has no /dev/full");
    };
    let full = || full.try_clone().expect("a descriptor");
    let mut command = place.run_command(&["-s", "ends", "clean"]);
    let output = command.stdout(full()).output().expect("kregress starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(96), "{err}");
    assert!(err.contains("standard output could not be written: No space left on device"), "{err}");
    let mut command = place.run_command(&["-s", "ends", "clean"]);
    let output = command.stderr(full()).output().expect("kregress starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    // nor where nobody reads the events
    let mut command =
        place.command(&["run", "-j", "1", "-k", KERNEL, "--accel", "tcg", "-s", "ends", "clean"]);
    let output = command.stdout(full()).stderr(full()).output().expect("kregress starts");
    assert_eq!(output.status.code(), Some(0));
}
