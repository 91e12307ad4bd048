//! The order of the rooms, as `lib.rs` has it, holds: data flows one way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms from the ground up.
fn order() -> Vec<String> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let mut rooms = Vec::new();
    for line in text.lines().map(|line| line.trim_end_matches(';')) {
        if let Some(name) = line.strip_prefix("pub mod ") {
            rooms.push(name.to_owned());
        } else if let Some((_, name)) = line.strip_prefix("pub use ").and_then(|used| used.split_once(" as "))
        {
            rooms.push(name.to_owned());
        } else if let Some((_, names)) = line.strip_prefix("pub use ").and_then(|used| used.split_once("::{"))
        {
            rooms.extend(names.trim_end_matches('}').split(", ").map(str::to_owned));
        }
    }
    rooms
}

/// Every source file with the room that it is in, and its code without comments and unit tests.
fn files() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() {
                if name != "tests" {
                    folders.push(entry);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let path = entry.strip_prefix(source()).unwrap().to_owned();
                let first = path.iter().next().unwrap().to_string_lossy();
                let text = fs::read_to_string(&entry).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code: Vec<&str> =
                    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((first.trim_end_matches(".rs").to_owned(), path, code.join("\n")));
            }
        }
    }
    found.retain(|(room, ..)| room != "lib" && room != "main");
    found
}

/// The rooms that a piece of code names.
fn named(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next().unwrap())
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let order = order();
    let rank: BTreeMap<&str, usize> = order.iter().map(String::as_str).zip(0..).collect();
    let mut wrong = Vec::new();
    for (room, path, code) in files() {
        let own = *rank.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in lib.rs"));
        for other in named(&code).filter(|other| rank.get(other).is_some_and(|other| *other > own)) {
            wrong.push(format!("{}: {room} uses {other}, which is below it", path.display()));
        }
    }
    assert!(order.len() > 20, "lib.rs was not understood: {order:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words that belong to one architecture.
const OF_AN_ARCHITECTURE: &[&str] = &[
    "x86_64",
    "amd64",
    "bzImage",
    "q35",
    "ttyS0",
    "qemu-system-",
    "isa-serial",
    "virtio-blk-pci",
    "virtio-serial-pci",
];

#[test]
fn what_differs_between_architectures_stands_in_their_table() {
    // runs for the tests of other rooms
    const SAMPLES: [&str; 2] = ["plan/sample.rs", "report/sample.rs"];
    let build = fs::read_to_string(source().parent().unwrap().join("build.rs")).unwrap();
    let mut files = files();
    files.push(("build".to_owned(), PathBuf::from("build.rs"), build));
    let mut wrong = Vec::new();
    for (_, path, code) in files.iter().filter(|(room, ..)| room != "arch") {
        if SAMPLES.iter().any(|sample| path.ends_with(sample)) {
            continue;
        }
        for line in code.lines() {
            if let Some(word) = OF_AN_ARCHITECTURE.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{}: {word}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_command_line_is_known_to_its_room_alone() {
    let mut wrong = Vec::new();
    for (room, path, code) in files() {
        if room != "cli" && code.contains("clap::") {
            wrong.push(format!("{}: clap", path.display()));
        }
        // the live view is what indicatif is for
        if room != "cli" && room != "progress" && code.contains("indicatif::") {
            wrong.push(format!("{}: indicatif", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_stands_in_the_architecture() {
    let page = fs::read_to_string(source().parent().unwrap().join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<String> = order()
        .into_iter()
        .filter(|room| ![format!("`{room}`"), format!("`{room}.rs`")].iter().any(|name| page.contains(name)))
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md lacks {}", missing.join(", "));
}

/// The names in quotes that look like settings of the kernel, in a piece of code.
fn settings_in(code: &str) -> Vec<&str> {
    let quoted = code.split('"').skip(1).step_by(2);
    let is_setting = |name: &&str| {
        ["kernel.", "rcu_cpu_stall_", "kfence.", "workqueue.", "slab_debug="]
            .iter()
            .any(|p| name.starts_with(p))
            || ["debug_locks", "kcsan"].contains(name)
    };
    // an option of the command line ends in its sign
    quoted.filter(is_setting).filter(|name| !name.ends_with('=')).collect()
}

/// A setting that the guest does not know would be read by nobody, and its detector believed.
#[test]
fn settings_that_the_judge_asks_for_are_read_in_the_guest() {
    let code = |path: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        code.join("\n")
    };
    let guest = code("crates/guest-agent/src/detectors.rs");
    let kinds = code("src/suite/detector/kinds.rs");
    let judge = code("src/verdict/judge/detectors.rs");
    let asked = settings_in(&kinds);
    assert!(asked.len() > 15, "{asked:?}");
    for name in &asked {
        assert!(guest.contains(&format!("(\"{name}\", \"/")), "the guest does not read {name}");
    }
    for name in settings_in(&judge) {
        assert!(asked.contains(&name), "{name} is asked for by no detector");
    }
}

/// The manifests of the workspace.
fn manifests() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        crates.map(|folder| folder.join("Cargo.toml")).filter(|path| path.is_file()).collect();
    found.push(root.join("Cargo.toml"));
    found
}

#[test]
fn every_dependency_says_why_it_is_there() {
    for manifest in manifests() {
        let text = fs::read_to_string(&manifest).unwrap();
        let (mut section, mut before) = ("", "");
        for line in text.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let is_outside =
                line.contains(" = ") && !line.contains("path = ") && !line.contains("workspace = true");
            let says = line.contains(" # ") || before.starts_with('#');
            assert!(
                !section.contains("dependencies]") || !is_outside || says,
                "{}: {line}",
                manifest.display()
            );
            before = line;
        }
    }
}

#[test]
fn unsafe_code_is_where_the_architecture_says() {
    let architecture =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let mut folders: Vec<_> =
        manifests().iter().map(|manifest| manifest.parent().unwrap().join("src")).collect();
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).is_ok_and(|text| text.contains("(unsafe_code")) {
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                let room = parts.len() - if parts.iter().any(|part| part == "crates") { 3 } else { 2 };
                let name = parts[room..].join("/");
                assert!(architecture.contains(&format!("`{name}`")), "{name}");
                found += 1;
            }
        }
    }
    assert!(found > 0);
}
