//! Suites are loaded as their files say, and what is wrong with them is said where it stands.

use std::fs;
use std::path::{Path, PathBuf};

use kregress::suite::{ProblemKind, SuiteError, load_dir, load_file};
use serde_json::{Value, json};

const FIXTURES: &str = "tests/fixtures/suites";

/// What a reader sees, without colours.
fn shown(error: &SuiteError) -> String {
    shown_within(error, 110)
}

/// Where the text holds the path of a temporary folder, its length must not decide where lines break.
fn unbroken(error: &SuiteError) -> String {
    shown_within(error, 10_000)
}

fn shown_within(error: &SuiteError, width: usize) -> String {
    assert!(!error.problems().is_empty(), "an error says what is wrong");
    let text = error.render(false, width);
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The suite in `good/`, as JSON.
fn good() -> Value {
    let suites =
        load_dir(Path::new(FIXTURES).join("good")).unwrap_or_else(|error| panic!("{}", shown(&error)));
    assert_eq!(suites.len(), 1);
    serde_json::to_value(&suites[0]).unwrap()
}

/// Each pointer into the JSON of the suite, with what has to be there.
fn holds(suite: &Value, expected: &[(&str, Value)]) {
    for (pointer, value) in expected {
        assert_eq!(suite.pointer(pointer), Some(value), "{pointer}");
    }
}

#[test]
fn a_suite_has_its_tests_with_their_programs_symptoms_and_doses() {
    let suite = load_dir(Path::new(FIXTURES).join("good")).unwrap().remove(0);
    let word = |value: Value| match value {
        Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        other => other.to_string(),
    };
    let row = |test: &std::sync::Arc<kregress::suite::Test>| {
        let program = word(serde_json::to_value(&test.program).unwrap());
        let symptoms: Vec<String> =
            test.symptom.each().into_iter().map(|part| word(serde_json::to_value(part).unwrap())).collect();
        let dose = serde_json::to_string(&test.dose).unwrap();
        format!("{} | {program} | {} | {dose}\n", test.id(), symptoms.join(" "))
    };
    insta::assert_snapshot!(suite.tests.iter().map(row).collect::<String>(), @r#"
    block::elevator-switch-race | shell | any crash hung-task leak leak all reported exit | {"seconds":10,"rounds":null,"attempts":3,"chance":0.9}
    block::elevator-switch-control | c | crash | {"seconds":null,"rounds":null,"attempts":1,"chance":null}
    block::elevator-switch-likeness | shell | crash | {"seconds":null,"rounds":null,"attempts":1,"chance":null}
    "#);
}

#[test]
fn a_test_overrides_defaults_key_by_key() {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    holds(
        &good(),
        &[
            // `cpus` of the suite, `memory` and `cmdline` of its own
            (
                "/tests/0/machine",
                json!({"base": "default", "cpus": 2, "memory_mib": 1024, "cmdline": ["slab_debug=FZPU"], "disks": []}),
            ),
            ("/tests/1/machine/cpus", json!(4)),
            ("/tests/1/machine/memory_mib", json!(512)),
            // parameters of both
            ("/tests/0/sysctl", json!({"kernel.panic_on_oops": "1", "kernel.panic_on_warn": "0"})),
            ("/tests/1/sysctl", json!({"kernel.panic_on_warn": "0"})),
            ("/tests/0/timeout", json!({"slow": seconds(20), "terminate": seconds(90)})),
            ("/tests/0/hang/seconds", json!(10)),
            ("/tests/1/hang/seconds", json!(20)),
            ("/tests/0/turn", json!({"priority": -5, "group": {"name": "block::disk", "max": 2}})),
            ("/tests/1/turn", json!({"priority": 0, "group": null})),
        ],
    );
}

#[test]
fn what_a_test_says_of_its_bug_is_kept() {
    holds(
        &good(),
        &[
            ("/tests/0/summary", json!("two writers switch the I/O scheduler of one queue at once")),
            ("/tests/0/links", json!(["https://lore.example/r/1"])),
            (
                "/tests/0/history",
                json!({
                    "introduced": {"commit": "559dc11143eb", "version": "v6.16-rc1"},
                    "exposed": {"commit": "370ac285f23a", "version": "v6.17-rc3"},
                    "fixed": null,
                }),
            ),
            (
                "/tests/0/needs",
                json!({
                    "modules": ["null_blk", "kyber-iosched"],
                    "config": ["BLK_DEV_NULL_BLK", "SLUB_DEBUG=y"],
                    "kernel": "5.10..",
                }),
            ),
            (
                "/tests/0/known",
                json!([
                    {"versions": "6.17.3..6.17.13", "verdict": "bad", "note": "seen ten times of ten"},
                    {"versions": "6.10", "verdict": "good", "note": null},
                ]),
            ),
            ("/tests/0/boots", json!("a race of the first milliseconds")),
            ("/tests/1/control_of", json!("elevator-switch-race")),
        ],
    );
}

#[test]
fn a_symptom_has_its_patterns_and_the_readings_that_it_needs() {
    holds(
        &good(),
        &[
            (
                "/tests/0/symptom/any/0/crash",
                json!({"title": "blk_mq_debugfs_register_sched|mutex_lock", "kind": null, "trace": ["elevator_change_done"]}),
            ),
            ("/tests/0/symptom/any/1/hung-task", json!({"functions": ["elevator_switch"], "task": "^sh$"})),
            ("/tests/0/symptom/any/2/leak/per-iteration", json!(2.0)),
            ("/tests/0/symptom/any/2/leak/at-least", json!(0.5)),
            ("/tests/0/symptom/any/4/all/1/exit/code", json!(3)),
            ("/tests/1/symptom/crash/kind", json!(["WARNING"])),
            // the report of the log is read, and of the file its name is kept
            ("/tests/2/symptom/crash/like/file", json!("logs/elevator.log")),
            (
                "/tests/2/symptom/crash/like/report/title",
                json!(
                    "BUG: unable to handle kernel NULL pointer dereference in blk_mq_debugfs_register_sched_hctx"
                ),
            ),
            ("/tests/1/probes", json!([])),
        ],
    );
    assert_eq!(good().pointer("/tests/0/probes").and_then(Value::as_array).map(Vec::len), Some(2));
}

#[test]
fn paths_are_those_of_the_suites_folder() {
    let file = |name: &str| json!(format!("{FIXTURES}/good/{name}"));
    holds(
        &good(),
        &[
            ("/path", file("block.yaml")),
            ("/tests/1/program/c/source", file("programs/switch.c")),
            ("/tests/1/program/c/args", json!(["--writers", "1"])),
            ("/tests/1/files", json!([file("programs/table.txt")])),
            ("/tests/1/machine/disks", json!([{"name": "data", "image": "disk.img"}])),
            ("/tests/1/prepare/0/output", json!("disk.img")),
            ("/tests/1/prepare/1/tools", json!(["debugfs"])),
        ],
    );
}

#[test]
fn known_messages_are_those_of_every_test() {
    let suite = good();
    holds(
        &suite,
        &[
            ("/tests/0/messages/allow/0/match", json!("^WARNING in noisy")),
            ("/tests/0/messages/allow/0/versions", json!("..6.11")),
            ("/tests/0/messages/allow/0/expires", json!("2027-01-31")),
            ("/tests/0/messages/deny/0/reason", json!("the image is sound")),
        ],
    );
    assert_eq!(suite.pointer("/tests/0/messages"), suite.pointer("/tests/2/messages"));
}

/// What is said about each file in `bad/` stands beside it, in the `.snap` file of the same name.
#[test]
fn every_problem_is_shown_where_it_stands() {
    let bad = Path::new(FIXTURES).join("bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&bad).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 20);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new("fixtures/suites/bad"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let error = load_file(&file).expect_err(&name);
            insta::assert_snapshot!(name, shown(&error));
        }
    });
}

/// Loading this text as a suite, without the folder's name.
fn refusal(text: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, text).unwrap();
    unbroken(&load_file(&path).expect_err("the suite is wrong"))
        .replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn what_is_too_large_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    insta::assert_snapshot!(refusal(bomb), @r"
    suite::too-large

      × the document has more than 20000 nodes, aliases followed
       ╭─[x.yaml:4:9]
     3 │ a2: &a2 [*a1, *a1, *a1, *a1, *a1, *a1, *a1, *a1, *a1, *a1]
     4 │ a3: &a3 [*a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2]
       ·         ─────────────────────────┬────────────────────────
       ·                                  ╰── too many here
     5 │ a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
       ╰────
      help: a suite needs a few hundred; use `defaults:` instead of aliases
    ");
    insta::assert_snapshot!(refusal("- ".repeat(40)), @r"
    suite::too-large

      × nested deeper than 32 levels
       ╭─[x.yaml:1:65]
     1 │ - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
       ·                                                                 ▲
       ·                                                                 ╰── too deep here
       ╰────
      help: the format needs about ten levels
    ");
    insta::assert_snapshot!(refusal("[".repeat(1_000_000)), @r"
    suite::too-large

      × x.yaml:1:1: line 1 has 1000000 characters, at most 1000 are taken
      help: break it, or put the data into a file of its own
    ");
    insta::assert_snapshot!(refusal(format!("suite: x\n{}", "# filler\n".repeat(200_000))), @r"
    suite::too-large

      × x.yaml: the file has 1800009 bytes, a suite has at most 1048576 (1 MiB)
      help: split it into several suites; put large data into files of their own
    ");
    insta::assert_snapshot!(refusal("- x\n".repeat(100_000)), @r"
    suite::too-large

      × the document has more than 20000 nodes, aliases followed
           ╭─[x.yaml:20001:3]
     20000 │ - x
     20001 │ - x
           ·   ┬
           ·   ╰── too many here
     20002 │ - x
           ╰────
      help: a suite needs a few hundred; use `defaults:` instead of aliases
    ");
}

#[test]
fn what_is_not_text_is_refused_and_not_shown() {
    insta::assert_snapshot!(refusal(b"suite: x\nsummary: \xff"), @r"
    suite::syntax

      × x.yaml:2:10: found the byte 0xff, expected UTF-8 text
      help: save the file as UTF-8
    ");
    insta::assert_snapshot!(refusal("suite: \u{1b}[31mx"), @r#"
    suite::syntax

      × x.yaml:1:8: found the control character U+001B, expected text
      help: remove it; in a "double-quoted" text it can be written `\xNN`
    "#);
}

#[test]
fn what_is_not_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |error: SuiteError| unbroken(&error).replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(shown(load_file(folder.path().join("none.yaml")).unwrap_err()), @r"
    suite::unreadable

      × FOLDER/none.yaml: cannot read the suite: No such file or directory
      help: check the path and the file's permissions
    ");
    insta::assert_snapshot!(shown(load_file(folder.path()).unwrap_err()), @r"
    suite::unreadable

      × FOLDER: found a folder, expected a suite file
      help: name a file such as suites/block.yaml
    ");
    insta::assert_snapshot!(shown(load_file("/dev/zero").unwrap_err()), @r"
    suite::unreadable

      × /dev/zero: found a device, pipe or socket, expected a suite file
      help: name a file such as suites/block.yaml
    ");
    insta::assert_snapshot!(shown(load_dir(folder.path()).unwrap_err()), @r"
    suite::unreadable

      × FOLDER: found no suite (*.yaml) in this folder
      help: suites lie directly in the folder, not in folders below it
    ");
    insta::assert_snapshot!(shown(load_dir(folder.path().join("none")).unwrap_err()), @r"
    suite::unreadable

      × FOLDER/none: cannot read the folder of suites: No such file or directory
      help: name a folder that holds suite files, such as suites/
    ");
    // A file of 1 TiB that holds nothing: refused by its size, not by reading it.
    let large = folder.path().join("large.yaml");
    fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).unwrap();
    insta::assert_snapshot!(shown(load_file(large).unwrap_err()), @r"
    suite::too-large

      × FOLDER/large.yaml: the file has 1099511627776 bytes, a suite has at most 1048576 (1 MiB)
      help: split it into several suites; put large data into files of their own
    ");
}

#[test]
fn a_folder_is_loaded_in_order_with_the_problems_of_all_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let suite = |name: &str| {
        format!(
            "suite: {name}\nsummary: x\ntests:\n  - name: a\n    summary: a\n    program: {{shell: 'true'}}\n    \
             symptom: {{exit: {{code: 1}}}}\n"
        )
    };
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("b.yaml", &suite("b"));
    write("a.yml", &suite("a"));
    write(".c.yaml", "hidden: files are not looked at");
    write("README.md", "nor is anything else");
    let suites = load_dir(folder.path()).unwrap();
    let ids: Vec<String> = suites.iter().flat_map(|suite| &suite.tests).map(|test| test.id()).collect();
    assert_eq!(ids, ["a::a", "b::a"]);

    write("c.yaml", &suite("b"));
    write("d.yaml", "suite: d\n");
    write("e.yaml", "");
    let error = load_dir(folder.path()).unwrap_err();
    let text = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(text(unbroken(&error)), @r"
    suite::missing-key

      × the key `summary` is missing
       ╭─[d.yaml:1:1]
     1 │ suite: d
       · ──┬──
       ·   ╰── needs `summary`
       ╰────
      help: add `summary: what goes wrong, in a sentence`
    suite::missing-key

      × the key `tests` is missing
       ╭─[d.yaml:1:1]
     1 │ suite: d
       · ──┬──
       ·   ╰── needs `tests`
       ╰────
      help: add `tests: [{name: …, summary: …, program: …, symptom: …}]`
    suite::syntax

      × e.yaml: the file is empty, expected a suite
      help: a suite starts with `suite: NAME`, `summary: TEXT` and `tests:`
    suite::duplicate

      × c.yaml: two suites are named `b`
      help: the other is b.yaml; rename one of them
    ");
    insta::assert_snapshot!(error, @"4 problems in 3 files");
}

#[test]
fn too_many_problems_are_cut_and_make_no_others() {
    let keys: String = (0..100).map(|nth| format!("zzz{nth}: 1\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, format!("suite: x\nsummary: x\n{keys}")).unwrap();
    let error = load_file(&path).unwrap_err();
    let kinds: Vec<ProblemKind> = error.problems().iter().map(|problem| problem.kind()).collect();
    assert_eq!(kinds, [ProblemKind::UnknownKey; 25]);
}

#[test]
fn a_userland_is_taken_whole_and_its_mistakes_are_shown_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(folder.path().join("rootfs.tar"), "").unwrap();
    let load = |userlands: &[&str]| {
        let mut text = String::from(
            "suite: x\nsummary: x\ndefaults: {userland: {packages: [bash], users: [a]}}\ntests:\n",
        );
        for (nth, userland) in userlands.iter().enumerate() {
            text += &format!(
                "  - name: t{nth}\n    summary: x\n    program: {{shell: 'true'}}\n    symptom: {{exit: {{code: 1}}}}\n{userland}"
            );
        }
        fs::write(&path, text).unwrap();
        load_file(&path)
    };
    let suite = load(&["", "    userland: {image: rootfs.tar, files: {/opt/x: rootfs.tar}}\n"]).unwrap();
    let suite = serde_json::to_value(suite).unwrap();
    let file = folder.path().join("rootfs.tar");
    holds(
        &suite,
        &[
            ("/tests/0/userland", json!({"packages": ["bash"], "files": {}, "users": ["a"]})),
            ("/tests/1/userland", json!({"image": file, "files": {"/opt/x": file}, "users": []})),
        ],
    );
    let error = load(&[
        "    userland: {packages: [bash, 'Bash'], image: rootfs.tar}\n",
        "    userland: {image: rootfs.tax}\n",
        "    userland: {packages: [bash], files: {opt: rootfs.tar}, users: [root]}\n",
        "    machine: {disks: [{name: userland, image: i}]}\n    prepare: [{shell: 'true', output: i}]\n",
    ])
    .unwrap_err();
    let problems = error.problems().iter().map(|problem| format!("{problem}\n"));
    let text = problems.collect::<String>().replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(text, @r"
    wrong value for an entry of `packages`: expected a Debian package, such as `fio`, `fio=3.33-3` or `libc6:i386`
    `userland` has both `packages` and `image`
    `image` names no file or folder
    wrong key: expected the absolute path of a file or folder in the guest, such as `/opt/tests`
    wrong value for an entry of `users`: expected the name of a user besides root: at most 32 lower-case letters, digits, `-` and `_`
    a disk is named `userland`, as is the one that holds the test's userland
    ");
}

#[test]
fn a_symptom_is_said_in_one_word_and_files_do_not_take_the_programs_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    for name in ["t0", "words"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let load = |tests: &[&str]| {
        let mut text = String::from("suite: x\nsummary: x\ntests:\n");
        for (nth, more) in tests.iter().enumerate() {
            text +=
                &format!("  - name: t{nth}\n    summary: x\n    program: {{shell: 'true'}}\n    {more}\n");
        }
        fs::write(&path, text).unwrap();
        load_file(&path)
    };
    let step = "prepare: [{shell: 'cp words made', output: made, inputs: [words]}]\n    symptom: {exit: 1}";
    let suite = load(&["symptom: {crash: any}", "symptom: {any: [{exit: 3}, {crash: any}]}", step]).unwrap();
    let suite = serde_json::to_value(suite).unwrap();
    holds(
        &suite,
        &[
            ("/tests/0/symptom/crash", json!({"title": null, "kind": null, "trace": []})),
            ("/tests/1/symptom/any/0", json!({"exit": {"code": 3}})),
            ("/tests/2/prepare/0/inputs", json!([folder.path().join("words")])),
        ],
    );
    let error = load(&[
        "symptom: {exit: 1}\n    files: [t0]",
        "symptom: {crash: all}",
        "symptom: {exit: 77}",
        "symptom: {crash: [any]}",
        "symptom: {crash: {titel: x}}",
        "symptom: {exit: 1}\n    prepare: [{shell: 'true', output: t5}]",
        "symptom: {exit: 1}\n    prepare: [{shell: 'true', output: words, inputs: [words, gone]}]",
    ])
    .unwrap_err();
    let problems = error.problems().iter().map(|problem| format!("{problem}\n"));
    let text = problems.collect::<String>().replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(text, @r#"
    a file named `t0` would take the place of the test's program
    wrong value for `crash`: expected `any`
    wrong value for `exit`: expected an exit code other than 77, which says "skip"
    wrong type for `crash`: expected a mapping (`key: value`)
    unknown key `titel`
    a file named `t5` would take the place of the test's program
    two files are named `words`
    an entry of `inputs` names no file
    "#);
}
