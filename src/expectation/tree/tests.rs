use std::path::Path;
use std::process::Command;

use super::*;

/// A repository with a mainline and a stable branch of v6.12.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Option<Repository> {
        if which::which("git").is_err() {
            loud_skip::skip("git is not installed (Debian: apt-get install git)");
            return None;
        }
        let repository = Repository { folder: tempfile::tempdir().expect("a temporary folder") };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        Some(repository)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args(["-c", "user.name=A Maker", "-c", "user.email=maker@example.org"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes an empty commit, and a tag of it where `tag` is not empty; answers with its id.
    fn commit(&self, message: &str, tag: &str) -> String {
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        if !tag.is_empty() {
            self.git(&["tag", tag]);
        }
        self.git(&["rev-parse", "HEAD"])
    }
}

#[test]
fn tags_of_mainline_and_of_stable_branches_contain_or_lack_a_fix() {
    let Some(repository) = Repository::new() else { return };
    let old = repository.commit("fs: older than all", "");
    repository.commit("Linux 6.12", "v6.12");
    let fix = repository.commit("block: take the lock", "");
    let untold = repository.commit("net: keep it", "");
    repository.commit("Linux 6.13-rc1", "v6.13-rc1");
    repository.git(&["checkout", "--quiet", "-b", "stable", "v6.12"]);
    repository.commit("Linux 6.12.1", "v6.12.1");
    repository.commit(&format!("block: take the lock\n\ncommit {fix} upstream.\n\nWords."), "");
    repository.commit("net: keep it", "");
    repository.commit("Linux 6.12.2", "v6.12.2");
    let back = repository.git(&["log", "--format=%H", "--grep=upstream", "-1"]);
    repository.commit(&format!("Revert \"block: take the lock\"\n\nThis reverts commit {back}."), "v6.12.3");
    let foreign = "ffffffffffffffffffffffffffffffffffffffff".to_owned();
    let asked = [old, fix[..12].to_owned(), untold, foreign];
    let tree = KernelTree::open(repository.path(), asked.clone()).expect("a repository");
    assert_eq!(tree.title(&asked[1]), Some("block: take the lock"));
    assert_eq!(tree.title(&asked[3]), None);
    let shown = |tag: &str| {
        let place =
            tree.place(&["no-such-tag".to_owned(), tag.to_owned()]).expect("git runs").expect("a tag");
        let standing = |commit: &String| match place.standing(&tree, std::slice::from_ref(commit)) {
            Standing::Contains(_) => "contains",
            Standing::Lacks(_) => "lacks",
            Standing::Unknown => "unknown",
        };
        asked.iter().map(standing).collect::<Vec<_>>().join(" ")
    };
    let table =
        ["v6.12", "v6.13-rc1", "v6.12.1", "v6.12.2", "v6.12.3"].map(|tag| format!("{tag}: {}", shown(tag)));
    insta::assert_snapshot!(table.join("\n"), @r"
    v6.12: contains lacks lacks unknown
    v6.13-rc1: contains contains contains unknown
    v6.12.1: contains lacks lacks unknown
    v6.12.2: contains contains contains unknown
    v6.12.3: contains lacks contains unknown
    ");
    assert!(tree.place(&["v7.0".to_owned()]).expect("git runs").is_none());
}

#[test]
fn a_shallow_repository_lacks_nothing() {
    let Some(repository) = Repository::new() else { return };
    repository.commit("Linux 6.12", "v6.12");
    let fix = repository.commit("block: take the lock", "v6.13-rc1");
    let clone = tempfile::tempdir().expect("a temporary folder");
    let from = format!("file://{}", repository.path().display());
    let into = clone.path().join("linux");
    repository.git(&["clone", "--quiet", "--depth=1", &from, &into.to_string_lossy()]);
    repository.git(&[
        "-C",
        &into.to_string_lossy(),
        "fetch",
        "--quiet",
        "--depth=1",
        "origin",
        "tag",
        "v6.12",
    ]);
    let tree = KernelTree::open(&into, [fix.clone()]).expect("a repository");
    let place = tree.place(&["v6.12".to_owned()]).expect("git runs").expect("a tag");
    assert_eq!(place.standing(&tree, &[fix]), Standing::Unknown);
}

#[test]
fn what_is_no_repository_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("no");
    let said = KernelTree::open(&missing, []).expect_err("it is none").to_string();
    assert!(said.ends_with("it is no git repository of the kernel: there is no such folder"), "{said}");
}
