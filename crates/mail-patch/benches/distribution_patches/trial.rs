//! One patch on one tree, by three programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::process::Command;

use mail_patch::{Folder, Input, Options, Outcome, PatchMail, apply};

use super::packages::Tree;

type Files = BTreeMap<String, Vec<u8>>;

/// What a program did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It applied the patch; of git and `patch`: to the same bytes as the own result.
    Applies,
    /// It applied it to something else.
    Differs,
    /// It says that the source has it.
    There,
    Refuses,
}

impl Answer {
    pub fn words(self) -> &'static str {
        match self {
            Answer::Applies => "applies",
            Answer::Differs => "differs",
            Answer::There => "there",
            Answer::Refuses => "refuses",
        }
    }
}

/// The results of the three.
pub struct Trial {
    outcome: Outcome,
    why: String,
    doubts: Vec<(&'static str, String)>,
    own: Option<Files>,
    git: Result<Files, String>,
    patch: Result<Files, String>,
    before: Files,
}

/// Paths that a patch names, with one leading folder taken off.
pub fn touched(patch: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(patch);
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let name = ["--- ", "+++ "].iter().find_map(|mark| line.strip_prefix(mark));
        let name = name.and_then(|name| name.split(['\t', ' ']).next()).and_then(|name| name.split_once('/'));
        let moved = ["rename from ", "rename to ", "copy from ", "copy to "]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        let git = line.strip_prefix("diff --git a/").and_then(|names| names.split(" b/").next());
        found.extend(name.map(|(_, path)| path).into_iter().chain(moved).chain(git).map(str::to_owned));
    }
    found.retain(|path| {
        !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
    });
    found
}

impl Trial {
    /// Tries it on those files of the tree that it names.
    pub fn of(patch: &[u8], tree: &Tree, scratch: &Path) -> Trial {
        let mut before = Files::new();
        for path in touched(patch) {
            if let Some(Some(bytes)) = tree.get(&path) {
                before.insert(path, bytes.clone());
            }
        }
        let folder = |name: &str| {
            let folder = scratch.join(name);
            let _ = std::fs::remove_dir_all(&folder);
            let _ = std::fs::create_dir_all(&folder);
            for (path, bytes) in &before {
                let place = folder.join(path);
                let made = place.parent().map(std::fs::create_dir_all);
                assert!(matches!(made, Some(Ok(()))) && std::fs::write(&place, bytes).is_ok(), "{path}");
            }
            folder
        };
        let file = scratch.join("tried.patch");
        assert!(std::fs::write(&file, patch).is_ok());
        let Own { outcome, why, doubts, files: own } = own(patch, &folder("own"), &before);
        let run = |program: &str, arguments: &[&str]| {
            let place = folder(program);
            let output = Command::new(program)
                .args(arguments)
                .arg(&file)
                .current_dir(&place)
                .env("GIT_CEILING_DIRECTORIES", scratch)
                .env("LC_ALL", "C")
                .output();
            match output {
                Ok(output) if output.status.success() => Ok(files(&place)),
                Ok(output) => {
                    let said = [output.stdout, output.stderr].concat();
                    Err(String::from_utf8_lossy(&said).lines().take(2).collect::<Vec<_>>().join("; "))
                }
                Err(error) => Err(error.to_string()),
            }
        };
        let git = run("git", &["apply"]);
        let patch =
            run("patch", &["-p1", "-F0", "--batch", "--forward", "--no-backup-if-mismatch", "-r", "-", "-i"]);
        Trial { outcome, why, doubts, own, git, patch, before }
    }

    /// What changes where one of the programs took it, git's word first.
    pub fn taken(&self) -> Option<Tree> {
        let after = self.git.as_ref().ok().or(self.patch.as_ref().ok())?;
        let gone =
            self.before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), None));
        let there = after.iter().map(|(path, bytes)| (path.clone(), Some(bytes.clone())));
        Some(gone.chain(there).collect())
    }

    /// What is doubted of a result that all programs agree on: its kind, and all that is said.
    pub fn doubt(&self) -> Option<(&'static str, &str)> {
        let agreed = self.answers() == [Answer::Applies; 3];
        self.doubts.first().filter(|_| agreed).map(|(kind, said)| (*kind, said.as_str()))
    }

    /// What own, git and patch answered.
    pub fn answers(&self) -> [Answer; 3] {
        let own = match self.outcome {
            outcome if outcome.applies() => Answer::Applies,
            Outcome::AlreadyApplied => Answer::There,
            _ => Answer::Refuses,
        };
        let other = |result: &Result<Files, String>| match (result, &self.own) {
            (Ok(theirs), Some(own)) if theirs != own => Answer::Differs,
            (Ok(_), _) => Answer::Applies,
            (Err(_), _) => Answer::Refuses,
        };
        [own, other(&self.git), other(&self.patch)]
    }

    /// The kind of a disagreement; one that nothing explains begins with `?`.
    pub fn disagreement(&self) -> Option<String> {
        let said = |part: &str| self.why.contains(part);
        let kind = match self.answers() {
            [Answer::Applies, Answer::Applies, _] => return None,
            [Answer::Refuses | Answer::There, Answer::Refuses, Answer::Refuses] => return None,
            [Answer::There, Answer::Refuses, Answer::Applies] => "? patch applies what is there already",
            [Answer::There, Answer::Applies, _] => "git applies a second time what is there already",
            [Answer::Applies, Answer::Differs, _] => "? git makes something else of it",
            [Answer::Applies, Answer::Refuses, Answer::Applies] if self.git_said("corrupt patch") => {
                "git cannot read it, patch makes the same of it"
            }
            [Answer::Applies, Answer::Refuses, Answer::Applies] => {
                "? git refuses, patch makes the same of it"
            }
            [Answer::Applies, Answer::Refuses, Answer::Differs] => {
                "? git refuses, patch makes something else of it"
            }
            [Answer::Applies, Answer::Refuses, _] => "? both refuse",
            [_, Answer::Applies, _] if said("fits at") || said("several") => {
                "several places, none of them where it says; git takes the nearest"
            }
            [_, Answer::Refuses, _] if said("fits at") || said("several") => {
                "several places, none of them where it says; patch takes the nearest"
            }
            [_, Answer::Refuses, _] => "refused as git does; patch takes it",
            [_, Answer::Applies, _] => "? git takes it",
            [_, Answer::Differs | Answer::There, _] => "? git takes it",
        };
        Some(kind.to_owned())
    }

    fn git_said(&self, part: &str) -> bool {
        self.git.as_ref().is_err_and(|said| said.contains(part))
    }

    /// What each said.
    pub fn said(&self) -> String {
        let of = |result: &Result<Files, String>| match result {
            Ok(_) => "ok".to_owned(),
            Err(said) => said.clone(),
        };
        format!(
            "{} ({}) | git: {} | patch: {}",
            self.outcome.words(),
            self.why,
            of(&self.git),
            of(&self.patch)
        )
    }
}

/// The own result.
struct Own {
    outcome: Outcome,
    why: String,
    doubts: Vec<(&'static str, String)>,
    files: Option<Files>,
}

fn own(patch: &[u8], folder: &Path, before: &Files) -> Own {
    let none = |why: String| Own { outcome: Outcome::Damaged, why, doubts: Vec::new(), files: None };
    let input = match Input::read("patch", patch) {
        Ok(input) => input,
        Err(error) => return none(error.to_string()),
    };
    let patches = PatchMail::all(&input);
    if patches.is_empty() {
        return none("no patch in it".into());
    }
    let result = apply(&patches.iter().collect::<Vec<_>>(), &Folder::new(folder), Options::default());
    let mut after = before.clone();
    for (path, contents) in &result.contents {
        match contents {
            Some(bytes) => _ = after.insert(path.clone(), bytes.clone()),
            None => _ = after.remove(path),
        }
    }
    let applies = result.outcome.applies();
    let doubts = result.doubts.iter().map(|doubt| (doubt.kind.words(), doubt.to_string())).collect();
    Own { outcome: result.outcome, why: result.why(), doubts, files: applies.then_some(after) }
}

/// The files below a folder.
fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                folders.push(path);
            } else if let (Ok(name), Ok(bytes)) = (path.strip_prefix(folder), std::fs::read(&path)) {
                found.insert(name.display().to_string(), bytes);
            }
        }
    }
    found
}
