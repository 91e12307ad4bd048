//! What is handed in: the queue, checked, and tried on its tree.

use std::io::Read;
use std::path::Path;

use crate::cancel::Cancel;
use crate::cli::error::CliError;
use crate::event::queue::{Aside, HowRead, Missing};
use crate::kernel::compile::{BuildRequest, BuildSource};
use crate::kernel::{FetchProgress, Library};
use crate::patch::queue::at_commit;
use crate::patch::{Folder, GitTree, Input, Options, Pick, Queue, Source, source};
use crate::plural::counted;
use crate::queue::{self, Base, Reading, TreeHistory, Upstream};

/// A queue as it was handed in.
pub struct Handed {
    /// The patches.
    pub queue: Queue,
    /// What came on standard input.
    pub stdin: Option<Vec<u8>>,
}

impl Handed {
    /// Reads a queue.
    ///
    /// # Errors
    /// It is none, it is empty, or one of its patches is missing.
    pub fn read(text: &str, how: &HowRead) -> Result<Handed, CliError> {
        let pick = how.pick.as_deref().map(str::parse::<Pick>).transpose().map_err(CliError::usage)?;
        let pick = pick.unwrap_or_default();
        let (queue, stdin) = if text == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map_err(|error| CliError::setup(format!("cannot read standard input: {error}")))?;
            let input = Input::read("standard input", &bytes).map_err(CliError::setup)?;
            (Queue::of(&input, &pick).map_err(CliError::setup)?, Some(bytes))
        } else {
            (Queue::open(text, &pick).map_err(CliError::setup)?, None)
        };
        if let Some(hole) = queue.hole() {
            let text = format!(
                "{}: {hole}: a queue with a hole says nothing of the patches behind it; fetch what is missing, or choose \
                 with --pick what to test",
                queue.name
            );
            return Err(CliError::setup(text));
        }
        if queue.patches.is_empty() {
            return Err(CliError::setup(format!("{}: no patch is left to test", queue.name)));
        }
        Ok(Handed { queue, stdin })
    }
}

/// A queue on its tree.
pub struct QueueInput {
    /// The queue as it was read.
    pub handed: Handed,
    /// The kernel without any patch.
    pub tree: BuildRequest,
    /// The commit of the tree, where it has one; else empty.
    pub commit: String,
    /// Its version, as far as it is known.
    pub version: String,
    /// What became of the patches.
    pub reading: Reading,
    /// What upstream has besides.
    pub missing: Vec<Missing>,
    /// What is to be said besides.
    pub notes: Vec<String>,
}

/// How patches may be applied.
pub fn options(how: &HowRead) -> Options {
    Options { repair: how.repair, fuzz: usize::from(how.fuzz) }
}

/// Shows the source of a kernel, and the repository and commit that it is, if any.
///
/// # Errors
/// The source is unavailable.
fn look<T>(
    tree: &BuildRequest,
    library: &Library,
    progress: &dyn FetchProgress,
    cancel: &Cancel,
    look: impl FnOnce(&dyn Source, Option<(&Path, &str)>) -> T,
) -> Result<T, CliError> {
    let failed = |text: String| CliError::setup(format!("--onto {}: {text}", tree.name));
    match &tree.source {
        BuildSource::Git { repository, reference } if tree.patches.is_empty() => {
            let source = GitTree::new(repository, reference).ok_or_else(|| {
                failed(format!("the repository {} has no commit `{reference}`", repository.display()))
            })?;
            Ok(look(&source, Some((repository, source.commit()))))
        }
        source => {
            let folder = match source {
                BuildSource::Folder(folder) => Some(folder).filter(|folder| folder.join(".git").exists()),
                _ => None,
            };
            let own = folder.and_then(|folder| Some((folder, GitTree::new(folder, "HEAD")?)));
            let history = own.as_ref().map(|(folder, head)| (folder.as_path(), head.commit()));
            let shown = |path: &Path| look(&Folder::new(path), history);
            library
                .builder()
                .inspect(tree, progress, cancel, shown)
                .map_err(|error| failed(error.to_string()))
        }
    }
}

impl QueueInput {
    /// Tries a queue on its tree.
    ///
    /// # Errors
    /// The tree is unavailable, or the queue is for another one.
    pub fn on(
        handed: Handed,
        tree: BuildRequest,
        how: &HowRead,
        upstream: Option<&str>,
        library: &Library,
        progress: &dyn FetchProgress,
        cancel: &Cancel,
    ) -> Result<QueueInput, CliError> {
        let queue = &handed.queue;
        let tried = look(&tree, library, progress, cancel, |source, history| {
            let line = source::line(source);
            let patches = queue.for_line(line).map_err(|why| {
                let hint = "choose with --pick, as in --pick 6.1";
                CliError::setup(format!("{}: {why} ({}); {hint}", queue.name, tree.name))
            })?;
            let base = Base::of(queue, &tree.name, history);
            let known = history.map(|(repository, commit)| TreeHistory::new(repository, commit));
            let reading = Reading::new(queue, &patches, source, known.as_ref(), options(how), tree.arch);
            let commit = history.map_or(String::new(), |(_, commit)| commit.to_owned());
            let missing = match upstream {
                None => Vec::new(),
                Some(named) => {
                    let (repository, reference) = self::upstream(named)?;
                    let line = line.map(|line| line.0);
                    Upstream { repository: &repository, reference: &reference, tree: known.as_ref(), line }
                        .missing(&reading)
                }
            };
            Ok((reading, base, commit, missing))
        });
        let (reading, base, commit, missing) = tried??;
        let lost = reading.set_aside.iter().filter(|one| one.kind == Aside::DoesNotApply).count();
        if !base.lacks.is_empty() && lost > 0 {
            let text = format!(
                "{}: made for another base: {}. It was not tested, as {lost} of its {} patches {} not apply to {}",
                queue.name,
                base.lacks.join("; "),
                reading.patches.len() + lost,
                if lost == 1 { "does" } else { "do" },
                tree.name
            );
            return Err(CliError::setup(text));
        }
        let version = tree.source.version().map(|version| version.to_string()).unwrap_or_default();
        let notes = queue.notes.iter().cloned().chain(base.lacks).chain(base.notes).collect();
        Ok(QueueInput { handed, tree, commit, version, reading, missing, notes })
    }

    /// What was read and what became of it, for a terminal.
    pub fn text(&self) -> String {
        let QueueInput { handed: Handed { queue, .. }, tree, reading, .. } = self;
        let tested = reading.patches.len();
        let all = tested + reading.set_aside.len();
        let version = if self.version.is_empty() { String::new() } else { format!(" ({})", self.version) };
        let mut out = format!("{}: {}, {}\n", queue.name, queue.kind.words(), counted(all, "patch"));
        out += &format!("onto {}{version}\n\n{}", tree.name, queue::table(reading));
        if !self.missing.is_empty() {
            out += "\nupstream has, and neither the tree nor the queue:\n";
            self.missing.iter().for_each(|one| out += &format!("  {one}\n"));
        }
        for note in &self.notes {
            out += &format!("note: {note}\n");
        }
        let are = if all == 1 { "1 patch is".to_owned() } else { format!("{all} patches are") };
        out + &format!("\n{tested} of {are} tested\n")
    }
}

/// The repository and branch of `--upstream`.
fn upstream(named: &str) -> Result<(std::path::PathBuf, String), CliError> {
    let (repository, reference) = at_commit(named)
        .map_or((std::path::PathBuf::from(named), "HEAD"), |(folder, reference)| (folder, reference));
    match GitTree::new(&repository, reference) {
        Some(tree) => Ok((repository, tree.commit().to_owned())),
        None => Err(CliError::setup(format!(
            "--upstream {named}: no git repository with a commit `{reference}`; expected REPOSITORY or REPOSITORY@BRANCH"
        ))),
    }
}
