//! The command on bad input and on hosts that lack something: what it says, and with which exit code. Starts no
//! virtual machine and needs no network.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

const GOOD: &str = "\
suite: shell
summary: two tests
tests:
  - name: one
    summary: does nothing
    needs: {modules: [loop], config: [BLOCK], kernel: 5.10..}
    program: {shell: 'true'}
    dose: {rounds: 3, attempts: 2}
    symptom: {crash: {title: '^WARNING'}}
  - name: two
    summary: does nothing either
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
";

/// A folder with suites and an empty cache, as a newcomer's.
struct Place {
    folder: TempDir,
}

/// How a command ended: exit code, standard output, standard error, without what differs between hosts.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new(suite: &str) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place { folder };
        place.write("suites/shell.yaml", suite);
        std::fs::create_dir(place.path().join("empty")).expect("a folder");
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            command.env_remove(name);
        }
        command.current_dir(self.path()).env("KREGRESS_CACHE", self.path().join("cache"));
        command.env("NO_COLOR", "1").envs(environment.iter().copied()).args(arguments);
        let output = command.output().expect("kregress starts");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace(&self.path().display().to_string(), "PLACE")
        };
        Ended {
            code: output.status.code().expect("an exit code"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// As [`Place::run_with`], for a command that must fail and print its reason alone.
    fn refused(&self, code: i32, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let ended = self.run_with(arguments, environment);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{arguments:?}: {}", ended.err);
        assert!(!self.path().join("reports").exists(), "{arguments:?} left a run behind");
        ended.err
    }
}

#[test]
fn a_suite_with_a_mistake_is_shown_at_its_line() {
    let mistakes = [
        ("unknown key", GOOD.replace("    needs: {modules", "    neds: {modules")),
        ("wrong type", GOOD.replace("{rounds: 3, attempts: 2}", "{rounds: many}")),
        ("missing program", GOOD.replace("    program: {shell: 'true'}\n    dose", "    dose")),
        ("missing file", GOOD.replace("{shell: 'true'}\n    dose", "{c: programs/no-such.c}\n    dose")),
        ("duplicate name", GOOD.replace("name: two", "name: one")),
        ("no YAML", "suite: [".to_owned()),
    ];
    let mut shown = String::new();
    for (mistake, suite) in mistakes {
        assert_ne!(suite, GOOD, "{mistake}");
        let place = Place::new(&suite);
        let error = place.refused(96, &["list"], &[]);
        assert_eq!(place.refused(96, &["run", "--dry-run"], &[]), error, "{mistake}");
        shown.push_str(&format!("--- {mistake}\n{error}"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_suite_named_twice_is_refused() {
    let place = Place::new(GOOD);
    place.write("suites/again.yaml", GOOD);
    insta::assert_snapshot!(place.refused(96, &["list"], &[]));
}

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
fn hosts_without_the_tools() {
    let place = Place::new(GOOD);
    let run = ["run", "-k", "6.12.117"];
    let empty = place.path().join("empty").display().to_string();
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", "nonexistent")]), @"error: nonexistent was not found; install it (Debian: apt-get install qemu-system-x86) or name one in KREGRESS_QEMU");
    insta::assert_snapshot!(place.refused(96, &run, &[("PATH", &empty)]), @"error: qemu-system-x86_64 was not found; install it (Debian: apt-get install qemu-system-x86) or name one in KREGRESS_QEMU");
    let echo = format!("{}/echo", place.path().display());
    place.write("echo", "#!/bin/sh\necho hello\n");
    place.write("qemu", "#!/bin/sh\necho QEMU emulator version 10.0.2\n");
    for name in ["echo", "qemu"] {
        use std::os::unix::fs::PermissionsExt;
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path().join(name), executable).expect("permissions");
    }
    let qemu = format!("{}/qemu", place.path().display());
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", &echo)]), @r#"error: PLACE/echo --version says "hello"; a line with "version N.N" was expected"#);
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", &qemu), ("PATH", &empty)]), @"error: busybox was not found; install it (Debian: apt-get install busybox-static) or name one in KREGRESS_BUSYBOX");
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", &qemu), ("KREGRESS_BUSYBOX", "nonexistent")]), @"error: nonexistent: No such file or directory (os error 2); install it (Debian: apt-get install busybox-static) or name one in KREGRESS_BUSYBOX");
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", &qemu), ("KREGRESS_BUSYBOX", &echo)]), @"error: PLACE/echo: not a 64-bit ELF program: Invalid ELF header size or alignment; a static one is needed: install it (Debian: apt-get install busybox-static) or name one in KREGRESS_BUSYBOX");
    insta::assert_snapshot!(place.refused(96, &run, &[("KREGRESS_QEMU", &qemu), ("KREGRESS_AGENT", &echo)]), @"error: PLACE/echo: not a 64-bit ELF program: Invalid ELF header size or alignment; KREGRESS_AGENT must name a static kregress-agent");
}

#[test]
fn values_that_no_option_takes() {
    let place = Place::new(GOOD);
    let table = [
        ["run", "--timeout", "5x"],
        ["run", "--boot-timeout", "0"],
        ["run", "--attempts", "0"],
        ["run", "--jobs", "0"],
        ["run", "--accel", "hvf"],
        ["run", "--message-format", "xml"],
        ["list", "--format", "xml"],
        ["completions", "--", "cmd"],
    ];
    let mut shown = String::new();
    for arguments in table {
        let error = place.refused(2, &arguments, &[]);
        shown.push_str(error.lines().next().unwrap_or_default());
        shown.push('\n');
    }
    insta::assert_snapshot!(shown, @"
        error: invalid value '5x' for '--timeout <TIME>': found `5x`, expected a duration such as `20s`, `2m` or `1m30s`
        error: invalid value '0' for '--boot-timeout <TIME>': found `0`, expected a duration such as `20s`, `2m` or `1m30s`
        error: invalid value '0' for '--attempts <N>': 0 is not in 1..=4294967295
        error: invalid value '0' for '--jobs <N>': 0 is not in 1..=4294967295
        error: invalid value 'hvf' for '--accel <ACCEL>'
        error: invalid value 'xml' for '--message-format <FORMAT>'
        error: invalid value 'xml' for '--format <FORMAT>'
        error: invalid value 'cmd' for '<SHELL>'
        ");
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
fn switches_in_the_environment_are_read_as_everywhere() {
    let place = Place::new(GOOD);
    for value in ["1", "0", "yes", "true", ""] {
        let ended = place.run_with(&["run", "--dry-run", "-k", "6.12.57"], &[("KREGRESS_FETCH_QEMU", value)]);
        assert_eq!(ended.code, 0, "{value:?}: {}", ended.err);
    }
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
fn git_never_takes_a_broken_set_up_for_a_bad_commit() {
    let place = Place::new(GOOD);
    let table: &[(&[&str], i32)] = &[
        (&["-k", "./nosuch"], 128),
        (&["-s", "nosuch"], 128),
        (&["--attempts", "0"], 128),
        (&["--no-such-option"], 128),
        (&["test::["], 128),
        // nothing to run says nothing about the commit
        (&["three"], 125),
        (&["-E", "none()"], 125),
    ];
    for (arguments, code) in table {
        let ended = place.run(&[&["run", "--bisect-exit"], *arguments].concat());
        assert_eq!(ended.code, *code, "{arguments:?}: {}", ended.err);
        assert!(!ended.err.is_empty());
    }
    assert_eq!(place.run(&["run", "--bisect-exit", "--help"]).code, 0);
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

#[test]
fn completions_name_the_subcommands() {
    let place = Place::new(GOOD);
    for shell in ["bash", "zsh", "fish"] {
        let ended = place.run(&["completions", shell]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.out.contains("doctor") && ended.out.contains("message-format"), "{shell}");
    }
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_get_it() {
    let place = Place::new(GOOD);
    let empty = place.path().join("empty").display().to_string();
    // a file where the cache should be; administration tools are looked for beyond PATH, so they differ
    place.write("cache", "");
    let environment = [("PATH", empty.as_str()), ("CC", "nonexistent")];
    let ended = place.run_with(&["doctor"], &environment);
    assert_eq!(ended.code, 96);
    let lines = ended.out.lines().filter(|line| line.starts_with("missing") || line.contains("C compiler"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        missing  QEMU                    qemu-system-x86_64 was not found; install it (Debian: apt-get install qemu-system-x86) or name one in KREGRESS_QEMU
        missing  the guests' shell       busybox was not found; install it (Debian: apt-get install busybox-static) or name one in KREGRESS_BUSYBOX
        limited  C compiler              nonexistent: No such file or directory (os error 2); tests in C cannot be built
        missing  machines                the built-in vm cannot be placed in PLACE/cache: Not a directory (os error 20); KREGRESS_CACHE chooses another folder
        missing  cache                   PLACE/cache: File exists (os error 17)
        ");
    let remedy = ended.out.lines().last().expect("a line");
    assert!(remedy.starts_with("  sudo apt-get install"), "{remedy}");
    for package in ["qemu-system-x86", "busybox-static", "gcc", "libc6-dev"] {
        assert!(remedy.contains(package), "{remedy}");
    }
}

#[test]
fn a_run_that_there_is_not() {
    let place = Place::new(GOOD);
    insta::assert_snapshot!(place.refused(96, &["report"], &[]), @"error: no run `latest` in reports: there are no runs yet, `kregress run` makes one");
    insta::assert_snapshot!(place.refused(96, &["report", "2026-01-01T00-00-00-abcd"], &[]), @"error: no run `2026-01-01T00-00-00-abcd` in reports: there are no runs");
}

#[test]
fn an_output_that_nobody_reads_or_takes() {
    use std::process::Stdio;
    let place = Place::new(GOOD);
    let tried: &[&[&str]] = &[
        &["list"],
        &["doctor"],
        &["kernels", "list"],
        &["kernels", "--help"],
        &["cache", "gc"],
        &["completions", "bash"],
    ];
    let end = |arguments: &[&str], stdout: Stdio| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("kregress"));
        command.current_dir(place.path()).env("KREGRESS_CACHE", place.path().join("cache"));
        let output = command.args(arguments).stdout(stdout).output().expect("kregress starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in tried {
        // the exit code is the same as with a reader
        let whole = end(arguments, Stdio::null());
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(end(arguments, writer.into()), whole, "{arguments:?}");
    }
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return loud_skip::skip("this host has no /dev/full");
    };
    let (code, err) = end(&["kernels", "list", "--available"], full.into());
    assert_eq!(code, Some(96), "{err}");
    assert!(err.contains("standard output could not be written: No space left on device"), "{err}");
}

#[test]
fn changelogs_of_the_cache_are_listed_and_removed() {
    let place = Place::new(GOOD);
    for (version, kilobytes) in [("6.12.9-1", 300), ("6.12.117-1", 1500)] {
        place.write(&format!("cache/changelogs/linux_{version}.gz"), &"x".repeat(kilobytes * 1000));
    }
    insta::assert_snapshot!(place.run(&["cache", "list"]).out, @r"
    0 kernels, 0.0 MB
    6.12.9-1                            0.3 MB changelog
    6.12.117-1                          1.5 MB changelog
    2 changelogs, 1.8 MB
    ");
    // the older one goes first
    insta::assert_snapshot!(place.run(&["cache", "gc", "--max-size", "1600K"]).out, @r"
    removed 6.12.9-1                            0.3 MB changelog
    1.5 MB left
    ");
    insta::assert_snapshot!(place.run(&["cache", "gc", "--max-size", "0"]).out, @r"
    removed 6.12.117-1                          1.5 MB changelog
    0.0 MB left
    ");
    insta::assert_snapshot!(place.run(&["cache", "list"]).out, @"0 kernels, 0.0 MB");
}

#[test]
fn help_and_version() {
    let place = Place::new(GOOD);
    let version = place.run(&["--version"]).out;
    assert_eq!(version, format!("kregress {}\n", env!("CARGO_PKG_VERSION")));
    insta::assert_snapshot!("help", place.run(&["--help"]).out);
    insta::assert_snapshot!("run_help", place.run(&["run", "--help"]).out);
    assert_eq!(place.run(&[]).code, 2);
}
