//! Commits that are really checked out and compiled, though not to kernels: a stand-in for a source, with a Makefile that
//! knows the same targets and makes files of the same names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kregress::bisect::{Answer, Find};
use kregress::bisection::supply::{Commits, Recipe};
use kregress::bisection::tree::{Range, Tree};
use kregress::bisection::{BisectionEnd, BisectionState};
use kregress::cancel::Cancel;
use kregress::event::{BisectionRecord, BisectionSource};
use kregress::kernel::NoProgress;
use kregress::kernel::compile::Builder;
use kregress::lab::sim::Outcome;
use kregress::plan::PlacedTest;

use super::git::git;
use super::place::{drive, line, machine, test};

const MAKEFILE: &str = "# a stand-in
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 57
EXTRAVERSION =

allnoconfig:
\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config

vmlinux: $(O)/main.o
\t@mkdir -p $(O)/include/config
\t@echo 6.12.57$(LOCALVERSION) > $(O)/include/config/kernel.release
\t@$(CC) -nostdlib -static -Wl,-e,entry -o $(O)/vmlinux $(O)/main.o
\t@touch $(O)/modules.builtin $(O)/System.map

$(O)/main.o: main.c
\t@echo '  CC      main.o'
\t@$(CC) -c -o $@ $<
";

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn commit(repository: &Path, subject: &str) -> String {
    git(repository, &["add", "--all"]);
    git(repository, &["commit", "--quiet", "-m", subject]);
    git(repository, &["rev-parse", "HEAD"])
}

/// Sixteen commits: the fifth brings the bug, 7 to 9 do not compile, the twelfth changes a text only.
fn repository(folder: &Path) -> (PathBuf, String) {
    let linux = folder.join("linux");
    write(&linux, "Makefile", MAKEFILE);
    for file in ["Kbuild", "Kconfig"] {
        write(&linux, file, "config PVH\n\tbool\n");
    }
    git(&linux, &["init", "--quiet", "--initial-branch=main"]);
    let mut culprit = String::new();
    for n in 0..=16 {
        let broken = if (7..=9).contains(&n) { "this does not compile;\n" } else { "" };
        match n {
            12 => write(&linux, "README", "words"),
            _ => write(&linux, "main.c", &format!("{broken}int entry(void) {{ return {n}; }}\n")),
        }
        let hash = commit(&linux, &format!("change {n}"));
        if n == 5 {
            culprit = hash;
        }
    }
    (linux, culprit)
}

#[test]
fn commits_are_compiled_and_what_does_not_compile_is_passed_over() {
    if ["make", "gcc"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        return loud_skip::skip("there is no compiler on this host");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (linux, culprit) = repository(folder.path());
    write(folder.path(), "kernels/configs/tiny.config", "# base: allnoconfig\nCONFIG_PVH=y\n");
    // what the user is working on
    write(&linux, "main.c", "being edited");
    write(&linux, "new.c", "not added yet");
    let users = |linux: &Path| (git(linux, &["status", "--porcelain"]), git(linux, &["rev-parse", "HEAD"]));
    let before = users(&linux);

    let (good, bad) = ("HEAD~16".to_owned(), "HEAD".to_owned());
    let tree = Tree::read(&Range { repository: linux.clone(), good, bad, ..Range::default() }).unwrap();
    let path = linux.display().to_string();
    let record = BisectionRecord {
        source: BisectionSource::Tree {
            path,
            config: "tiny".into(),
            config_digest: String::new(),
            compiler: None,
            arch: None,
            paths: Vec::new(),
        },
        candidates: tree.candidates,
        ..line(1, Find::Cause)
    };
    let builder = Builder::new(&folder.path().join("cache"), &[folder.path().join("kernels")]);
    let commits = record.candidates.iter().map(|c| (c.name.clone(), c.id.clone())).collect();
    let (test, cancel) = (test(), Cancel::new());
    let place = |_: &kregress::kernel::Kernel| PlacedTest {
        test: Arc::clone(&test),
        machine: Arc::new(machine()),
        lacking: None,
    };
    let recipe = Recipe {
        repository: linux.clone(),
        config: "tiny".into(),
        compiler: None,
        arch: kregress::arch::GUEST,
    };
    let kernels = Commits::new(&builder, recipe, commits, &NoProgress, &cancel, &place);
    let mut state = BisectionState::new(record).unwrap();
    let bug = |kernel: &str, _: u32| {
        let asked = Command::new("git")
            .current_dir(&linux)
            .args(["merge-base", "--is-ancestor", &culprit, kernel])
            .status();
        match asked.expect("git is installed").success() {
            true => Outcome::Symptom("boom".into()),
            false => Outcome::Clean,
        }
    };
    let (ended, _) = drive(&mut state, &kernels, bug);
    let BisectionEnd::Answer(Answer::Found { candidates, .. }) = ended else { panic!("{ended:?}") };
    let found: Vec<&str> = candidates.iter().map(|node| state.candidate(*node).id.as_str()).collect();
    assert_eq!(found, [culprit]);
    for (node, tried) in state.all_tried() {
        let broken = (7..=9).contains(&node);
        assert_eq!(tried.closed.is_some(), broken, "{node}: {:?}", tried.closed);
        if let Some(reason) = &tried.closed {
            assert!(reason.contains("does not compile") && reason.contains("main.c"), "{reason}");
        }
    }
    // builds of different commits differ, unless the commits do not matter to them
    let contents: Vec<_> = state.all_tried().filter_map(|(_, tried)| tried.content.clone()).collect();
    assert!(contents.len() >= 4);
    assert_eq!(before, users(&linux), "the user's tree was touched");
    assert_eq!(std::fs::read_to_string(linux.join("main.c")).unwrap(), "being edited");
}
