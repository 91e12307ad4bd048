//! blktests: a test is a script below `tests/`, which says what it needs by calling functions of the collection.

use crate::draft::{DiskDraft, Import, ProgramValue, SuiteDraft, TestDraft, USUAL_HANG};
use crate::text::{kebab, shortened};

/// Memory of a guest, MiB.
const MEMORY_MIB: u32 = 1024;

/// Size of the device of those that want one, MiB: fio takes a GiB of it.
const DEVICE_MIB: u32 = 2048;

/// How long tests run that run for a time (`TIMED=1` there), seconds.
const SECONDS: u32 = 30;

/// After how many seconds an attempt is ended: those of 30 seconds do so for several schedulers, and processors that are
/// emulated are slow.
const TERMINATE: u32 = 600;

/// Packages with what `check` and the tests call; what else they want makes them `[not run]`, with the reason.
const PACKAGES: &[&str] = &[
    "bash",
    "bc",
    "blktrace",
    "bsdextrautils",
    "coreutils",
    "diffutils",
    "dmsetup",
    "e2fsprogs",
    "fio",
    "gawk",
    "gzip",
    "kmod",
    "liburing2",
    "mount",
    "pciutils",
    "procps",
    "psmisc",
    "udev",
    "util-linux",
    "xfsprogs",
];

/// Packages of single groups.
const OF_GROUPS: &[(&str, &str)] = &[
    ("md", "mdadm"),
    ("nbd", "nbd-client"),
    ("nbd", "nbd-server"),
    ("nvme", "nvme-cli"),
    ("zbd", "sg3-utils"),
];

/// Tests that want more processors than a guest has by default, which they do not say: null_blk refuses more queues than
/// processors (`submit_queues` of 4), on 6.17 and 7.2 at least.
const CPUS: &[(&str, u32)] = &[("block/038", 4)];

/// Tests that want more memory than the others, MiB: what block/042 writes from is as large as the largest request.
const MEMORY: &[(&str, u32)] = &[("block/042", 4096)];

/// Tests that are left out, with the reason.
const NOT_HERE: &[(&str, &str)] = &[(
    "block/024",
    "it measures how long requests take by the clock, which a guest on a busy host does not keep",
)];

/// Functions that want a module which they do not name.
const WANTS: &[(&str, &str)] = &[
    ("_have_null_blk", "null_blk"),
    ("_init_null_blk", "null_blk"),
    ("_configure_null_blk", "null_blk"),
    ("_have_scsi_debug", "scsi_debug"),
    ("_have_loadable_scsi_debug", "scsi_debug"),
    ("_init_scsi_debug", "scsi_debug"),
    ("_configure_scsi_debug", "scsi_debug"),
    ("_have_loop", "loop"),
    ("_have_ublk", "ublk_drv"),
];

/// Modules that udev loads for what another one makes.
const FOLLOW: &[(&str, &str)] = &[("scsi_debug", "sd_mod")];

/// Functions whose first word is a module.
const NAMES: &[&str] = &["_have_driver", "_have_module", "_have_module_param", "_load_module"];

/// Functions whose first word is an option of the kernel.
const OPTIONS: &[&str] = &["_have_kernel_option"];

/// A test as it lies in the tree.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name, `block/001`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The text of its group's `rc`.
    pub group: String,
}

/// Makes suites of tests, one of each group. `tree` is the folder of the sources as the suites name it.
pub fn read(scripts: &[Script], tree: &str) -> Import {
    let mut import = Import::default();
    for script in scripts {
        let Some((group, _)) = script.name.split_once('/') else { continue };
        if let Some((_, reason)) = NOT_HERE.iter().find(|(name, _)| *name == script.name) {
            import.leave_out(&script.name, *reason);
        } else if value(&script.text, "DESCRIPTION").is_none() {
            import.leave_out(&script.name, "it has no DESCRIPTION");
        } else if calls(&script.text).any(|(name, _)| name == "test_device_array()") {
            import.leave_out(&script.name, "it wants several devices, which only a configuration can name");
        } else {
            import.add(&format!("blktests-{}", kebab(group)), || start(group), test(script, tree));
        }
    }
    import
}

fn start(group: &str) -> SuiteDraft {
    let own = OF_GROUPS.iter().filter(|(name, _)| *name == group).map(|(_, package)| package);
    let mut packages: Vec<String> = PACKAGES.iter().chain(own).map(|&name| name.to_owned()).collect();
    packages.sort();
    SuiteDraft {
        summary: format!("tests of blktests, {group}"),
        memory_mib: MEMORY_MIB,
        packages,
        terminate: Some(TERMINATE),
        hang: Some(USUAL_HANG),
        ..SuiteDraft::default()
    }
}

fn test(script: &Script, tree: &str) -> TestDraft {
    let Script { name, text, group } = script;
    let fixed = fixes(text);
    TestDraft {
        name: kebab(name),
        summary: shortened(value(text, "DESCRIPTION").unwrap_or(name)),
        links: fixed.iter().map(|commit| format!("https://git.kernel.org/linus/{commit}")).collect(),
        fixed,
        modules: modules(text, group),
        config: options(text),
        cpus: CPUS.iter().find(|(test, _)| test == name).map(|(_, cpus)| *cpus),
        memory_mib: MEMORY.iter().find(|(test, _)| test == name).map(|(_, mib)| *mib),
        disks: calls(text).any(|(name, _)| name == "test_device()").then(device).into_iter().collect(),
        program: vec![
            ("blktests", ProgramValue::Text(name.clone())),
            ("tree", ProgramValue::Text(tree.to_owned())),
        ],
        seconds: (value(text, "TIMED") == Some("1")).then_some(SECONDS),
        symptom: format!("{{any: [{{reported: {{matching: '^{name}[ :]'}}}}, {{crash: any}}]}}"),
        ..TestDraft::default()
    }
}

fn device() -> DiskDraft {
    DiskDraft { name: "test".to_owned(), blank_mib: DEVICE_MIB, variable: "TEST_DEV".to_owned() }
}

/// The value of a variable that is set at the beginning of a line.
fn value<'t>(text: &'t str, variable: &str) -> Option<&'t str> {
    let set = text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='))?;
    let value = set.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then_some(value)
}

/// The words of each command, the first and what follows; comments are none.
fn calls(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let commands = lines.flat_map(|line| line.split(['&', '|', ';', '(']).map(str::trim));
    let definitions =
        text.lines().filter(|line| line.ends_with("() {")).map(|line| (line.trim_end_matches(" {"), None));
    let commands = commands.filter_map(|command| {
        let command = command.trim_start_matches(['!', ' ']);
        let command = command.strip_prefix("if ").unwrap_or(command).trim_start_matches(['!', ' ']);
        let mut words = command.split_whitespace();
        words.next().map(|first| (first, words.next()))
    });
    definitions.chain(commands)
}

/// The modules that a test or its group wants. Not those in a condition that only some devices meet: they are named nowhere.
fn modules(text: &str, group: &str) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    let group = requirements(group);
    for (name, argument) in calls(&group).chain(calls(text)) {
        let wanted = WANTS.iter().find(|(function, _)| *function == name).map(|(_, module)| *module);
        let named = NAMES.contains(&name).then_some(argument).flatten();
        let named =
            named.filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
        if let Some(module) = wanted.or(named).map(|module| module.replace('-', "_"))
            && !modules.contains(&module)
        {
            modules.push(module);
        }
    }
    for (module, follows) in FOLLOW {
        if modules.iter().any(|name| name == module) && !modules.iter().any(|name| name == follows) {
            modules.push((*follows).to_owned());
        }
    }
    modules
}

/// The body of `group_requires`.
fn requirements(group: &str) -> String {
    let lines = group.lines().skip_while(|line| !line.starts_with("group_requires()"));
    lines.take_while(|line| *line != "}").collect::<Vec<_>>().join("\n")
}

/// Options that the kernel must have, `y` or `m`.
fn options(text: &str) -> Vec<String> {
    let named = calls(text).filter(|(name, _)| OPTIONS.contains(name)).filter_map(|(_, option)| option);
    let is_option = |word: &&str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let mut options: Vec<String> = named.filter(is_option).map(str::to_owned).collect();
    options.dedup();
    options
}

/// The commits that the comment at the top calls a fix: an abbreviated id before a title in brackets.
fn fixes(text: &str) -> Vec<String> {
    let comment: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with('#') || line.trim().is_empty())
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect();
    let comment = comment.join(" ");
    let words: Vec<&str> = comment.split_whitespace().collect();
    let mut fixes = Vec::new();
    for pair in words.windows(2) {
        let id = pair[0].trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_commit = (12..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_commit && pair[1].starts_with("(\"") {
            fixes.push(id.to_ascii_lowercase());
        }
    }
    fixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::write;

    const TEXT: &str = "#!/bin/bash\n# SPDX-License-Identifier: GPL-3.0+\n# Copyright (C) 2030 Nobody\n#\n\
        # Write while it is read. The regression test of 0123456789ab\n# (\"block: x\").\n\n. tests/block/rc\n\n\
        DESCRIPTION=\"write while read\"\nTIMED=1\n\nrequires() {\n\t_have_null_blk && _have_module_param null_blk x\n\
        \t_have_driver sr_mod\n\t_have_kernel_option BLK_CGROUP\n}\n\ntest() {\n\techo \"x\"\n}\n";

    fn scripts() -> Vec<Script> {
        let script = |name: &str, text: &str| Script {
            name: name.into(),
            text: text.into(),
            group:
                "group_requires() {\n\t_have_root\n\t_have_driver brd\n}\nother() {\n\t_have_driver no\n}\n"
                    .into(),
        };
        vec![
            script("block/901", TEXT),
            script("block/902", "DESCRIPTION=\"a device\"\nQUICK=1\n\ntest_device() {\n\t:\n}\n"),
            script("block/903", "# nothing\n"),
            script("md/901", "DESCRIPTION=\"several\"\n\ntest_device_array() {\n\t:\n}\n"),
        ]
    }

    #[test]
    fn the_tests_of_a_group_become_a_suite() {
        let import = read(&scripts(), "/src/blktests");
        let cpus = |name: &str| test(&Script { name: name.into(), ..scripts()[1].clone() }, "/src").cpus;
        assert_eq!((cpus("block/038"), cpus("block/902")), (Some(4), None));
        let left: Vec<&str> = import.left_out.iter().map(|left| left.test.as_str()).collect();
        assert_eq!(left, ["block/903", "md/901"]);
        insta::assert_snapshot!(write(&import.suites[0], "kregress import blktests"), @r#"
        # Written by `kregress import blktests`. It may be changed: importing again keeps every entry that was changed or removed here.
        suite: blktests-block
        summary: "tests of blktests, block"
        defaults:
          machine: {memory: 1024M}
          userland: {packages: [bash, bc, blktrace, bsdextrautils, coreutils, diffutils, dmsetup, e2fsprogs, fio, gawk, gzip, kmod, liburing2, mount, pciutils, procps, psmisc, udev, util-linux, xfsprogs]}
          timeout: {terminate: 600s}
          hang: {seconds: 120}
        tests:
        # import 997b5a7e292da18b

          - name: block-901
            summary: write while read
            links:
              - https://git.kernel.org/linus/0123456789ab
            history: {fixed: {commit: 0123456789ab}}
            needs: {modules: [brd, null_blk, sr_mod], config: [BLK_CGROUP]}
            program:
              blktests: block/901
              tree: /src/blktests
            dose: {seconds: 30}
            symptom: {any: [{reported: {matching: '^block/901[ :]'}}, {crash: any}]}
            # import 0af7f624a03fab3b

          - name: block-902
            summary: a device
            needs: {modules: [brd]}
            machine: {disks: [{name: test, blank: 2048M, variable: TEST_DEV}]}
            program:
              blktests: block/902
              tree: /src/blktests
            symptom: {any: [{reported: {matching: '^block/902[ :]'}}, {crash: any}]}
            # import ec63b01dd8d835d8

        # imported: block-901 block-902
        "#);
    }
}
