//! xfstests: a test is a script below `tests/`, whose head says what it is about and which groups it belongs to.

use crate::draft::{DiskDraft, Import, ProgramValue, SuiteDraft, TestDraft, USUAL_HANG};
use crate::text::{kebab, summary};

/// Memory of a guest, MiB.
const MEMORY_MIB: u32 = 1024;

/// Size of each of the two devices, MiB: many tests are not run on smaller ones.
const DEVICE_MIB: u32 = 4096;

/// After how many seconds an attempt is ended: a test of the group `quick` takes less than 30 on a real machine.
const TERMINATE: u32 = 900;

/// Packages with what the tests call; what else they want makes them `[not run]`, with the reason.
const PACKAGES: &[&str] = &[
    "acct",
    "acl",
    "attr",
    "bc",
    "dmsetup",
    "e2fsprogs",
    "fio",
    "fsverity",
    "gawk",
    "keyutils",
    "kmod",
    "libaio1",
    "libcap2-bin",
    "libgdbm6",
    "liburing2",
    "lvm2",
    "mount",
    "openssl",
    "passwd",
    "perl",
    "procps",
    "psmisc",
    "quota",
    "sqlite3",
    "uuid-runtime",
    "xfsprogs",
    "xz-utils",
];

/// Packages that make file systems of other types.
const FILE_SYSTEMS: &[(&str, &str)] =
    &[("btrfs", "btrfs-progs"), ("exfat", "exfatprogs"), ("f2fs", "f2fs-tools"), ("vfat", "dosfstools")];

/// File systems whose files share no blocks, so that a test of that would not be run.
const WITHOUT_SHARED_BLOCKS: &[&str] = &["exfat", "ext2", "ext3", "ext4", "f2fs", "vfat"];

/// How a test says that it needs blocks which files share; it never does on the others.
const SHARED_BLOCKS: &[&str] = &[
    "_require_test_reflink",
    "_require_scratch_reflink",
    "_require_arbitrary_fileset_reflink",
    "_require_test_dedupe",
    "_require_scratch_dedupe",
];

/// Users that tests act as.
const USERS: &[&str] = &["fsgqa", "fsgqa2", "123456-fsgqa"];

/// What the caller chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the sources as the suites name it: absolute, or relative to them.
    pub tree: String,
    /// The type of the file system that is tested.
    pub fstyp: String,
    /// Only the tests of this group; absent: all of them.
    pub group: Option<String>,
}

/// A test as it lies in the tree.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name, `generic/001`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Makes suites of tests, one of each folder.
pub fn read(scripts: &[Script], options: &Options) -> Import {
    let mut import = Import::default();
    for Script { name, text } in scripts {
        let Some((folder, _)) = name.split_once('/') else { continue };
        let Some(groups) = groups(text) else {
            import.leave_out(name, "it has no line that begins with _begin_fstest");
            continue;
        };
        if options.group.as_deref().is_some_and(|group| !groups.contains(&group)) {
            continue;
        }
        if let Some(reason) = refusal(text, &options.fstyp) {
            import.leave_out(name, reason);
            continue;
        }
        let suite = format!("xfstests-{}-{}", kebab(&options.fstyp), kebab(folder));
        import.add(&suite, || start(folder, options), test(name, text, options));
    }
    import
}

fn start(folder: &str, options: &Options) -> SuiteDraft {
    let disk = |name: &str, variable: &str| DiskDraft {
        name: name.to_owned(),
        blank_mib: DEVICE_MIB,
        variable: variable.to_owned(),
    };
    let own = FILE_SYSTEMS.iter().find(|(fstyp, _)| *fstyp == options.fstyp).map(|(_, package)| *package);
    let mut packages: Vec<String> = PACKAGES.iter().chain(&own).map(|&name| name.to_owned()).collect();
    packages.sort();
    SuiteDraft {
        summary: format!("tests of xfstests on {}, {folder}", options.fstyp),
        memory_mib: MEMORY_MIB,
        // some look for an option before they are run
        kernel_files: vec!["config".to_owned()],
        disks: vec![disk("test", "TEST_DEV"), disk("scratch", "SCRATCH_DEV")],
        packages,
        users: USERS.iter().map(|&user| user.to_owned()).collect(),
        terminate: Some(TERMINATE),
        hang: Some(USUAL_HANG),
        ..SuiteDraft::default()
    }
}

fn test(name: &str, text: &str, options: &Options) -> TestDraft {
    let fixes = fixes(text, &options.fstyp);
    let about = about(text);
    TestDraft {
        name: kebab(name),
        summary: summary(about.iter().map(String::as_str)).unwrap_or_else(|| format!("xfstests' {name}")),
        links: fixes.iter().map(|commit| format!("https://git.kernel.org/linus/{commit}")).collect(),
        fixed: fixes,
        program: vec![
            ("xfstests", ProgramValue::Text(name.to_owned())),
            ("tree", ProgramValue::Text(options.tree.clone())),
            ("fstyp", ProgramValue::Text(options.fstyp.clone())),
        ],
        symptom: format!("{{any: [{{reported: {{matching: '^{name}: '}}}}, {{crash: any}}]}}"),
        ..TestDraft::default()
    }
}

/// Why a test would never be run on this type of file system.
fn refusal(text: &str, fstyp: &str) -> Option<String> {
    let needs = |line: &str| line.split_whitespace().next().is_some_and(|word| SHARED_BLOCKS.contains(&word));
    // an indented one may be for some types only
    let is_needed = text.lines().filter(|line| line.starts_with('_')).any(needs);
    (is_needed && WITHOUT_SHARED_BLOCKS.contains(&fstyp))
        .then(|| format!("it needs files that share blocks, which {fstyp} has not"))
}

/// The groups that a test says it belongs to.
fn groups(text: &str) -> Option<Vec<&str>> {
    let line = text.lines().find_map(|line| line.strip_prefix("_begin_fstest"))?;
    Some(line.split_whitespace().collect())
}

/// The comment at the top, without the lines that each test has.
fn about(text: &str) -> Vec<String> {
    let comment = text.lines().take_while(|line| line.starts_with('#') || line.trim().is_empty());
    let words = comment.map(|line| line.trim_start_matches('#').trim().to_owned());
    let words = words.skip_while(|line| !line.starts_with("FS QA Test")).skip(1);
    words.skip_while(String::is_empty).collect()
}

/// The commits that removed the bug; of those that depend on the type of the file system only what names this one.
fn fixes(text: &str, fstyp: &str) -> Vec<String> {
    let mut fixes = Vec::new();
    for line in text.lines() {
        let Some((condition, rest)) = line.split_once("_fixed_by_kernel_commit") else { continue };
        let Some(commit) = rest.split_whitespace().next() else { continue };
        let is_commit = (7..=40).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
        let words = condition.split(|c: char| !c.is_ascii_alphanumeric());
        let meant = condition.trim().is_empty() || words.clone().any(|word| word == fstyp);
        if is_commit && meant && !line.trim_start().starts_with('#') {
            fixes.push(commit.to_ascii_lowercase());
        }
    }
    fixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::write;

    const TEXT: &str = "#! /bin/bash\n# SPDX-License-Identifier: GPL-2.0\n# Copyright (c) 2030 Nobody\n#\n\
        # FS QA Test No. 901\n#\n# Write to a file that shrinks. It must\n# not grow.\n#\n. ./common/preamble\n\
        _begin_fstest auto quick rw\n\n_fixed_by_kernel_commit 0123456789ab \\\n\t\"ext4: x\"\n\
        [ \"$FSTYP\" = \"xfs\" ] && _fixed_by_kernel_commit ba9876543210 \\\n\t\"xfs: x\"\n";

    fn options(fstyp: &str, group: Option<&str>) -> Options {
        Options { tree: "/src/xfstests".into(), fstyp: fstyp.into(), group: group.map(str::to_owned) }
    }

    fn scripts() -> Vec<Script> {
        let script = |name: &str, text: &str| Script { name: name.into(), text: text.into() };
        vec![
            script("generic/901", TEXT),
            script("generic/902", "#! /bin/bash\n. ./common/preamble\n_begin_fstest auto\n"),
            script("generic/903", "#! /bin/bash\n"),
        ]
    }

    #[test]
    fn tests_of_a_group_become_a_suite() {
        let import = read(&scripts(), &options("ext4", Some("quick")));
        assert_eq!(import.left_out.len(), 1);
        insta::assert_snapshot!(write(&import.suites[0], "kregress import xfstests"), @r#"
            # Written by `kregress import xfstests`. It may be changed: importing again keeps every entry that was changed or removed here.
            suite: xfstests-ext4-generic
            summary: "tests of xfstests on ext4, generic"
            defaults:
              machine: {memory: 1024M, disks: [{name: test, blank: 4096M, variable: TEST_DEV}, {name: scratch, blank: 4096M, variable: SCRATCH_DEV}]}
              userland: {packages: [acct, acl, attr, bc, dmsetup, e2fsprogs, fio, fsverity, gawk, keyutils, kmod, libaio1, libcap2-bin, libgdbm6, liburing2, lvm2, mount, openssl, passwd, perl, procps, psmisc, quota, sqlite3, uuid-runtime, xfsprogs, xz-utils], users: [fsgqa, fsgqa2, 123456-fsgqa]}
              timeout: {terminate: 900s}
              hang: {seconds: 120}
              kernel-files: [config]
            tests:
            # import 0f0cc9198c48a7e3

              - name: generic-901
                summary: Write to a file that shrinks
                links:
                  - https://git.kernel.org/linus/0123456789ab
                history: {fixed: {commit: 0123456789ab}}
                program:
                  xfstests: generic/901
                  tree: /src/xfstests
                  fstyp: ext4
                symptom: {any: [{reported: {matching: '^generic/901: '}}, {crash: any}]}
                # import 27fa2dfc9e5288ea

            # imported: generic-901
            "#);
    }

    #[test]
    fn a_test_that_a_file_system_never_runs_is_left_out() {
        let needs = "_require_scratch_reflink\n";
        let only_some = "if [ $FSTYP = xfs ]; then\n\t_require_scratch_reflink\nfi\n";
        for (text, fstyp, expected) in [
            (needs, "ext4", Some("it needs files that share blocks, which ext4 has not")),
            (needs, "xfs", None),
            (only_some, "ext4", None),
            ("_require_cp_reflink\n", "ext4", None),
        ] {
            assert_eq!(refusal(text, fstyp).as_deref(), expected, "{fstyp}: {text}");
        }
    }

    #[test]
    fn commits_may_depend_on_the_file_system() {
        assert_eq!(fixes(TEXT, "ext4"), ["0123456789ab"]);
        assert_eq!(fixes(TEXT, "xfs"), ["0123456789ab", "ba9876543210"]);
    }

    #[test]
    fn without_a_group_all_tests_are_taken() {
        let import = read(&scripts(), &options("btrfs", None));
        let names: Vec<&str> = import.suites[0].tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["generic-901", "generic-902"]);
        assert!(import.suites[0].packages.contains(&"btrfs-progs".to_owned()));
    }
}
