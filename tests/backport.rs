//! `kregress backport` up to where it would build: what it reads, which trees and tests it finds, and whether a patch
//! applies there. Starts no compiler and no virtual machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

const SUITE: &str = "\
suite: pump
summary: the pump
tests:
  - name: use-after-free
    summary: a freed buffer is used
    links: ['https://example.org/bug?extid=00112233445566778899']
    history: {introduced: {commit: 0123456789ab}, files: [drivers/net/pump.c]}
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
  - name: control
    summary: the same without
    control-of: use-after-free
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
  - name: valve
    summary: another one
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
";

/// A folder with a suite, a source that is a git repository, and patches.
struct Place {
    folder: TempDir,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mail-patch/tests/fixtures/patches").join(name)
}

fn pump() -> String {
    std::fs::read_to_string(fixture("tree/drivers/net/pump.c")).unwrap()
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a temporary folder") };
        place.write("suites/pump.yaml", SUITE);
        place.source("linux", "6.12.9");
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

    /// A folder that looks like a kernel's source.
    fn source(&self, folder: &str, version: &str) {
        let parts: Vec<&str> = version.split('.').collect();
        let makefile = format!(
            "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\nEXTRAVERSION =\n",
            parts[0], parts[1], parts[2]
        );
        self.write(&format!("{folder}/Makefile"), &makefile);
        self.write(&format!("{folder}/Kbuild"), "");
        self.write(&format!("{folder}/Kconfig"), "");
        self.write(&format!("{folder}/drivers/net/pump.c"), &pump());
    }

    fn git(&self, arguments: &[&str]) -> String {
        let date = "2026-01-01T00:00:00Z";
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path().join("linux"))
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .output()
            .expect("git starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn commit(&self, title: &str, from: &str, to: &str) {
        let path = "linux/drivers/net/pump.c";
        let text = std::fs::read_to_string(self.path().join(path)).unwrap();
        let at = text.rfind(from).unwrap_or_else(|| panic!("{from}"));
        self.write(path, &format!("{}{to}{}", &text[..at], &text[at + from.len()..]));
        self.git(&["commit", "-q", "-a", "-m", title]);
    }

    /// `main` with a change and the fix on top of it, `linux-6.12.y` without both. `change` is one that the fix stands near.
    fn with_history(change: (&str, &str)) -> Option<Place> {
        if Command::new("git").arg("--version").output().is_err() {
            loud_skip::skip("there is no git on this host");
            return None;
        }
        let place = Place::new();
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["add", "."]);
        place.git(&["commit", "-q", "-m", "Linux 6.12.9"]);
        place.git(&["branch", "linux-6.12.y"]);
        place.commit("net: pump: change what the fix stands near", change.0, change.1);
        let freed = if change.1.contains("free") { change.1 } else { "kfree(pump->buffer);" };
        place.commit(
            "net: pump: forget the buffer\n\nFixes: 0123456789ab (\"net: pump: free the buffer\")",
            freed,
            &format!("{freed}\n\tpump->buffer = NULL;"),
        );
        Some(place)
    }

    fn said(&self, arguments: &[&str]) -> String {
        self.of("backport", arguments)
    }

    /// What a command says on both streams, and its exit code.
    fn of(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            command.env_remove(name);
        }
        command.current_dir(self.path()).env("KREGRESS_CACHE", self.path().join("cache"));
        // without the trees of the box
        command.env("KREGRESS_KERNEL_CATALOGUES", "kernels");
        let output = command.env("NO_COLOR", "1").arg(name).args(arguments).output().expect("it starts");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let fixtures = fixture("").display().to_string();
            text.replace(&fixtures, "").replace(&self.path().display().to_string(), "PLACE")
        };
        assert!(!self.path().join("reports").exists(), "{arguments:?} left a run behind");
        format!(
            "{}{}exit code {}\n",
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().unwrap()
        )
    }

    fn dry(&self, input: &str, more: &[&str]) -> String {
        let input = if input.contains('@') { input.to_owned() } else { fixture(input).display().to_string() };
        self.said(&[&[input.as_str(), "--dry-run"], more].concat())
    }
}

#[test]
fn a_mail_says_what_would_be_done() {
    let place = Place::new();
    insta::assert_snapshot!(place.dry("autosel.eml", &["--onto", "linux"]));
}

#[test]
fn what_does_not_apply_is_refused_with_its_reason() {
    let place = Place::new();
    let said = place.dry("context.patch", &["--onto", "linux", "--tests", "valve", "--no-check"]);
    insta::assert_snapshot!(said);
}

#[test]
fn auto_takes_the_configured_trees_that_the_subject_names() {
    let place = Place::new();
    place.source("old", "5.10.1");
    place.write(
        "kernels/mine.yaml",
        "kernels:\n\
         - {name: new-kasan, source: {folder: ../linux}, config: small+kasan}\n\
         - {name: new, source: {folder: ../linux}, config: small}\n\
         - {name: old, source: {folder: ../old}, config: small}\n",
    );
    insta::assert_snapshot!(place.dry("autosel.eml", &["--onto", "auto"]));
    let none = place.dry("clean.patch", &["--onto", "auto"]);
    assert!(none.contains("names a line; name the trees") && none.ends_with("exit code 96\n"), "{none}");
}

#[test]
fn a_commit_is_merged_where_its_files_are_known() {
    let change = ("mutex_unlock(&pump->lock);", "mutex_unlock_soon(&pump->lock);");
    let Some(place) = Place::with_history(change) else { return };
    let before = place.git(&["status", "--porcelain=v2", "--branch"]) + &place.git(&["for-each-ref"]);
    let said = place.dry("linux@main", &["--onto", "linux@linux-6.12.y"]);
    insta::assert_snapshot!(said);
    let after = place.git(&["status", "--porcelain=v2", "--branch"]) + &place.git(&["for-each-ref"]);
    assert_eq!(before, after, "the repository is as it was");
}

#[test]
fn of_one_line_only_one_tree_can_keep_the_patch() {
    let change = ("mutex_unlock(&pump->lock);", "mutex_unlock_soon(&pump->lock);");
    let Some(place) = Place::with_history(change) else { return };
    let onto = ["--onto", "linux@linux-6.12.y", "--onto", "linux@main~1"];
    assert!(place.dry("linux@main", &onto).ends_with("exit code 0\n"));
    let kept = place.dry("linux@main", &[&onto[..], &["--keep"]].concat());
    let reason =
        "--keep: linux@linux-6.12.y and linux@main~1 are compiled in one tree, PLACE/cache/build/git-";
    assert!(kept.contains(reason) && kept.ends_with("exit code 96\n"), "{kept}");
}

#[test]
fn a_commit_that_is_missing_is_named() {
    let Some(place) = Place::with_history(("kfree(pump->buffer);", "kvfree(pump->buffer);")) else { return };
    insta::assert_snapshot!(place.dry("linux@main", &["--onto", "linux@linux-6.12.y"]));
    // with it, the fix applies
    let series = place.dry("linux@linux-6.12.y..main", &["--onto", "linux@linux-6.12.y"]);
    assert!(series.contains("linux@linux-6.12.y: applies\n"), "{series}");
    let there = place.dry("linux@main", &["--onto", "linux@main"]);
    assert!(there.contains("already applied") && there.ends_with("exit code 100\n"), "{there}");
}

#[test]
fn what_cannot_be_used_says_what_is_expected() {
    let place = Place::new();
    let clean = fixture("clean.patch").display().to_string();
    let cases: &[&[&str]] = &[
        &["no-such.patch", "--onto", "linux"],
        &[&clean, "--onto", "linx"],
        &[&clean, "--onto", "suites"],
        &[&clean, "--onto", "linux", "--tests", "nosuch"],
        &[&clean, "--onto", "linux", "--history", "suites"],
        &[&clean, "--onto", "linux@nosuch"],
        &[&clean, "--onto", "linux", "--config", "small+smal"],
        &[&clean, "--onto", "linux", "--pick", "2"],
        &[&clean, "--onto", "auto"],
    ];
    let said: String = cases
        .iter()
        .map(|case| format!("{}\n{}", case[1..].join(" "), place.said(&[*case, &["--dry-run"]].concat())))
        .collect();
    insta::assert_snapshot!(said);
}

/// Names of branches that look like options, and texts that would do something to a shell or a terminal.
#[test]
fn what_a_repository_and_a_mail_say_is_no_command() {
    let Some(place) = Place::with_history(("kfree(pump->buffer);", "kfree_sensitive(pump->buffer);")) else {
        return;
    };
    let name = "--output=owned\n$(touch owned)`touch owned`\"\u{1b}[2J.c";
    place.write(&format!("linux/{name}"), "1\n2\n3\n");
    place.git(&["add", "--all"]);
    place.git(&["commit", "-q", "-m", "a file"]);
    for branch in ["-x", "--output=owned", "$(touch-owned)"] {
        place.git(&["update-ref", &format!("refs/heads/{branch}"), "HEAD"]);
    }
    place.write(&format!("linux/{name}"), "1\n2\nthree\n");
    let title = "fix \u{1b}]0;owned\u{7}<script>alert(1)</script> `touch owned` \u{202e} -- --output=owned";
    place.git(&["commit", "-q", "-a", "-m", title]);
    let mail = place.git(&["format-patch", "-q", "-1", "--stdout"]);
    place.write("fix.patch", &mail);
    let before = place.git(&["status", "--short"]);
    let harmful = |c: char| c.is_control() && c != '\n' || kregress::progress::is_deceptive(c);
    for onto in ["linux@-x", "linux@--output=owned", "linux@$(touch-owned)"] {
        for input in ["fix.patch", "linux@-x..main"] {
            let said = place.said(&[input, "--dry-run", "--onto", onto]);
            assert!(
                said.contains(&format!("{onto}: applies\n")) && said.ends_with("exit code 0\n"),
                "{said}"
            );
            assert!(!said.contains(harmful), "{said:?}");
            assert!(!said.lines().any(|line| line.starts_with("$(touch")), "a name is no line: {said}");
        }
    }
    let patched = place.of("patch", &["fix.patch", "--onto", "linux"]);
    assert!(patched.contains("exit code") && !patched.contains(harmful), "{patched:?}");
    let owned = |folder: &str| place.path().join(folder).join("owned").exists();
    assert!(!owned("") && !owned("linux"));
    assert_eq!(place.git(&["status", "--short"]), before);
}
