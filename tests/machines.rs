//! Machines are loaded as their files say, and what is wrong with them is said where it stands; `vm/README.md` tells
//! the truth about the format.

use std::fs;
use std::path::Path;

use kregress::machine::{AccelNeed, DeviceKind, Machine, Machines, Medium};
use kregress::yaml::{LoadError, ProblemKind};
use proptest::prelude::*;

const README: &str = include_str!("../vm/README.md");

fn load(name: &str, text: &[u8]) -> Result<Machines, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    fs::write(folder.path().join("disk.img"), "x").unwrap();
    Machines::load(folder.path())
}

fn refusal(text: &str) -> String {
    let error = load("x.yaml", text.as_bytes()).expect_err("the machine is wrong");
    let shown = error.render(false, 100);
    // the temporary folder's name differs from run to run
    let folder = error.problems()[0].file().parent().map(|f| format!("{}/", f.display())).unwrap_or_default();
    let shown = shown.replace(&format!("looked for {folder}"), "looked for ");
    let shown: Vec<String> = shown
        .lines()
        .map(|line| match (line.find("[/"), line.rfind("/x.yaml")) {
            (Some(start), Some(end)) => format!("{}[{}", &line[..start], &line[end + 1..]),
            _ => line.trim_end().to_owned(),
        })
        .collect();
    shown.join("\n")
}

#[test]
fn the_machines_of_the_project_load() {
    let machines = Machines::load(Path::new("vm")).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
    let names: Vec<&str> = machines.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["default", "hotplug", "nvme-sriov", "sriov"]);
}

#[test]
fn the_default_in_the_folder_is_the_one_built_in() {
    let none = tempfile::tempdir().unwrap();
    let built_in = Machines::load(&none.path().join("missing")).unwrap();
    let written = Machines::load(Path::new("vm")).unwrap();
    let default = |machines: &Machines| machines.iter().find(|m| m.name == "default").cloned();
    assert_eq!(default(&built_in), Some(Machine::built_in()));
    assert_eq!(default(&written), Some(Machine::built_in()));
}

#[test]
fn the_example_is_what_it_says() {
    let example = README.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let machines =
        load("example.yaml", example.as_bytes()).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
    let machine = machines.iter().find(|m| m.name == "example").unwrap();
    assert_eq!((machine.memory_mib, machine.accel), (1024, AccelNeed::Any));
    assert_eq!(machine.qemu.unwrap().to_string(), "8.0");
    let data = machine.device("data").unwrap();
    assert!(!data.at_start && data.behind.as_deref() == Some("port1"));
    assert_eq!(data.kind, DeviceKind::Nvme { medium: Medium::Blank(64), vfs: 0 });
}

/// The loader names the kinds when it meets one that it does not know.
#[test]
fn every_kind_of_device_is_documented() {
    let text = "summary: x\ndevices:\n  - {name: a, kind: zzz}\n";
    let error = load("x.yaml", text.as_bytes()).unwrap_err();
    let problem = error.problems()[0].to_string();
    let kinds: Vec<&str> = problem.split("one of ").nth(1).unwrap_or_default().split(", ").collect();
    assert!(kinds.len() > 5, "{problem}");
    let unsaid: Vec<&&str> = kinds.iter().filter(|kind| !README.contains(**kind)).collect();
    assert!(unsaid.is_empty(), "vm/README.md does not speak of {unsaid:?}");
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    insta::assert_snapshot!(refusal("cpu: 2\n"));
    insta::assert_snapshot!(refusal("summary: x\nmemory: 12\nqemu: new\naccel: xen\ncpus: 0\n"));
    insta::assert_snapshot!(refusal(
        "summary: x\ndevices:\n  - {name: card, kind: igb, behind: port0, image: disk.img}\n  - {name: card, kind: serial}\n  - {name: p, kind: pcie-root-port, plugged: later}\n"
    ));
    insta::assert_snapshot!(refusal(
        "summary: x\ndevices:\n  - {name: a, kind: nvme}\n  - {name: b, kind: virtio-disk, image: dsk.img}\n  - {name: c, kind: nvme, image: disk.img, blank: 1M}\n  - {name: d, kind: nvme, blank: 0M}\n  - {name: e, kind: nvme, blank: 1M, vfs: 4, plugged: later}\n"
    ));
    insta::assert_snapshot!(refusal(
        "summary: x\ndevices:\n  - {name: a, kind: qemu}\n  - {name: b, kind: qemu, options: 'edu,id=x'}\n  - {name: c, kind: qemu, options: 'edu x'}\n  -\n"
    ));
    let error = load("Bad Name.yaml", b"summary: x\n").unwrap_err();
    assert_eq!(error.problems()[0].kind(), ProblemKind::Contradiction);
    insta::assert_snapshot!(error.problems()[0].to_string(), @"the file's name is the machine's: found `Bad Name`, expected lower-case letters, digits and `-`, such as `elevator-switch-race`");
}

proptest! {
    #[test]
    fn no_text_panics(text in "(summary: x\n|devices:\n|  - |name: a|kind: (igb|nvme|qemu)|, |\\{|\\}|blank: 9{1,12}[MG]|options: [a-z,=]{0,9}|\n){0,25}") {
        let _ = load("x.yaml", text.as_bytes()).map_err(|error| error.render(false, 100));
    }
}

const SUITE: &str = "\
suite: mine
summary: of another folder
tests:
  - name: one
    summary: does nothing
    machine: {base: NAME}
    program: {c: one.c}
    symptom: {crash: {title: '^WARNING'}}
";

/// The summary of the machine that a suite's test gets, from these files below a folder; the project's are in `top/vm`.
fn machine_of(base: &str, files: &[&str]) -> Result<String, String> {
    let top = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = top.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("top/vm/large.yaml", "summary: the project's\n");
    write("else/one.c", "int main(void) { return 0; }\n");
    write("else/mine.yaml", &SUITE.replace("NAME", base));
    for file in files {
        write(file, &format!("summary: {}\n", file.trim_end_matches(".yaml")));
    }
    let suite = kregress::suite::load_file(top.path().join("else/mine.yaml")).unwrap();
    let machines = Machines::load(&top.path().join("top/vm")).unwrap();
    let machine = machines.of(&suite.tests[0]).map(|machine| machine.summary);
    machine.map_err(|error| error.to_string().replace(&top.path().display().to_string(), ""))
}

#[test]
fn a_machine_is_looked_for_beside_the_suite_first() {
    let found = |files: &[&str]| machine_of("large", files).unwrap();
    assert_eq!(found(&[]), "the project's");
    assert_eq!(found(&["else/large.yaml"]), "else/large");
    assert_eq!(found(&["else/vm/large.yaml"]), "else/vm/large");
    assert_eq!(found(&["else/large.yaml", "else/vm/large.yaml"]), "else/large");
    assert_eq!(found(&["else/small.yaml", "other/large.yaml"]), "the project's");
    let missing = machine_of("huge", &[]).unwrap_err();
    assert!(missing.starts_with("there is no machine `huge`: /top/vm has default, large;"), "{missing}");
    // the suite's own file is no machine, though it has the name of one
    let own = machine_of("mine", &["top/vm/mine.yaml"]).unwrap();
    assert_eq!(own, "top/vm/mine");
}

#[test]
fn a_machine_beside_the_suite_is_shown_with_its_mistakes() {
    let top = tempfile::tempdir().unwrap();
    fs::write(top.path().join("one.c"), "int main(void) { return 0; }\n").unwrap();
    fs::write(top.path().join("mine.yaml"), SUITE.replace("NAME", "large")).unwrap();
    fs::write(top.path().join("large.yaml"), "summary: x\ncpu: 4\n").unwrap();
    let suite = kregress::suite::load_file(top.path().join("mine.yaml")).unwrap();
    let machines = Machines::load(&top.path().join("none")).unwrap();
    let error = machines.of(&suite.tests[0]).unwrap_err().to_string();
    assert!(error.contains("unknown key `cpu`") && error.contains("large.yaml:2:1"), "{error}");
}

#[test]
fn files_are_looked_for_beside_the_suite_and_nowhere_else() {
    // the tests run in the project's folder, which has this file
    assert!(Path::new("suites/cifs.yaml").is_file());
    let top = tempfile::tempdir().unwrap();
    let text = SUITE.replace("NAME", "default").replace("one.c", "suites/cifs.yaml");
    fs::write(top.path().join("mine.yaml"), text).unwrap();
    let error = kregress::suite::load_file(top.path().join("mine.yaml")).unwrap_err();
    assert!(error.problems().iter().any(|p| p.kind() == ProblemKind::MissingFile), "{error}");
}
