//! `kregress bisect --import`: a log of git's taken as evidence, by the command itself. No kernel is compiled and no
//! virtual machine is started: the log says enough, or the repository holds no kernel's source.

use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;

use super::git::git;

const SUITE: &str = "\
suite: shell
summary: one test
tests:
  - name: one
    summary: does nothing
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
";

/// A repository with 12 commits, and a suite.
struct Place {
    folder: tempfile::TempDir,
    commits: Vec<String>,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (root, linux) = (folder.path(), folder.path().join("linux"));
        for below in ["suites", "linux"] {
            std::fs::create_dir(root.join(below)).expect("a folder");
        }
        std::fs::write(root.join("suites/shell.yaml"), SUITE).expect("a file");
        git(&linux, &["init", "--quiet", "--initial-branch=main"]);
        let commit = |n: usize| {
            std::fs::write(linux.join("file"), format!("{n}")).expect("a file");
            git(&linux, &["add", "--all"]);
            git(&linux, &["commit", "--quiet", "-m", &format!("change {n}")]);
            git(&linux, &["rev-parse", "HEAD"])
        };
        let commits = (0..12).map(commit).collect();
        Place { folder, commits }
    }

    fn linux(&self) -> PathBuf {
        self.folder.path().join("linux")
    }

    /// Bisects with git; `judge` says of a commit's number whether it is bad. The log.
    fn bisect(&self, judge: impl Fn(usize) -> bool) -> String {
        let linux = self.linux();
        git(&linux, &["bisect", "start", "HEAD", "HEAD~11"]);
        for _ in 0..12 {
            let at = git(&linux, &["rev-parse", "HEAD"]);
            let number = self.commits.iter().position(|commit| *commit == at).expect("one of them");
            let said = git(&linux, &["bisect", if judge(number) { "bad" } else { "good" }]);
            if said.contains("is the first bad commit") {
                break;
            }
        }
        let log = git(&linux, &["bisect", "log"]);
        git(&linux, &["bisect", "reset"]);
        log
    }

    /// Runs the command; standard output and error with places and hashes made equal, and the exit code.
    fn said(&self, arguments: &[&str]) -> (String, String, i32) {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
            command.env_remove(name);
        }
        let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let at = |below: &str| crate_root.join(below).display().to_string();
        let root = self.folder.path();
        command
            .current_dir(root)
            .env("NO_COLOR", "1")
            .env("KREGRESS_CACHE", root.join("cache"))
            // only its version is asked for, and this one has one
            .env("KREGRESS_QEMU", "git")
            .args(["--catalogues", &at("kernels"), "--machines", &at("vm"), "bisect"])
            .args(arguments);
        let output = command.output().expect("kregress starts");
        let runs = regex::Regex::new(r"\d{4}-\d\d-\d\dT\S{13}|in \d\d:\d\d").expect("a pattern");
        let text = |bytes: &[u8]| {
            let mut text = String::from_utf8_lossy(bytes).replace(&root.display().to_string(), "PLACE");
            for (n, commit) in self.commits.iter().enumerate() {
                text = text.replace(commit, &format!("<{n}>")).replace(&commit[..12], &format!("<{n}>"));
            }
            runs.replace_all(&text, "…").into_owned()
        };
        (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1))
    }
}

#[test]
fn a_log_that_says_enough_is_answered_at_once_and_handed_back() {
    let place = Place::new();
    let mut log = place.bisect(|number| number >= 7);
    // the same once more: what was judged several times counts several times
    let verdicts: Vec<String> = [(6, "good"), (7, "bad"), (0, "good"), (11, "bad")]
        .map(|(number, word)| format!("git bisect {word} {}\n", place.commits[number]))
        .to_vec();
    log += "\n";
    (0..8).for_each(|_| log += &verdicts.concat());
    std::fs::write(place.folder.path().join("log"), &log).expect("a file");
    // what HEAD meant when git began is not what it means now
    git(&place.linux(), &["checkout", "--quiet", "HEAD~4"]);
    let (out, err, code) =
        place.said(&["one", "--tree", "linux", "--import", "log", "--chance", "0.95", "--config", "small"]);
    assert_eq!(code, 0, "{out}{err}");
    insta::assert_snapshot!(out);
    let again = place.said(&["--log"]);
    assert_eq!(again.2, 0, "{}", again.1);
    assert!(again.0.contains("# first bad commit: [<7>] change 7"), "{}", again.0);
}

#[test]
fn one_verdict_a_commit_is_not_enough_and_a_log_of_another_kind_is_refused() {
    let place = Place::new();
    let log = place.bisect(|number| number >= 7);
    let root = place.folder.path();
    std::fs::write(root.join("log"), log).expect("a file");
    let (_, err, code) = place.said(&["one", "--tree", "linux", "--import", "log"]);
    assert_eq!(code, 96, "{err}");
    // it went on where git was, with a kernel that it would have compiled
    assert!(err.contains("Earlier <11>: 1 of 1 attempts showed the symptom in log"), "{err}");
    assert!(err.contains("it is no kernel's source"), "{err}");
    assert!(err.contains("resumes it"), "{err}");

    std::fs::write(root.join("other"), "# a comment\ngit bisect good 1234\n").expect("a file");
    let (_, err, code) = place.said(&["one", "--tree", "linux", "--import", "other"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(err, @"error: other: line 2: expected `git bisect start` first, found `git bisect good 1234`; `git bisect log` writes what is read here");
}
