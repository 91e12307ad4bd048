//! Machines, plugging, KTAP and the host's own questions, in real guests. Needs QEMU, busybox and a kernel; what is
//! missing is a loud skip, and a failure where `KREGRESS_CI` is set.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The kernel of these tests: Debian's cloud image has all drivers that they need.
const KERNEL: &str = "6.12.117";

/// The events of a run of one test of `tests/fixtures/machine`; `None`: this host cannot run it.
fn events(test: &str) -> Option<Vec<Value>> {
    let reports = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kregress"))
        .args(["run", "-s", "tests/fixtures/machine/machine.yaml", "-k", KERNEL, "--message-format", "json"])
        .arg("-o")
        .arg(reports.path())
        .arg(test)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let events: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let unfetched =
        events.iter().find(|e| e["event"] == "cell" && e["verdict"] == "lost" && e["attempts"] == 0);
    let missing = match unfetched {
        Some(cell) => cell["reason"].to_string(),
        None if events.is_empty() => stderr.into_owned(),
        None => return Some(events),
    };
    loud_skip::skip(format_args!("{test}: {missing}"));
    None
}

/// Runs one test; its verdict must be this one. Answers the record of its last attempt.
fn attempt(test: &str, verdict: &str) -> Option<Value> {
    let events = events(test)?;
    let of_kind = |kind: &str| events.iter().rfind(|e| e["event"] == kind).cloned();
    let cell = of_kind("cell").expect("the cell has a verdict");
    assert_eq!(cell["verdict"], verdict, "{cell:#}");
    Some(of_kind("attempt").expect("there was an attempt"))
}

#[test]
fn machines_in_guests() {
    // one after the other: each takes a virtual machine
    assert!(Path::new("vm/hotplug.yaml").is_file());
    if let Some(attempt) = attempt("plugging", "good") {
        let done: u64 = attempt["program"]["reports"][0]["iterations"].as_u64().unwrap();
        assert_eq!(done, 4);
    }
    attempt("virtual-functions", "good");
    if let Some(attempt) = attempt("ktap-fails", "bad") {
        assert_eq!(attempt["title"], "not ok 2 b");
    }
    attempt("ktap-passes", "good");
    if let Some(attempt) = attempt("ktap-stops", "blind") {
        assert_eq!(attempt["reason"], "the program could not judge: 2 results were planned, 1 came");
    }
    if let Some(attempt) = attempt("starved", "blind") {
        // reported by the kernel over the console: the agent never ran again
        let blocked = &attempt["blocked"][0];
        assert_eq!(blocked["comm"], "starved");
        assert_eq!(blocked["stack"][0], "kernel_clone", "{blocked:#}");
    }
}
