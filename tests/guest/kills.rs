//! Signals in the middle of a run: what is left, and what can be made of it.

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::place::{Place, ends_within};

/// Two cells, of which the first never ends.
const CELLS: [&str; 6] = ["-s", "ends", "ends::hangs", "ends::crashes-as-described", "--timeout", "200s"];

/// A run whose first guest is in the middle of its dose.
fn in_the_dose(place: &Place) -> Child {
    let mut command = place.run_command(&CELLS);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kregress starts");
    place.until("the dose", || {
        let runs = std::fs::read_dir(place.path().join("reports")).ok()?.flatten();
        let mut outputs = runs.map(|run| run.path().join("attempts/ends__hangs@6.12.117/1/output.log"));
        outputs.find(|output| std::fs::metadata(output).is_ok_and(|m| m.len() > 0))
    });
    child
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id() as i32).expect("a process id");
    kill_process(pid, signal).expect("the signal is sent");
}

fn gone_within(place: &Place, processes: &[i32], time: Duration) {
    for pid in processes {
        assert!(ends_within(*pid, time), "process {pid} is left");
    }
    assert_eq!(place.processes(), Vec::<i32>::new(), "processes are left");
}

/// A report of the last run.
fn report(place: &Place, arguments: &[&str]) -> String {
    let output = place.command(&[&["report"], arguments].concat()).output().expect("kregress starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_killed_runner_leaves_no_guest_and_a_journal() {
    let Some(place) = Place::new() else { return };
    let mut child = in_the_dose(&place);
    let guests = place.processes();
    assert_eq!(guests.len(), 1, "one guest");
    send(&child, Signal::KILL);
    child.wait().expect("its end");
    gone_within(&place, &guests, Duration::from_secs(2));

    let junit = report(&place, &["--junit", "-"]);
    for test in ["hangs", "crashes-as-described"] {
        let case = junit.split("<testcase ").find(|case| case.contains(&format!("name=\"{test}[")));
        let case = case.unwrap_or_else(|| panic!("no {test} in {junit}"));
        assert!(case.contains("<error ") && case.contains("not run"), "{case}");
    }
    assert!(report(&place, &[]).contains("2 not run"));
    // the next start removes what the killed one left
    let doctor = place.command(&["doctor"]).stdout(Stdio::null()).status();
    doctor.expect("kregress starts");
    let left = std::fs::read_dir(place.cache().join("scratch")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files in the scratch folder");
}

#[test]
fn a_guest_that_hears_nobody_dies_with_the_runner_too() {
    let Some(place) = Place::new() else { return };
    let mut command = place.run_command(&["-s", "boots", "never-speaks", "--boot-timeout", "200s"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kregress starts");
    // an agent powers its guest off when its host is gone; here there is none
    let guests = place.until("the guest", || Some(place.processes()).filter(|found| found.len() == 1));
    send(&child, Signal::KILL);
    child.wait().expect("its end");
    gone_within(&place, &guests, Duration::from_secs(2));
}

#[test]
fn one_interrupt_ends_the_guests_and_writes_the_reports() {
    let Some(place) = Place::new() else { return };
    let child = in_the_dose(&place);
    let guests = place.processes();
    assert_eq!(guests.len(), 1, "one guest");
    send(&child, Signal::INT);
    let ended = place.listen(child);
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    gone_within(&place, &guests, Duration::ZERO);
    let last = ended.last();
    assert_eq!((&last["cancelled"], &last["not_run"]), (&true.into(), &2.into()));
    assert!(ended.events.iter().all(|e| e["event"] != "cell"), "an interrupted cell has no verdict");
    for name in ["junit.xml", "index.html", "journal.jsonl"] {
        assert!(place.report_file(name).is_file(), "{name} is missing");
    }
    let scratch = std::fs::read_dir(place.cache().join("scratch")).map_or(0, Iterator::count);
    assert_eq!(scratch, 0, "files in the scratch folder");
}

/// A running kregress whose `prepare` step has begun, and how many processes that is.
fn in_a_step(place: &Place, script: &str) -> (Child, Vec<i32>) {
    let suite = format!(
        "\
suite: slow
summary: a host that takes its time
tests:
  - name: prepare
    summary: a step that does not end
    machine: {{disks: [{{name: data, image: data}}]}}
    prepare:
      - output: data
        shell: |
          {script}
    program: {{shell: 'true'}}
    symptom: {{crash: {{title: '^x'}}}}
"
    );
    let path = place.path().join("slow.yaml");
    std::fs::write(&path, suite).expect("a file");
    let mut command = place.run_command(&["-s", &path.display().to_string()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kregress starts");
    place.until("the step", || scratch(place).find(|entry| entry.path().join("data").is_file()));
    (child, place.processes())
}

fn scratch(place: &Place) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(place.cache().join("scratch")).ok().into_iter().flatten().flatten()
}

const WITH_CHILDREN: &str = "sleep 1000 & sleep 1000 & echo data > data; sleep 1000";

#[test]
fn one_interrupt_of_any_kind_ends_a_step_with_all_its_processes() {
    let Some(place) = Place::new() else { return };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (child, steps) = in_a_step(&place, WITH_CHILDREN);
        assert!(steps.len() >= 3, "{steps:?}");
        send(&child, signal);
        let ended = place.listen(child);
        assert_eq!(ended.code, Some(130), "{}", ended.err);
        gone_within(&place, &steps, Duration::ZERO);
        assert_eq!(ended.last()["not_run"], 1);
        assert!(ended.events.iter().all(|e| e["event"] != "cell"), "an interrupted cell has no verdict");
        assert_eq!(scratch(&place).count(), 0, "files in the scratch folder");
    }
}

#[test]
fn a_step_ends_with_a_killed_runner() {
    let Some(place) = Place::new() else { return };
    let (mut child, steps) = in_a_step(&place, WITH_CHILDREN);
    send(&child, Signal::KILL);
    child.wait().expect("its end");
    gone_within(&place, &steps, Duration::from_secs(2));
    let doctor = place.command(&["doctor"]).stdout(Stdio::null()).status();
    doctor.expect("kregress starts");
    assert_eq!(scratch(&place).count(), 0, "files in the scratch folder");
}

#[test]
fn two_interrupts_end_a_run_whose_step_does_not_listen() {
    let Some(place) = Place::new() else { return };
    let (child, steps) = in_a_step(&place, "trap '' TERM; echo data > data; exec sleep 1000");
    send(&child, Signal::INT);
    // signals within a second are one request
    assert!(!ends_within(child.id() as i32, Duration::from_millis(1100)), "the step is waited for");
    send(&child, Signal::INT);
    let ended = place.listen(child);
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(ended.err.contains("interrupted: "), "{}", ended.err);
    gone_within(&place, &steps, Duration::from_secs(2));
    assert!(report(&place, &["--format", "summary"]).contains("1 not run"));
    assert!(scratch(&place).count() > 0, "the step's folder is left, for the next start to remove");
    let doctor = place.command(&["doctor"]).stdout(Stdio::null()).status();
    doctor.expect("kregress starts");
    assert_eq!(scratch(&place).count(), 0, "files in the scratch folder");
}
