//! The command on bad input and on hosts that lack something: what it says, and with which exit code. Starts no
//! virtual machine and needs no network.

mod choice;
mod place;

use place::{GOOD, Place};

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
fn switches_in_the_environment_are_read_as_everywhere() {
    let place = Place::new(GOOD);
    for value in ["1", "0", "yes", "true", ""] {
        let ended = place.run_with(&["run", "--dry-run", "-k", "6.12.57"], &[("KREGRESS_FETCH_QEMU", value)]);
        assert_eq!(ended.code, 0, "{value:?}: {}", ended.err);
    }
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
