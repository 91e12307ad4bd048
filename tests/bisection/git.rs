//! Histories in real git repositories, and logs that git itself replays.

use std::path::{Path, PathBuf};
use std::process::Command;

use kregress::bisect::{Answer, Find};
use kregress::bisection::gitlog::{Called, Log, export};
use kregress::bisection::tree::{Range, Tree};
use kregress::bisection::{BisectionEnd, BisectionState};
use kregress::event::{BisectionRecord, BisectionSource, CandidateRecord};
use kregress::lab::sim::Outcome;

use super::place::{Kernels, draw, drive, line};

/// A repository with a fixed history.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Repository {
        let repository = Repository { folder: tempfile::tempdir().expect("a temporary folder") };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.folder.path(), arguments)
    }

    /// A commit that changes this file; its hash.
    fn commit(&self, file: &str, subject: &str) -> String {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, subject).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn range(&self, good: &str, bad: &str) -> Range {
        let (good, bad) = (good.to_owned(), bad.to_owned());
        Range { repository: self.path(), good, bad, ..Range::default() }
    }
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        // the same hashes every time: an attempt's result is drawn from them
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .output()
        .expect("git is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// `v0`, ten commits on main, a branch of five that leaves after the third and is merged, two more.
fn merged() -> Repository {
    let repository = Repository::new();
    repository.commit("Makefile", "the start");
    repository.git(&["tag", "v0"]);
    for n in 0..3 {
        repository.commit(&format!("fs/a{n}"), &format!("main {n}"));
    }
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    for n in 0..5 {
        repository.commit(&format!("mm/b{n}"), &format!("side {n}"));
    }
    repository.git(&["checkout", "--quiet", "main"]);
    for n in 3..10 {
        repository.commit(&format!("fs/a{n}"), &format!("main {n}"));
    }
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "Merge side", "side"]);
    for n in 10..12 {
        repository.commit(&format!("fs/a{n}"), &format!("main {n}"));
    }
    repository.git(&["tag", "v1"]);
    repository
}

fn record_of(tree: Tree, repository: &Repository, find: Find, paths: Vec<String>) -> BisectionRecord {
    BisectionRecord {
        source: BisectionSource::Tree {
            path: repository.path().display().to_string(),
            config: "small".into(),
            config_digest: String::new(),
            compiler: None,
            arch: None,
            paths,
        },
        candidates: tree.candidates,
        ..line(1, find)
    }
}

/// Whether a commit holds another one, as git sees it.
fn holds(repository: &Repository, commit: &str, other: &str) -> bool {
    let status = Command::new("git")
        .current_dir(repository.path())
        .args(["merge-base", "--is-ancestor", other, commit])
        .status();
    status.expect("git is installed").success()
}

#[test]
fn every_commit_of_a_merged_history_is_found_and_git_replays_the_log() {
    let repository = merged();
    let range = repository.range("v0", "v1");
    let tree = Tree::read(&range).unwrap();
    assert_eq!(tree.notices, Vec::<String>::new());
    assert_eq!(tree.candidates.len(), 1 + 12 + 5 + 1);
    let merges: Vec<&str> =
        tree.candidates.iter().filter(|c| c.parents.len() > 1).map(|c| c.subject.as_str()).collect();
    assert_eq!(merges, ["Merge side"]);
    for culprit in (1..tree.candidates.len()).step_by(4) {
        let record = record_of(tree.clone(), &repository, Find::Cause, Vec::new());
        let kernels = Kernels::of(&record);
        let culprit_hash = record.candidates[culprit].id.clone();
        let mut state = BisectionState::new(record).unwrap();
        let (ended, _) = drive(&mut state, &kernels, |kernel, attempt| {
            match holds(&repository, kernel, &culprit_hash) && draw(kernel, attempt) < 0.7 {
                true => Outcome::Symptom("boom".into()),
                false => Outcome::Clean,
            }
        });
        let BisectionEnd::Answer(Answer::Found { candidates, .. }) = ended else { panic!("{ended:?}") };
        assert_eq!(candidates, [culprit]);

        let log = export(&state).unwrap();
        let path = repository.path().join(".git/kregress.log");
        std::fs::write(&path, &log).unwrap();
        let said = repository.git(&["bisect", "replay", path.to_str().unwrap()]);
        assert!(said.contains(&format!("{culprit_hash} is the first bad commit")), "{said}\n{log}");
        // what git wrote of it is read again
        let again = Log::parse(&repository.git(&["bisect", "log"])).unwrap();
        assert!(
            again.commits.iter().any(|(called, commit)| *called == Called::New && *commit == culprit_hash)
        );
        repository.git(&["bisect", "reset"]);
    }
}

#[test]
fn a_fix_has_its_own_words_in_the_log() {
    let repository = merged();
    let range = Range { find: Find::Fix, ..repository.range("v1", "v0") };
    let tree = Tree::read(&range).unwrap();
    let record = record_of(tree, &repository, Find::Fix, Vec::new());
    let (kernels, fix) = (Kernels::of(&record), record.candidates[6].id.clone());
    let mut state = BisectionState::new(record).unwrap();
    drive(&mut state, &kernels, |kernel, _| match holds(&repository, kernel, &fix) {
        true => Outcome::Clean,
        false => Outcome::Symptom("boom".into()),
    });
    let log = export(&state).unwrap();
    assert!(log.starts_with("git bisect start '--term-old=broken' '--term-new=fixed'\n"), "{log}");
    let path = repository.path().join(".git/kregress.log");
    std::fs::write(&path, &log).unwrap();
    let said = repository.git(&["bisect", "replay", path.to_str().unwrap()]);
    assert!(said.contains(&format!("{fix} is the first fixed commit")), "{said}\n{log}");
    let again = Log::parse(&repository.git(&["bisect", "log"])).unwrap();
    assert!(again.commits.contains(&(Called::New, fix)));
}

#[test]
fn paths_and_first_parents_narrow_the_candidates() {
    let repository = merged();
    let subjects =
        |tree: &Tree| tree.candidates.iter().map(|c| c.subject.clone()).collect::<Vec<_>>().join("; ");
    let range = Range { paths: vec!["mm".into()], ..repository.range("v0", "v1") };
    let tree = Tree::read(&range).unwrap();
    insta::assert_snapshot!(subjects(&tree), @"the start; side 0; side 1; side 2; side 3; side 4; any change to other paths, up to this one: main 11");
    let parents: Vec<&[usize]> = tree.candidates.iter().map(|c| c.parents.as_slice()).collect();
    assert_eq!(parents, [&[][..], &[0], &[1], &[2], &[3], &[4], &[5]]);
    let range = Range { first_parent: true, ..repository.range("v0", "v1") };
    let tree = Tree::read(&range).unwrap();
    assert_eq!(tree.candidates.len(), 1 + 12 + 1);
    assert!(tree.candidates.iter().all(|candidate: &CandidateRecord| candidate.parents.len() <= 1));
    let range = Range { paths: vec!["net".into()], ..repository.range("v0", "v1") };
    insta::assert_snapshot!(Tree::read(&range).unwrap_err(), @"no commit between v0 and v1 touches net; name other paths, or none");
}

#[test]
fn what_makes_no_sense_is_said_with_the_remedy() {
    let repository = merged();
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.commit("x", "another root");
    repository.git(&["checkout", "--quiet", "main"]);
    let said = |range: &Range| {
        let error = Tree::read(range).unwrap_err().to_string();
        error.replace(&repository.path().display().to_string(), "LINUX") + "\n"
    };
    let fix = |range: Range| Range { find: Find::Fix, ..range };
    let all = [
        said(&repository.range("v1", "v0")),
        said(&fix(repository.range("v0", "v1"))),
        said(&repository.range("v0", "v0")),
        said(&repository.range("v0", "other")),
        said(&repository.range("v0", "v9")),
        said(&Range { repository: repository.path().join("nowhere"), ..repository.range("a", "b") }),
    ];
    insta::assert_snapshot!(all.concat());
}

#[test]
fn a_branch_that_left_is_searched_from_where_it_did_and_nothing_of_the_users_is_touched() {
    let repository = merged();
    let side = repository.git(&["rev-parse", "side"]);
    std::fs::write(repository.path().join("fs/a0"), "being edited").unwrap();
    repository.git(&["add", "fs/a0"]);
    std::fs::write(repository.path().join("fs/a1"), "edited too").unwrap();
    let before = (repository.git(&["status", "--porcelain"]), repository.git(&["rev-parse", "HEAD"]));
    let tree = Tree::read(&repository.range("main~3", &side)).unwrap();
    assert_eq!(tree.candidates.len(), 1 + 5);
    let notices = tree.notices.join("\n").replace(&repository.path().display().to_string(), "LINUX");
    let base = repository.git(&["rev-parse", "--short=12", "main~10"]);
    insta::assert_snapshot!(notices.replace(&base, "BASE"));
    assert_eq!(before, (repository.git(&["status", "--porcelain"]), repository.git(&["rev-parse", "HEAD"])));
}

#[test]
fn logs_of_other_hands_are_read() {
    let log = "\
# bad: [aaaa] the newest
git bisect start 'aaaa' 'bbbb' '--' 'fs/ext4' 'it'\\''s'
# good: [cccc] x
git bisect good cccc
git bisect skip dddd eeee
git bisect bad ffff
# first bad commit: [ffff] y
";
    let log = Log::parse(log).unwrap();
    assert_eq!(log.first(Called::New), Some("aaaa"));
    assert_eq!(log.first(Called::Old), Some("bbbb"));
    assert_eq!(log.paths, ["fs/ext4", "it's"]);
    assert_eq!(log.commits.iter().filter(|(called, _)| *called == Called::Skipped).count(), 2);
    let (bad, good) = ("a".repeat(40), "b".repeat(40));
    let typed = format!("# bad: [{bad}] x\n# good: [{good}] y\ngit bisect start 'HEAD' 'v1'\n");
    let log = Log::parse(&typed).unwrap();
    assert_eq!(
        log.commits,
        [(Called::New, bad), (Called::Old, good)],
        "what was typed may mean another one now"
    );
    let said = |text: &str| Log::parse(text).unwrap_err().to_string();
    let all =
        [said("hello"), said("git bisect good abc"), said("git bisect start\ngit bisect fast abc"), said("")];
    insta::assert_snapshot!(all.join("\n"));
}
