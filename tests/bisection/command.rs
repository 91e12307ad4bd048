//! The command on arguments that make no sense: what it says, and with which exit code. Needs no network.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;

const SUITE: &str = "\
suite: shell
summary: two tests
tests:
  - name: one
    summary: does nothing
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
  - name: two
    summary: does nothing either
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
";

/// Exit code and standard error of `kregress bisect` in a folder with one suite and this crate's catalogue.
fn said(arguments: &[&str]) -> String {
    said_beside(|_| (), arguments)
}

/// `kregress bisect` in this folder, which gets the suite.
fn command(folder: &Path, arguments: &[&str]) -> assert_cmd::Command {
    std::fs::create_dir(folder.join("suites")).expect("a folder");
    std::fs::write(folder.join("suites/shell.yaml"), SUITE).expect("a file");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = cargo_bin_cmd!("kregress");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("KREGRESS_CACHE", folder.join("cache"));
    command.args(["--catalogues", root.join("kernels").to_str().expect("UTF-8")]);
    command.args(["--machines", root.join("vm").to_str().expect("UTF-8"), "bisect"]).args(arguments);
    command
}

/// The same in a folder that has more.
fn said_beside(prepare: impl FnOnce(&Path), arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path());
    let output = command(folder.path(), arguments).output().expect("kregress starts");
    assert!(!folder.path().join("reports").exists(), "a run was begun");
    let err = String::from_utf8_lossy(&output.stderr).replace(&folder.path().display().to_string(), "PLACE");
    format!("$ kregress bisect {}\n{err}[{}]\n", arguments.join(" "), output.status.code().unwrap_or(-1))
}

#[test]
fn misuse_is_told_with_the_remedy() {
    let all = [
        said(&["one", "--good", "6.12.57", "--bad", "6.12.57"]),
        said(&["one", "--good", "6.12.117", "--bad", "6.12.57"]),
        said(&["one", "--find", "fix", "--good", "6.12.57", "--bad", "6.12.117"]),
        said(&["one", "--good", "6.12.57..6.12.117", "--bad", "6.17.13"]),
        said(&["one", "--kernels", "6.12.57,6.12.117", "--good", "6.12.57", "--bad", "6.17.13"]),
        said(&["shell", "--good", "6.12.57", "--bad", "6.12.117"]),
        said(&["one", "--tree", "nowhere", "--good", "a", "--bad", "b"]),
        said(&["--resume"]),
        said(&["one", "--good", "6.12.57"]),
        said(&["one", "--good", "6.12.57", "--bad", "6.12.117", "--confidence", "1"]),
        said(&["--simulate", "64"]),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let mut command = std::process::Command::new("git");
    command.current_dir(folder).args(identity).args(arguments);
    let output = command.output().expect("git is there");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Branches that look like options, titles and names of files that would do something to a shell or a terminal. The kernels do not
/// compile, so that all of them are named.
#[test]
fn what_a_repository_says_is_no_command() {
    let title = |nth: u32| {
        format!(
            "{nth} \u{1b}]0;owned\u{7}<script>alert(1)</script> `touch owned` $(touch owned) \u{202e} --output=owned"
        )
    };
    let prepare = |folder: &Path| {
        let linux = folder.join("linux");
        std::fs::create_dir(&linux).expect("a folder");
        git(&linux, &["init", "-q", "-b", "main"]);
        let makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n%:\n\t@echo no; exit 1\n";
        for (file, text) in [("Makefile", makefile), ("Kbuild", ""), ("Kconfig", "")] {
            std::fs::write(linux.join(file), text).expect("a file");
        }
        for nth in 0..4 {
            let name = format!("--output=owned\n$(touch owned)`touch owned`\"\u{1b}[2J.{nth}");
            std::fs::write(linux.join(name), "1\n").expect("a file");
            git(&linux, &["add", "--all"]);
            git(&linux, &["commit", "-q", "-m", &title(nth)]);
            let branch = ["-x", "$(touch-owned)", "-s", "--output=owned"][nth as usize];
            git(&linux, &["update-ref", &format!("refs/heads/{branch}"), "HEAD"]);
        }
    };
    for (good, bad, code) in [
        ("--good=-x", "--bad=--output=owned", 103),
        ("--good=$(touch-owned)", "--bad=-s", 103),
        ("--good=--all", "--bad=-s", 2),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        prepare(folder.path());
        let output =
            command(folder.path(), &["one", "--tree", "linux", good, bad]).output().expect("it starts");
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(code), "{said}");
        let harmful = |c: char| c.is_control() && !"\n\t".contains(c) || kregress::progress::is_deceptive(c);
        assert!(!said.contains(harmful), "{said:?}");
        assert!(!said.lines().any(|line| line.starts_with("$(touch")), "a name is no line: {said}");
        let owned = |below: &str| folder.path().join(below).join("owned").exists();
        assert!(!owned("") && !owned("linux") && !owned("reports"));
    }
}

#[test]
fn a_configuration_is_looked_at_before_anything_begins() {
    let repository = |folder: &Path| {
        let git = |arguments: &[&str]| git(folder, arguments);
        git(&["init", "-q", "-b", "main"]);
        for text in ["one", "two"] {
            std::fs::write(folder.join("Makefile"), text).expect("a file");
            git(&["add", "Makefile"]);
            git(&["commit", "-q", "-m", text]);
        }
        std::fs::write(folder.join("odd.config"), "CONFIG_PVH=y\nPVH\n").expect("a file");
    };
    let ends = ["one", "--tree", ".", "--good", "main~1", "--bad", "main"];
    let all = ["smal", "./odd.config"]
        .map(|config| said_beside(repository, &[&ends[..], &["--config", config]].concat()));
    insta::assert_snapshot!(all.join("\n"), @r"
    $ kregress bisect one --tree . --good main~1 --bad main --config smal
    error: the configuration `smal`: there is no fragment `smal`; did you mean `small`?
    [96]

    $ kregress bisect one --tree . --good main~1 --bad main --config ./odd.config
    error: ./odd.config:2: found `PVH`, expected `CONFIG_NAME=value`, `# CONFIG_NAME is not set` or a comment that starts with `#`
    [96]
    ");
}
