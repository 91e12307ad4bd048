//! Whether a place in the history of a git repository contains a commit of mainline, itself or as a backport. The repository
//! is only read.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use kernel_fixes::{Backports, Evidence, Fix, Standing};
use parking_lot::Mutex;

/// A repository that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It is none.
    #[error("{path}: it is no git repository of the kernel: {said}", path = path.display())]
    NoRepository {
        /// What was named.
        path: PathBuf,
        /// What git says, or what is missing.
        said: String,
    },
    /// git cannot be run.
    #[error("git cannot be run: {0}; `sudo apt-get install git` installs it")]
    NoGit(std::io::Error),
}

/// A repository with a kernel's history, and the commits of it that are asked for.
#[derive(Debug)]
pub struct KernelTree {
    repository: PathBuf,
    /// Whether older commits are missing, so that none is known to be lacking.
    is_shallow: bool,
    /// By the id that was asked for: the whole id and the title.
    commits: HashMap<String, (String, String)>,
    /// By a base: those of the asked commits that it contains. Many kernels share one.
    contained: Mutex<HashMap<String, Contained>>,
}

/// Which of the asked commits a base contains; `None` where git could not tell.
type Contained = Option<Arc<HashSet<String>>>;

/// A kernel's place in the history.
#[derive(Clone, Debug)]
pub struct BranchPoint {
    /// What it is called: a tag, or a commit.
    name: String,
    /// The release of mainline that it is based on.
    base: String,
    /// The asked commits that the base contains.
    contained: Arc<HashSet<String>>,
    /// The commits since the base.
    backports: Arc<Backports>,
    /// How many.
    since: usize,
}

impl KernelTree {
    /// Opens a repository, to be asked for these commits.
    ///
    /// # Errors
    /// It is none, or there is no git.
    pub fn open(repository: &Path, asked: impl IntoIterator<Item = String>) -> Result<KernelTree, TreeError> {
        let no_repository = |said: String| TreeError::NoRepository { path: repository.to_owned(), said };
        if !repository.is_dir() {
            return Err(no_repository("there is no such folder".to_owned()));
        }
        let shallow = git(repository, &["rev-parse", "--is-shallow-repository"], None)
            .map_err(TreeError::NoGit)?
            .map_err(no_repository)?;
        let mut asked: Vec<String> = asked.into_iter().collect();
        asked.sort();
        asked.dedup();
        let commits = resolve(repository, &asked).map_err(TreeError::NoGit)?;
        Ok(KernelTree {
            repository: repository.to_owned(),
            is_shallow: shallow.trim() == "true",
            commits,
            contained: Mutex::default(),
        })
    }

    /// The title of a commit that was asked for, where the repository has it.
    pub fn title(&self, commit: &str) -> Option<&str> {
        self.commits.get(commit).map(|(_, title)| title.as_str())
    }

    /// The place that the first of these names is; `None` where the repository has none of them, or not the release of mainline
    /// that it is based on.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn place(&self, names: &[String]) -> Result<Option<BranchPoint>, TreeError> {
        for name in names {
            let commit = format!("{name}^{{commit}}");
            let found = self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
            if let Ok(hash) = found {
                return self.place_of(name, hash.trim());
            }
        }
        Ok(None)
    }

    fn place_of(&self, name: &str, hash: &str) -> Result<Option<BranchPoint>, TreeError> {
        // releases of mainline alone: v6.12, v6.13-rc3
        let describe = [
            "describe",
            "--tags",
            "--abbrev=0",
            "--match",
            "v[0-9]*",
            "--exclude",
            "v[0-9]*.[0-9]*.[0-9]*",
            hash,
        ];
        let Ok(base) = self.git(&describe)? else { return Ok(None) };
        let base = base.trim().to_owned();
        let (Some((backports, since)), Some(contained)) =
            (self.backports(&base, hash)?, self.contained_in(&base)?)
        else {
            return Ok(None);
        };
        let name = name.to_owned();
        Ok(Some(BranchPoint { name, base, contained, backports: Arc::new(backports), since }))
    }

    /// The asked commits that a base contains. One walk answers for all of them: what is reachable from them and not from the
    /// base is listed, and so are those of them that the base lacks.
    fn contained_in(&self, base: &str) -> Result<Contained, TreeError> {
        let mut known = self.contained.lock();
        if let Some(found) = known.get(base) {
            return Ok(found.clone());
        }
        let mut contained: HashSet<String> = self.commits.values().map(|(hash, _)| hash.clone()).collect();
        let mut input: String = contained.iter().map(|hash| format!("{hash}\n")).collect();
        input += &format!("^{base}\n");
        let mut child = command(&self.repository, &["rev-list", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(TreeError::NoGit)?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                contained.remove(line.trim());
            }
        }
        // an answer that was cut off would say that commits are there
        let is_whole = child.wait().is_ok_and(|status| status.success());
        let contained = is_whole.then(|| Arc::new(contained));
        known.insert(base.to_owned(), contained.clone());
        Ok(contained)
    }

    /// The commits since the base, and how many; `None` where git could not tell.
    fn backports(&self, base: &str, hash: &str) -> Result<Option<(Backports, usize)>, TreeError> {
        let mut backports = Backports::default();
        let range = format!("{base}..{hash}");
        let mut child = command(
            &self.repository,
            &["log", "-z", "--reverse", "--no-merges", "--format=%H%n%B", &range, "--"],
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(TreeError::NoGit)?;
        let mut number = 0;
        if let Some(stdout) = child.stdout.take() {
            for record in BufReader::new(stdout).split(0).map_while(Result::ok) {
                let text = String::from_utf8_lossy(&record);
                if let Some((commit, message)) = text.split_once('\n') {
                    backports.add(commit.trim(), message);
                    number += 1;
                }
            }
        }
        let is_whole = child.wait().is_ok_and(|status| status.success());
        Ok(is_whole.then_some((backports, number)))
    }

    fn git(&self, arguments: &[&str]) -> Result<Result<String, String>, TreeError> {
        git(&self.repository, arguments, None).map_err(TreeError::NoGit)
    }
}

impl BranchPoint {
    /// What the history up to here shows of these commits of mainline, which the tree was asked for.
    pub fn standing(&self, tree: &KernelTree, commits: &[String]) -> Standing {
        let parts = commits.iter().map(|commit| self.of_one(tree, commit));
        Standing::of_parts(parts)
    }

    fn of_one(&self, tree: &KernelTree, asked: &str) -> Standing {
        let known = tree.commits.get(asked);
        let mut fix = Fix::of_commits([known.map_or(asked, |(hash, _)| hash.as_str())]);
        let by_commit = self.backports.standing(&fix);
        if by_commit != Standing::Unknown {
            return by_commit;
        }
        let Some((hash, title)) = known else { return Standing::Unknown };
        if self.contained.contains(hash) {
            return Standing::Contains(Evidence { place: hash.clone(), words: title.clone() });
        }
        fix.commits.clear();
        fix.titles.push(title.clone());
        let by_title = self.backports.standing(&fix);
        if by_title != Standing::Unknown || tree.is_shallow {
            return by_title;
        }
        let words = format!("none of the {} commits since {} is it or names it", self.since, self.base);
        Standing::Lacks(Evidence { place: self.name.clone(), words })
    }
}

/// The whole ids and titles of those of these commits that the repository has.
fn resolve(repository: &Path, asked: &[String]) -> std::io::Result<HashMap<String, (String, String)>> {
    let input: String = asked.iter().map(|id| format!("{id}^{{commit}}\n")).collect();
    let found = git(repository, &["cat-file", "--batch-check=%(objectname)"], Some(&input))?;
    let hashes: Vec<(&String, String)> = asked
        .iter()
        .zip(found.unwrap_or_default().lines().map(str::to_owned))
        .filter(|(_, line)| line.len() >= 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    let input: String = hashes.iter().map(|(_, hash)| format!("{hash}\n")).collect();
    if input.is_empty() {
        return Ok(HashMap::new());
    }
    let titles = git(repository, &["log", "--no-walk=unsorted", "--stdin", "--format=%H %s"], Some(&input))?;
    let titles = titles.unwrap_or_default();
    let titles: HashMap<&str, &str> = titles.lines().filter_map(|line| line.split_once(' ')).collect();
    let titled = |(id, hash): (&String, String)| {
        let title = titles.get(hash.as_str()).copied().unwrap_or_default().to_owned();
        (id.clone(), (hash, title))
    };
    Ok(hashes.into_iter().map(titled).collect())
}

/// git, as no variable or setting of the user's can redirect it.
fn command(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command
        .arg("-C")
        .arg(repository)
        .args(["--no-optional-locks", "-c", "log.showSignature=false"])
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        // a partial clone would fetch what it lacks
        .env("GIT_NO_LAZY_FETCH", "1");
    command
}

/// Runs git. The inner error is what it said.
fn git(
    repository: &Path,
    arguments: &[&str],
    input: Option<&str>,
) -> std::io::Result<Result<String, String>> {
    let mut child = command(repository, arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = std::thread::scope(|scope| {
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // git that ends early reads no more
            scope.spawn(move || {
                let _ = stdin.write_all(input.as_bytes());
            });
        }
        child.wait_with_output()
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

#[cfg(test)]
mod tests;
