//! Guests that are saved and restored: that a verdict does not depend on it, and what becomes of snapshots that fail.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

use super::place::{Ended, Place, ends_within, fetch};

/// How the attempts' guests were started, in order.
fn starts(ended: &Ended) -> Vec<&str> {
    let attempts = ended.events.iter().filter(|e| e["event"] == "attempt");
    attempts.map(|attempt| attempt["start"].as_str().expect("how it started")).collect()
}

fn notices(ended: &Ended) -> Vec<&str> {
    let notices = ended.events.iter().filter(|e| e["event"] == "notice");
    notices.map(|notice| notice["text"].as_str().expect("text")).collect()
}

/// The folders of the snapshots that are there.
fn snapshots(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.cache().join("snapshots")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What the programs of the attempts said after this word.
fn said<'a>(ended: &'a Ended, word: &str) -> Vec<&'a str> {
    let outputs = ended.events.iter().filter(|e| e["event"] == "attempt");
    let lines = outputs.flat_map(|attempt| attempt["program"]["output"].as_str().unwrap_or_default().lines());
    lines.filter_map(|line| line.strip_prefix(word)).collect()
}

/// Replaces a file of a snapshot, and what its description says of that file.
fn replace(snapshot: &std::path::Path, file: &str, contents: &[u8]) {
    std::fs::write(snapshot.join(file), contents).expect("a file");
    let path = snapshot.join("snapshot.json");
    let text = std::fs::read(&path).expect("the description");
    let mut description: serde_json::Value = serde_json::from_slice(&text).expect("the description");
    let sha256: String = Sha256::digest(contents).iter().map(|byte| format!("{byte:02x}")).collect();
    description[file] = serde_json::json!({"bytes": contents.len(), "sha256": sha256});
    std::fs::write(path, description.to_string()).expect("the description");
}

#[test]
fn attempts_are_restored_and_none_is_a_copy() {
    let Some(place) = Place::new() else { return };
    let before = jiff::Timestamp::now().as_second();
    let ended = place.run(&["-s", "restores", "differs", "with-a-disk", "own-command-line"]);
    for test in ["differs", "with-a-disk", "own-command-line"] {
        assert_eq!(ended.cell(&format!("restores::{test}")), "good");
    }
    assert_eq!(starts(&ended), ["restored"; 6]);
    assert_eq!(notices(&ended), Vec::<&str>::new());
    // one for the kernel, one for it with a disk, one for it with its own command line
    assert_eq!(snapshots(&place).len(), 3);
    for word in ["random ", "uuid "] {
        let different: HashSet<&str> = said(&ended, word).into_iter().collect();
        assert_eq!(different.len(), 3, "{word}{different:?}");
    }
    let after = jiff::Timestamp::now().as_second();
    let times: Vec<i64> = said(&ended, "time ").iter().map(|time| time.parse().expect("seconds")).collect();
    assert!(times.iter().all(|time| (before..=after).contains(time)), "{times:?} in {before}..{after}");
    // the console is that of the boot and of the attempt
    let console = place.report_file("attempts/restores__differs@6.12.117/3/console.log");
    let console = std::fs::read_to_string(console).expect("the console");
    let at = |text: &str| console.find(text).unwrap_or_else(|| panic!("no {text:?} in {console}"));
    assert!(at("Booting from ROM") < at("kregress: dose starts"), "{console}");
    // this one's guest was restored while another attempt was watched, and has rehearsed
    let own = console.rfind("kregress: dose starts").expect("the dose");
    assert!(at("kregress: dose ends rehearsal") < own, "{console}");

    let booted = place.run(&["-s", "restores", "differs", "--no-snapshot"]);
    assert_eq!(booted.cell("restores::differs"), "good");
    assert_eq!(starts(&booted), ["booted"; 3]);
    let booted = place.run(&["-s", "restores", "boots-itself"]);
    assert_eq!(booted.cell("restores::boots-itself"), "good");
    assert_eq!(starts(&booted), ["booted"]);
}

#[test]
fn a_machine_that_cannot_be_saved_boots_and_says_so() {
    let Some(place) = Place::new() else { return };
    let machine =
        "summary: a disk on NVMe\ncpus: 1\nmemory: 256M\ndevices: [{name: data, kind: nvme, blank: 1M}]\n";
    std::fs::write(place.path().join("vm/disk.yaml"), machine).expect("a file");
    // the small image has no driver of that disk
    let kernel = "6.12.117/plain";
    if let Err(missing) = fetch(kernel) {
        return loud_skip::skip(missing);
    }
    let plain = ["-s", "restores", "cannot-be-saved", "-k", kernel];
    let ended = place.run(&plain);
    assert_eq!(ended.cell("restores::cannot-be-saved"), "good");
    assert_eq!(starts(&ended), ["booted"; 2]);
    let [notice] = notices(&ended)[..] else { panic!("{:?}", notices(&ended)) };
    assert!(
        notice.contains(" boots for every attempt, it could not be saved: ") && notice.contains("nvme"),
        "{notice}"
    );
    // it is not tried again, and said again
    let again = place.run(&plain);
    assert_eq!((starts(&again), notices(&again)), (vec!["booted"; 2], vec![notice]));
}

#[test]
fn a_snapshot_that_fails_is_made_anew_and_decides_nothing() {
    let Some(place) = Place::new() else { return };
    let run = || place.run(&["-s", "restores", "differs"]);
    run();
    let [snapshot] = &snapshots(&place)[..] else { panic!("{:?}", snapshots(&place)) };
    let memory =
        || std::fs::metadata(snapshot.join("memory")).expect("the memory").modified().expect("a time");

    // what is damaged is seen at once
    let made = memory();
    std::fs::write(snapshot.join("memory"), b"x").expect("a file");
    let ended = run();
    assert_eq!((ended.cell("restores::differs"), starts(&ended)), ("good".to_owned(), vec!["restored"; 3]));
    assert_eq!(notices(&ended), Vec::<&str>::new());
    assert_ne!(memory(), made);

    // what QEMU does not take is reported, and one attempt boots
    let made = memory();
    replace(snapshot, "state", b"QEVM, and nothing of use");
    let ended = run();
    assert_eq!(ended.cell("restores::differs"), "good");
    assert_eq!(starts(&ended), ["booted", "restored", "restored"]);
    let [notice] = notices(&ended)[..] else { panic!("{:?}", notices(&ended)) };
    assert!(notice.contains(": a saved guest could not be used: "), "{notice}");
    assert!(notice.ends_with("; it boots, and is saved anew"), "{notice}");
    assert_ne!(memory(), made);

    // a place that cannot be written costs time alone
    std::fs::remove_dir_all(place.cache().join("snapshots")).expect("the snapshots");
    std::fs::write(place.cache().join("snapshots"), "").expect("a file");
    let ended = run();
    assert_eq!((ended.cell("restores::differs"), starts(&ended)), ("good".to_owned(), vec!["booted"; 3]));
    let [notice] = notices(&ended)[..] else { panic!("{:?}", notices(&ended)) };
    assert!(notice.contains(" boots for every attempt, it could not be saved: "), "{notice}");
    let scratch = std::fs::read_dir(place.cache().join("scratch")).map_or(0, Iterator::count);
    assert_eq!(scratch, 0, "files in the scratch folder");
}

#[test]
fn a_warning_of_the_boot_is_in_every_console_and_in_no_verdict() {
    let Some(place) = Place::new() else { return };
    let run = || place.run(&["-s", "restores", "differs", "--attempts", "1"]);
    run();
    let [snapshot] = &snapshots(&place)[..] else { panic!("{:?}", snapshots(&place)) };
    let mut console = std::fs::read(snapshot.join("console")).expect("the console");
    console.extend_from_slice(
        b"[    0.900000] ------------[ cut here ]------------\r\n\
          [    0.900000] WARNING: CPU: 0 PID: 1 at kernel/early.c:12 early_function+0x12/0x40\r\n\
          [    0.900000] Modules linked in:\r\n\
          [    0.900000] CPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.117 #1\r\n\
          [    0.900000] RIP: 0010:early_function+0x12/0x40\r\n\
          [    0.900000] Call Trace:\r\n\
          [    0.900000]  <TASK>\r\n\
          [    0.900000]  kernel_init_freeable+0x12/0x40\r\n\
          [    0.900000]  </TASK>\r\n\
          [    0.900000] ---[ end trace 0000000000000000 ]---\r\n",
    );
    replace(snapshot, "console", &console);
    let ended = run();
    assert_eq!((ended.cell("restores::differs"), starts(&ended)), ("good".to_owned(), vec!["restored"]));
    assert_eq!(ended.event("attempt")["diagnoses"][0]["title"], "WARNING in early_function");
    let kept = place.report_file("attempts/restores__differs@6.12.117/1/console.log");
    assert!(std::fs::read(kept).expect("the console").starts_with(&console));
}

#[test]
fn two_runs_at_once_get_the_same_answers() {
    let Some(place) = Place::new() else { return };
    let start = || {
        let mut command = place.run_command(&["-s", "restores", "differs"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kregress starts")
    };
    let (first, second) = (start(), start());
    for ended in [place.listen(first), place.listen(second)] {
        assert_eq!(ended.cell("restores::differs"), "good");
        assert_eq!(notices(&ended), Vec::<&str>::new());
    }
    assert_eq!(snapshots(&place).len(), 1);
    assert_eq!(place.processes(), Vec::<i32>::new(), "processes are left");
}

#[test]
fn a_runner_that_is_killed_while_it_saves_leaves_nothing() {
    let Some(place) = Place::new() else { return };
    let mut command = place.run_command(&["-s", "restores", "differs"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kregress starts");
    let guests = place.until("the guest", || Some(place.processes()).filter(|found| found.len() == 1));
    kill_process(Pid::from_raw(child.id() as i32).expect("a process id"), Signal::KILL).expect("a signal");
    child.wait().expect("its end");
    assert!(ends_within(guests[0], Duration::from_secs(2)), "process {} is left", guests[0]);
    assert_eq!(snapshots(&place), Vec::<PathBuf>::new());
    let doctor = place.command(&["doctor"]).stdout(Stdio::null()).status();
    doctor.expect("kregress starts");
    let left = std::fs::read_dir(place.cache().join("scratch")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files in the scratch folder");
    let ended = place.run(&["-s", "restores", "differs"]);
    assert_eq!((ended.cell("restores::differs"), starts(&ended)), ("good".to_owned(), vec!["restored"; 3]));
}
