//! What a guest with root reaches of its host, tried from inside (docs/isolation.md), and what its QEMU may do.

use std::process::Stdio;

use serde_json::Value;

use super::place::{Ended, Place};

/// What the programs of a test noted, each once.
fn notes(ended: &Ended, test: &str) -> Vec<String> {
    let attempts = ended.events.iter().filter(|event| event["event"] == "attempt" && event["test"] == test);
    let reports =
        attempts.flat_map(|event| event["program"]["reports"].as_array().cloned().unwrap_or_default());
    let mut notes: Vec<String> =
        reports.filter_map(|report| report["note"].as_str().map(str::to_owned)).collect();
    notes.sort();
    notes.dedup();
    notes
}

#[test]
fn a_guest_with_root_finds_its_machine_and_nothing_of_the_host() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "isolation"]);
    for test in ["network", "shared-folders", "firmware", "devices", "bounds", "a-disk-of-its-own"] {
        assert_eq!(ended.cell(&format!("isolation::{test}")), "good");
    }
    // host bridge, AHCI, ISA bridge, SMBus of the chipset; and the console by which the agent speaks
    insta::assert_snapshot!(notes(&ended, "isolation::devices").join("\n"), @"
    pci 0x010601 0x8086:0x2922
    pci 0x060000 0x8086:0x29c0
    pci 0x060100 0x8086:0x2918
    pci 0x078000 0x1af4:0x1003
    pci 0x0c0500 0x8086:0x2930
    port kregress.agent
    virtio 0x0003
    ");
    insta::assert_snapshot!(notes(&ended, "isolation::bounds").join("\n"), @"
    memory of 256 MiB at most
    processors 1
    ");
    let firmware = notes(&ended, "isolation::firmware").join("\n");
    let host = rustix::system::uname();
    let words = [
        host.nodename().to_string_lossy().into_owned(),
        place.path().display().to_string(),
        std::env::var("USER").unwrap_or_default(),
        std::env::var("HOME").unwrap_or_default(),
    ];
    for word in words.iter().filter(|word| word.len() > 4) {
        assert!(!firmware.contains(word.as_str()), "the guest knows {word}:\n{firmware}");
    }
}

/// A field of `/proc/PID/status`.
fn status(pid: i32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

#[test]
fn qemu_may_do_little_and_has_no_network() {
    let Some(place) = Place::new() else { return };
    let mut command = place.run_command(&["-s", "ends", "ends::hangs", "--timeout", "200s"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kregress starts");
    let found = place.until("the dose", || {
        let output = place.report_file("attempts/ends__hangs@6.12.117/1/output.log");
        std::fs::metadata(output).is_ok_and(|file| file.len() > 0).then(|| place.processes())
    });
    let [pid] = found[..] else { panic!("{found:?}") };
    // a filter of system calls, in force for every thread, and no way to new privileges
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten() {
        let thread: i32 = thread.file_name().to_string_lossy().parse().expect("a number");
        assert_eq!(status(thread, "Seccomp"), "2", "thread {thread}");
        assert_eq!(status(thread, "NoNewPrivs"), "1", "thread {thread}");
    }
    // root's kregress has it run as a user without any rights, or says why it cannot
    let journal = std::fs::read_to_string(place.report_file("journal.jsonl")).expect("a journal");
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let host = events.into_iter().find(|event| event["event"] == "host").expect("a host");
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(host["user"].is_string(), is_root, "{host}");
    if let Some(user) = host["user"].as_str().and_then(|said| said.strip_prefix("as user ")) {
        assert_ne!(user, "0");
        assert_eq!(status(pid, "Uid").split_whitespace().collect::<Vec<_>>(), [user; 4]);
        assert_eq!(status(pid, "Groups"), "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(u64::from_str_radix(&status(pid, set), 16), Ok(0), "{set}");
        }
    } else if is_root {
        println!("QEMU runs {}", host["user"]);
    }
    // its sockets are the pairs by which it was started, none of the network
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its descriptors")
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|target| {
            let target = target.to_string_lossy().into_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    assert!(!inodes.is_empty());
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "packet"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let open =
            text.lines().find(|line| line.split_whitespace().any(|word| inodes.iter().any(|i| i == word)));
        assert_eq!(open, None, "{table}");
    }
    let _ = child.kill();
    let _ = child.wait();
}
