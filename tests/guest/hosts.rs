//! Hosts on which something does not work.

use std::process::{Command, Stdio};

use super::place::Place;

#[test]
fn a_guest_in_which_nothing_runs_is_lost() {
    let Some(place) = Place::new() else { return };
    let source = place.path().join("busybox.c");
    let program = place.path().join("busybox");
    let text = "#include <stdio.h>\n#include <string.h>\nint main(int n, char **v)\n\
        { return n > 1 && !strcmp(v[1], \"--list\") ? puts(\"sh\"), 0 : 1; }\n";
    std::fs::write(&source, text).expect("a file");
    let compiled = Command::new("cc").arg("-static").arg("-o").arg(&program).arg(&source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return loud_skip::skip("there is no C compiler for a shell that fails");
    }
    let mut command = place.run_command(&["-s", "ends", "clean", "--retries", "1"]);
    command.env("KREGRESS_BUSYBOX", &program);
    let ended = place.finish(command);
    assert_eq!(ended.cell("ends::clean"), "lost: the trivial program failed: exit status: 1");
    let cell = ended.event("cell");
    assert_eq!(cell["attempts"], 2, "it is no evidence about the test, so it is tried again");
}

#[test]
fn an_accelerator_that_does_not_work_is_not_used() {
    let Some(place) = Place::new() else { return };
    let mut forget = place.command(&["doctor", "--forget-accel"]);
    assert!(forget.stdout(Stdio::null()).status().expect("kregress starts").code().is_some());
    let ended = place.run(&["-s", "ends", "clean", "--accel", "auto"]);
    assert_eq!(ended.cell("ends::clean"), "good");
    let host = ended.event("host");
    let (accel, reason) =
        (host["accel"].as_str().expect("text"), host["accel_reason"].as_str().expect("text"));
    let opens = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    match accel {
        "kvm" => assert!(opens && reason.starts_with("a trial boot took "), "{reason}"),
        _ if opens => assert!(reason.starts_with("/dev/kvm opens, but a trial boot failed: "), "{reason}"),
        _ => assert!(reason.starts_with("/dev/kvm: "), "{reason}"),
    }
    let doctor = place.command(&["doctor"]).output().expect("kregress starts");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!opens || doctor.contains(&format!("{accel}: {reason}")), "{doctor}");
    if opens && accel == "tcg" {
        let forced = place.run(&["-s", "ends", "clean", "--accel", "kvm", "--boot-timeout", "12s"]);
        let said = forced.cell("ends::clean");
        assert!(said.starts_with("lost: "), "{said}");
    }
}

#[test]
fn a_full_disk_costs_the_reports_and_not_the_verdict() {
    let Some(place) = Place::new() else { return };
    let disk = place.path().join("full");
    std::fs::create_dir(&disk).expect("a folder");
    let mount = |size: &str| format!("mount -t tmpfs -o size={size} full {} && exec \"$@\"", disk.display());
    let in_namespace = |size: &str, inner: &Command| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &mount(size), "sh"]).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(place.path());
        command
    };
    let possible = in_namespace("64k", &Command::new("true")).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        return loud_skip::skip("no small file system can be mounted here (unshare -rm)");
    }
    let reports = disk.join("reports").display().to_string();
    // the journal takes the only page that there is, and is longer than that
    let cells = ["clean", "exits-early", "missing-module", "missing-option", "reports-the-symptom"];
    let run = place.run_command(&[&["-s", "ends", "-o", &reports][..], &cells[..]].concat());
    let ended = place.finish(in_namespace("4k", &run));
    assert_eq!(ended.cell("ends::clean"), "good");
    assert_eq!(ended.cell("ends::reports-the-symptom"), "bad: 3 pages leak");
    assert_eq!((&ended.last()["good"], &ended.last()["bad"]), (&1.into(), &1.into()));
    assert!(ended.err.contains(" events are missing from the journal: "), "{}", ended.err);
    assert!(ended.err.contains("error: the reports could not be written: "), "{}", ended.err);
    // reported once, not for every attempt
    let notice = ended.event("notice")["text"].as_str().expect("text");
    let tail = "is not kept whole: No space left on device (os error 28); later ones may lack theirs too";
    assert!(
        notice.starts_with("ends::clean@6.12.117, attempt 1: the ") && notice.ends_with(tail),
        "{notice}"
    );
    assert_eq!(ended.code, Some(100), "{}", ended.err);

    // not even a folder: said before anything is run
    std::fs::write(place.path().join("file"), "").expect("a file");
    let run = place.run_command(&["-s", "ends", "clean", "-o", "file/reports"]);
    let ended = place.finish(run);
    assert_eq!(ended.err, "error: cannot create file/reports: Not a directory (os error 20)\n");
    assert_eq!(ended.code, Some(96), "{}", ended.err);
}
