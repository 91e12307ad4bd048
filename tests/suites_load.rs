//! Suites are loaded as their files say, and what is wrong with them is said where it stands.

use std::fs;
use std::path::{Path, PathBuf};

use kregress::suite::{ProblemKind, SuiteError, load_dir, load_file};

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

#[test]
fn a_whole_suite_is_loaded() {
    let suites =
        load_dir(Path::new(FIXTURES).join("good")).unwrap_or_else(|error| panic!("{}", shown(&error)));
    insta::assert_debug_snapshot!(suites);
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
