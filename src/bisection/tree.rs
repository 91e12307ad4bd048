//! Candidates from a git repository: the commits that the new end has and the old one has not, merges included.
//!
//! The repository is only read. Kernels are compiled in a place of their own, so that neither the work tree nor what is
//! not committed in it is touched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::series::Misuse;
use crate::bisect::Find;
use crate::event::CandidateRecord;

/// Digits of a commit's hash that make a kernel's name.
const DIGITS: usize = 12;

/// Which commits are searched.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// The repository.
    pub repository: PathBuf,
    /// The end without the bug, as git names it.
    pub good: String,
    /// The end with the bug.
    pub bad: String,
    /// What is looked for.
    pub find: Find,
    /// Merges are taken as one change each, their branches are not searched.
    pub first_parent: bool,
    /// Only changes to these paths are candidates; empty: all.
    pub paths: Vec<String>,
}

/// A part of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The commits, the old end first, the new end last, each after its parents.
    pub candidates: Vec<CandidateRecord>,
    /// What the user should know.
    pub notices: Vec<String>,
}

/// A range in which nothing can be searched.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The ends do not fit.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// It is no repository.
    #[error("--tree {path}: it is no git repository: {said}")]
    NoRepository {
        /// What was named.
        path: PathBuf,
        /// What git says.
        said: String,
    },
    /// There is no such commit.
    #[error("{option} {name}: {path} has no such commit; `git -C {path} log --oneline` shows those that it has", path = path.display())]
    NoCommit {
        /// `--good` or `--bad`.
        option: &'static str,
        /// What was named.
        name: String,
        /// The repository.
        path: PathBuf,
    },
    /// The ends have nothing in common.
    #[error("--good {good} and --bad {bad} have no commit in common: there is no history between them{hint}")]
    Unrelated {
        /// The good end.
        good: String,
        /// The bad end.
        bad: String,
        /// What may be the cause.
        hint: String,
    },
    /// No commit is left.
    #[error("no commit between {old} and {new} touches {paths}; name other paths, or none")]
    NoneTouches {
        /// The old end.
        old: String,
        /// The new end.
        new: String,
        /// The paths.
        paths: String,
    },
    /// git cannot be run or fails.
    #[error("git {what} failed: {said}")]
    Git {
        /// The subcommand.
        what: String,
        /// What it says.
        said: String,
    },
}

impl Tree {
    /// Reads the commits of a range.
    ///
    /// # Errors
    /// There is nothing to search in it, or git fails.
    pub fn read(range: &Range) -> Result<Tree, TreeError> {
        let repository = &range.repository;
        let no_repository = |said| TreeError::NoRepository { path: repository.clone(), said };
        if !repository.is_dir() {
            return Err(no_repository("there is no such folder".into()));
        }
        if let Err(said) = git(repository, &["rev-parse", "--git-dir"])? {
            return Err(no_repository(said));
        }
        let good = commit(repository, "--good", &range.good)?;
        let bad = commit(repository, "--bad", &range.bad)?;
        if good == bad {
            return Err(Misuse::Same { good: range.good.clone(), bad: range.bad.clone() }.into());
        }
        let ((old, old_name), (new, new_name)) = match range.find {
            Find::Cause => ((good, &range.good), (bad, &range.bad)),
            Find::Fix => ((bad, &range.bad), (good, &range.good)),
        };
        let mut notices = Vec::new();
        let old = base(range, &old, old_name, &new, &mut notices)?;
        if let Ok(changed) = git(repository, &["status", "--porcelain", "--untracked-files=no"])?
            && !changed.is_empty()
        {
            notices.push(format!(
                "{} has changes that are not committed: they are in no candidate, and stay as they are",
                repository.display()
            ));
        }
        let candidates = candidates(range, &old, &new)?;
        if candidates.len() < 2 {
            let (old, new) = (old_name.clone(), new_name.clone());
            return Err(TreeError::NoneTouches { old, new, paths: range.paths.join(" ") });
        }
        Ok(Tree { candidates, notices })
    }
}

/// The commit that a search starts from: the old end, or where the new one's history left it.
fn base(
    range: &Range,
    old: &str,
    old_name: &str,
    new: &str,
    notices: &mut Vec<String>,
) -> Result<String, TreeError> {
    let is_ancestor = |a: &str, b: &str| {
        git(&range.repository, &["merge-base", "--is-ancestor", a, b]).map(|answer| answer.is_ok())
    };
    if is_ancestor(old, new)? {
        return Ok(old.to_owned());
    }
    if is_ancestor(new, old)? {
        return Err(Misuse::order(range.find, &range.good, &range.bad).into());
    }
    match git(&range.repository, &["merge-base", old, new])? {
        Ok(bases) => {
            let base = bases.lines().next().unwrap_or_default().to_owned();
            notices.push(format!(
                "{old_name} is not part of the other end's history: {}, where the two part, takes its place and is tried first",
                short(&base)
            ));
            Ok(base)
        }
        Err(_) => {
            let shallow = git(&range.repository, &["rev-parse", "--is-shallow-repository"])?;
            let hint = match shallow.as_deref() {
                Ok("true") => {
                    "; the repository is shallow, `git fetch --unshallow` brings the rest".to_owned()
                }
                _ => String::new(),
            };
            let (good, bad) = (range.good.clone(), range.bad.clone());
            Err(TreeError::Unrelated { good, bad, hint })
        }
    }
}

/// The old end, the commits between the ends in topological order, and the new end.
fn candidates(range: &Range, old: &str, new: &str) -> Result<Vec<CandidateRecord>, TreeError> {
    const FORMAT: &str = "--format=%H%x1f%P%x1f%an <%ae>%x1f%as%x1f%s";
    let between = format!("{old}..{new}");
    let mut arguments = vec!["log", "--topo-order", "--reverse", "--parents", FORMAT];
    if range.first_parent {
        arguments.push("--first-parent");
    }
    arguments.extend([between.as_str(), "--"]);
    arguments.extend(range.paths.iter().map(String::as_str));
    let run = |arguments: &[&str]| {
        git(&range.repository, arguments)?.map_err(|said| TreeError::Git { what: arguments[0].into(), said })
    };
    let mut list = vec![record(&run(&["log", "-1", FORMAT, old, "--"])?).0];
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in run(&arguments)?.lines() {
        let (mut record, parents) = record(line);
        let places_of = parents.split_whitespace().take(if range.first_parent { 1 } else { usize::MAX });
        // a parent that is none of the list is part of the old end's history
        record.parents = places_of.map(|parent| places.get(parent).copied().unwrap_or(0)).collect();
        record.parents.dedup();
        if record.parents.is_empty() {
            record.parents.push(0);
        }
        places.insert(record.id.clone(), list.len());
        list.push(record);
    }
    if list.len() > 1 && list.last().is_none_or(|last| last.id != new) {
        // with paths the new end itself may be no candidate; without it nothing would hold all changes
        let mut tips: Vec<bool> = vec![true; list.len()];
        list.iter().flat_map(|record| &record.parents).for_each(|parent| tips[*parent] = false);
        let (mut end, _) = record(&run(&["log", "-1", FORMAT, new, "--"])?);
        end.parents = (0..list.len()).filter(|place| tips[*place]).collect();
        end.subject = format!("any change to other paths, up to this one: {}", end.subject);
        list.push(end);
    }
    Ok(list)
}

/// One line of the log, and the hashes of the parents.
fn record(line: &str) -> (CandidateRecord, String) {
    let mut fields = line.splitn(5, '\u{1f}').map(str::to_owned);
    let mut next = || fields.next().unwrap_or_default();
    let (id, parents, author, date, subject) = (next(), next(), next(), next(), next());
    let record = CandidateRecord { name: short(&id), id, parents: Vec::new(), subject, author, date };
    (record, parents)
}

/// The commit that a name means.
fn commit(repository: &Path, option: &'static str, name: &str) -> Result<String, TreeError> {
    let asked = format!("{name}^{{commit}}");
    git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &asked])?
        .map_err(|_| TreeError::NoCommit { option, name: name.to_owned(), path: repository.to_owned() })
}

/// A commit's short name.
pub fn short(hash: &str) -> String {
    hash.chars().take(DIGITS).collect()
}

/// Runs git. The inner error is what it said.
fn git(repository: &Path, arguments: &[&str]) -> Result<Result<String, String>, TreeError> {
    let mut command = Command::new("git");
    // the user's own git, a hook for example, must not redirect this one
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command
        .arg("-C")
        .arg(repository)
        // a status must not write the index back
        .args(["--no-optional-locks", "-c", "log.showSignature=false", "-c", "core.quotePath=false"])
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| TreeError::Git {
            what: arguments[0].to_owned(),
            said: match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "git is not installed; `sudo apt-get install git` installs it".to_owned()
                }
                _ => error.to_string(),
            },
        })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Ok(match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    })
}
