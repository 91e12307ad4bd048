//! Which tests, kernels and cells a command means.

use super::place::{Ended, GOOD, Place};

#[test]
fn suites_that_are_not_there() {
    let place = Place::new(GOOD);
    insta::assert_snapshot!(place.refused(96, &["run", "-s", "nosuch"], &[]), @r#"error: there is no suite "nosuch": neither a file or folder of that name nor suites/nosuch.yaml"#);
    insta::assert_snapshot!(place.refused(96, &["--suites", "nosuch", "list"], &[]), @"error: there is no folder nosuch; run kregress where the suites are, or name them with --suites DIR or -s FILE");
}

#[test]
fn a_suite_of_an_import_is_found_by_its_name() {
    let place = Place::new(GOOD);
    let imported = GOOD.replacen("suite: shell", "suite: other", 1);
    place.write("suites/collection/other.yaml", &imported);
    let listed = place.run(&["list", "-s", "other"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert!(listed.out.contains("other::one"), "{}", listed.out);
    place.write("suites/again/other.yaml", &imported);
    insta::assert_snapshot!(place.refused(96, &["list", "-s", "other"], &[]), @r#"error: there is more than one suite "other": suites/again/other.yaml and suites/collection/other.yaml; name one by its path"#);
}

#[test]
fn filters_that_select_nothing_or_make_no_sense() {
    let place = Place::new(GOOD);
    for command in ["list", "run"] {
        let nothing = place.refused(4, &[command, "three"], &[]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(nothing, @r#"error: no test fits "three"; `kregress list` shows the tests that there are"#);
        }
        let bad = place.refused(94, &[command, "shell::["], &[]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(bad, @r#"error: filter "shell::[" is not a valid pattern: unclosed character class; missing ']'; write a part of a test's name, or a glob such as 'block::*'"#);
        }
    }
}

#[test]
fn kernels_that_there_are_not() {
    let place = Place::new(GOOD);
    place.write("notes.txt", "no kernel");
    // without programs there is no apt to fetch newer package lists with
    let empty = place.path().join("empty").display().to_string();
    let run = |kernel| place.refused(96, &["run", "-k", kernel], &[("PATH", &empty)]);
    // which lines there are changes with the catalogue
    let without_list = |error: String| -> String {
        let line = error.lines().last().expect("a line");
        let (reason, list) = line.split_once("; there are ").expect("what there is instead");
        assert!(list.contains("6.12"), "{list}");
        reason.to_owned()
    };
    insta::assert_snapshot!(without_list(run("latest:4.4")), @"error: `latest:4.4`: no known kernel is of the line 4.4");
    insta::assert_snapshot!(without_list(run("small-kasam")), @"error: no catalogue has a kernel named `small-kasam`, and no file is called so");
    insta::assert_snapshot!(run("6.x"), @"error: `6.x` is no kernel version: a second number is missing; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`");
    insta::assert_snapshot!(run("newest:6.12"), @"error: `newest:6.12`: `newest:` is unknown; expected latest:LINE or oldest:LINE");
    insta::assert_snapshot!(run("./nosuch"), @"error: cannot read ./nosuch: No such file or directory (os error 2)");
    insta::assert_snapshot!(run("./notes.txt"), @"error: kernel image ./notes.txt: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)");
    insta::assert_snapshot!(run("./suites"), @"error: the folder ./suites has no kernel: expected an image (bzImage, vmlinuz, boot/vmlinuz-RELEASE), with modules.tar.xz or lib/modules/RELEASE beside it, or the .deb or .rpm packages of one kernel");
}

#[test]
fn a_dry_run_says_what_would_run() {
    let place = Place::new(GOOD);
    let ended = place.run(&["run", "--dry-run", "-k", "6.12.57,6.12.117", "two"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    insta::assert_snapshot!(ended.out, @"
        shell::two@6.12.57  6.12.57+deb12-cloud-amd64 (to be fetched), or its plain image for what that lacks
        shell::two@6.12.117  6.12.117+deb13-cloud-amd64 (to be fetched), or its plain image for what that lacks
        ");
    insta::assert_snapshot!(ended.err, @"2 cells: 1 test on 2 kernels");
    assert!(!place.path().join("reports").exists());
}

#[test]
fn expressions_choose_cells() {
    let place = Place::new(GOOD);
    let cells = |arguments: &[&str]| {
        let ended = place.run(&[&["run", "--dry-run"], arguments].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        let names = ended.out.lines().filter_map(|line| line.split_whitespace().next());
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let both = ["-k", "6.12.57,6.12.117"];
    let table: &[(&[&str], &str)] = &[
        (&["-E", "test(one) & kernel(>6.12.57)"], "shell::one@6.12.117"),
        (&["-E", "needs(loop) - kernel(6.12.117)"], "shell::one@6.12.57"),
        (
            &["-E", "test(one) & kernel(6.12.57)", "-E", "test(two) & kernel(6.12.117)"],
            "shell::one@6.12.57 shell::two@6.12.117",
        ),
        (&["-E", "kernel(6.12.57)", "!one"], "shell::two@6.12.57"),
        (&["--exact", "two", "-E", "kernel(6.12.57)"], "shell::two@6.12.57"),
    ];
    for (arguments, wanted) in table {
        assert_eq!(cells(&[&both[..], arguments].concat()), *wanted, "{arguments:?}");
    }
    // what is only taken away is taken away from the default kernels
    assert_eq!(cells(&["-k", "!6.12.117", "-k", "!7.2.13", "two"]), "shell::two@6.12.57 shell::two@6.17.13");
    insta::assert_snapshot!(place.refused(94, &["run", "-E", "tset(one)"], &[]), @"
    error: in the filter, at column 1: there is no predicate `tset`; did you mean `test`, as in `test(race)`?
        tset(one)
        ^
    ");
    insta::assert_snapshot!(place.refused(4, &["run", "-k", "6.12.57", "-E", "kernel(7.2)"], &[]), @"error: no cell is meant: the filter leaves none of the kernels to any of the tests");
    insta::assert_snapshot!(place.refused(96, &["run", "-k", "6.12-6.17"], &[]), @"error: `6.12-6.17` is no kernel: a range is written with `..`: `6.12..6.17`");
    insta::assert_snapshot!(place.refused(96, &["run", "-E", "verdict(bad)"], &[]), @"error: no run `latest` in reports: there are no runs yet, `kregress run` makes one");
}

#[test]
fn what_did_not_pass_is_run_again() {
    let place = Place::new(GOOD);
    let cell = |test: &str, kernel: &str, verdict: &str, known: &str| {
        format!(
            r#"{{"event":"cell","test":"shell::{test}","kernel":"{kernel}","release":null,"verdict":"{verdict}","title":null,"attempts":1,"seconds":3.0,"reason":null,"known":{known}}}"#
        )
    };
    let planned = |test: &str, kernel: &str| {
        format!(
            r#"{{"event":"planned","test":"shell::{test}","kernel":"{kernel}","release":null,"summary":"s"}}"#
        )
    };
    // one cell has not been run to its end
    let journal = |last: &str| {
        let plan =
            ["one", "two"].map(|test| ["6.12.57", "6.12.117"].map(|kernel| planned(test, kernel))).concat();
        let cells = [
            cell("one", "6.12.57", "bad", "\"known\""),
            cell("one", "6.12.117", "good", "null"),
            cell("two", "6.12.57", last, "null"),
        ];
        [plan, cells.to_vec()].concat().join("\n") + "\n"
    };
    let run = "reports/2026-01-01T00-00-00-abcd/journal.jsonl";
    place.write(run, &journal("blind"));
    let again = |arguments: &[&str]| place.run(&[&["run", "--dry-run"], arguments].concat());
    let names = |ended: &Ended| {
        let names = ended.out.lines().filter_map(|line| line.split_whitespace().next());
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let ended = again(&["-R", "latest"]);
    assert_eq!(names(&ended), "shell::two@6.12.57 shell::two@6.12.117", "{}", ended.err);
    assert_eq!(names(&again(&["-R", "abcd", "-k", "6.12.117"])), "shell::two@6.12.117");
    assert_eq!(
        names(&again(&["-E", "verdict(blind) & duration(>2s)", "-k", "6.12.57,6.12.117"])),
        "shell::two@6.12.57"
    );
    let all = journal("good") + &cell("two", "6.12.117", "good", "null") + "\n";
    place.write(run, &all);
    let ended = again(&["-R", "latest"]);
    insta::assert_snapshot!(ended.err, @"every cell of the run latest has passed, there is nothing to run again");
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
}

#[test]
fn what_is_run_again_is_of_the_suites_that_its_run_named() {
    let place = Place::new(GOOD);
    // imported suites lie below the project's, and the collection itself stands beside them under the same name
    place.write("suites/imported/mine.yaml", &GOOD.replace("suite: shell", "suite: mine"));
    place.write("imported/README", "a collection");
    let journal = r#"{"event":"run-started","schema":1,"run":"2026-01-01T00-00-00-abcd","kregress":"0.1.0","at":"2026-01-01T00:00:00Z","command":["kregress","run","-s","imported","-k","6.12.57"],"cells":1}
{"event":"planned","test":"mine::one","kernel":"6.12.57","release":null,"summary":"s"}
"#;
    place.write("reports/2026-01-01T00-00-00-abcd/journal.jsonl", journal);
    let first_word = |arguments: &[&str]| {
        let ended = place.run(&[&["run", "--dry-run", "-R", "latest"], arguments].concat());
        (ended.code, ended.out.split_whitespace().next().unwrap_or(&ended.err).to_owned())
    };
    assert_eq!(first_word(&[]), (0, "mine::one@6.12.57".to_owned()));
    // whoever names others means them
    assert_eq!(first_word(&["-s", "shell"]).0, 4);
}

#[test]
fn lists_for_people_and_for_programs() {
    let place = Place::new(GOOD);
    insta::assert_snapshot!(place.run(&["list"]).out, @"
        shell::one
            does nothing
            needs modules loop, config BLOCK, kernel 5.10..
            dose 3 rounds, 2 attempts for a good
            suites/shell.yaml:4:11
        shell::two
            does nothing either
            dose the program's own, 1 attempt for a good
            suites/shell.yaml:10:11
        ");
    insta::assert_snapshot!(place.run(&["list", "--format", "names"]).out, @"
        shell::one
        shell::two
        ");
    let json = place.run(&["list", "--format", "json"]).out;
    let names: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["name"].clone())
        .collect();
    assert_eq!(names, ["shell::one", "shell::two"]);
}
