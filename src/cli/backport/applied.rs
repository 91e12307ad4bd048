//! A patch on a tree: whether it applies, and the two kernels that follow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backport::{BuildVariant, Built, Kernels};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::kernel::compile::{BuildError, BuildRequest, BuildSource, Builder, Patch};
use crate::kernel::{FetchProgress, Stage};
use crate::patch::{
    Application, Folder, GitTree, HunkResult, Options, PatchMail, Source, apply_or_merge, unified,
};

/// What tells a patched kernel's name from that of its baseline.
const MARK: &str = "+patch";

/// A patch tried on a tree.
pub struct Applied {
    /// The unpatched kernel.
    pub baseline: BuildRequest,
    /// What came of applying.
    pub application: Application,
    /// Commits that the patch may need first, `id title`.
    pub lacking: Vec<String>,
    /// The change as a patch that fits the tree to the letter; absent where it does not apply.
    pub patch: Option<Patch>,
}

/// What is needed to try a patch on trees.
pub struct Applier<'a> {
    /// The patch or series.
    pub patches: &'a [&'a PatchMail],
    /// What it is called.
    pub input: &'a str,
    /// The commit that it is in its own repository.
    pub upstream: Option<&'a str>,
    /// What is allowed.
    pub options: Options,
    /// A repository with the files that patches are made for, besides the trees' own.
    pub history: Option<&'a GitTree>,
    /// Gives sources.
    pub builder: &'a Builder,
    /// Hears of downloads.
    pub progress: &'a dyn FetchProgress,
    /// Ends them.
    pub cancel: &'a Cancel,
    /// A folder for merges.
    pub scratch: &'a Path,
}

impl Applier<'_> {
    /// Tries the patch on a tree.
    ///
    /// # Errors
    /// The source is unavailable, in the builder's words, or a merge cannot be tried.
    pub fn on(&self, baseline: BuildRequest) -> Result<Applied, String> {
        let result = match &baseline.source {
            BuildSource::Git { repository, reference } if baseline.patches.is_empty() => {
                let tree = GitTree::new(repository, reference).ok_or_else(|| {
                    format!("the repository {} has no commit `{reference}`", repository.display())
                })?;
                self.apply(&tree, Some(&tree))
            }
            source => {
                let folder = match source {
                    BuildSource::Folder(folder) => Some(folder),
                    _ => None,
                };
                let own = folder.filter(|folder| folder.join(".git").exists());
                let own = own.and_then(|folder| GitTree::new(folder, "HEAD"));
                let look = |tree: &Path| self.apply(&Folder::new(tree), own.as_ref());
                self.builder
                    .inspect(&baseline, self.progress, self.cancel, look)
                    .map_err(|e| e.to_string())?
            }
        };
        let (application, lacking, patch) = result?;
        Ok(Applied { baseline, application, lacking, patch })
    }

    fn apply(
        &self,
        source: &dyn Source,
        own: Option<&GitTree>,
    ) -> Result<(Application, Vec<String>, Option<Patch>), String> {
        let histories: Vec<&GitTree> = own.into_iter().chain(self.history).collect();
        let application = apply_or_merge(self.patches, source, &histories, self.options, self.scratch)?;
        if !application.outcome.applies() {
            let lacking = own.map(|tree| self.lacking(tree, &application)).unwrap_or_default();
            return Ok((application, lacking, None));
        }
        let text = unified(source, &application);
        let patch = Patch { name: self.input.to_owned(), text };
        Ok((application, Vec::new(), Some(patch)))
    }

    /// Commits around the hunks that failed which the tree lacks.
    fn lacking(&self, tree: &GitTree, application: &Application) -> Vec<String> {
        let tagged = self.patches.iter().find_map(|patch| patch.tags.upstream.as_deref());
        let Some(upstream) = self.upstream.or(tagged) else { return Vec::new() };
        let mut lacking: Vec<String> = Vec::new();
        let hunks = self.patches.iter().flat_map(|patch| patch.decoded.hunks());
        for (file, hunk) in hunks {
            let failed = application.files.iter().filter(|one| one.path == file.path()).any(|one| {
                one.hunks
                    .iter()
                    .any(|(line, result)| *line == hunk.line && matches!(result, HunkResult::Failed(_)))
            });
            let Some(path) = file.old_path.as_deref().filter(|_| failed && hunk.old.len > 0) else {
                continue;
            };
            let last = hunk.old.start + hunk.old.len - 1;
            for commit in tree.lacking(upstream, path, hunk.old.start, last) {
                if !lacking.contains(&commit) {
                    lacking.push(commit);
                }
            }
        }
        lacking
    }
}

impl Applied {
    /// Why there is no patched tree, in a line.
    pub fn why_not(&self) -> String {
        let mut why = self.application.why();
        if !self.lacking.is_empty() {
            why += &format!("; it may need first: {}", self.lacking.join(", "));
        }
        why
    }

    /// The patched kernel.
    fn patched(&self) -> BuildRequest {
        let mut request = self.baseline.clone();
        request.name += MARK;
        request.patches.extend(self.patch.clone());
        request
    }
}

/// Builds the kernels of one tree.
pub struct TreeKernels<'a> {
    /// The tree.
    pub applied: &'a Applied,
    /// What builds.
    pub builder: &'a Builder,
    /// Hears of it.
    pub progress: &'a dyn FetchProgress,
    /// Ends it.
    pub cancel: &'a Cancel,
}

/// Counts what is compiled.
struct Counted<'a> {
    progress: &'a dyn FetchProgress,
    compiled: AtomicU64,
}

impl FetchProgress for Counted<'_> {
    fn report(&self, kernel: &str, stage: Stage) {
        if let Stage::Compile { done, .. } = &stage {
            self.compiled.fetch_max(*done, Ordering::Relaxed);
        }
        self.progress.report(kernel, stage);
    }
}

impl Kernels for TreeKernels<'_> {
    fn name(&self, half: BuildVariant) -> String {
        self.request(half).name
    }

    fn kernel(&self, half: BuildVariant) -> Result<Built, Failure> {
        let counted = Counted { progress: self.progress, compiled: AtomicU64::new(0) };
        let kernel = self
            .builder
            .build(&self.request(half), &counted, self.cancel)
            .map_err(|error| error.into_failure(words))?;
        Ok(Built { kernel: Arc::new(kernel), compiled: counted.compiled.into_inner() })
    }
}

impl TreeKernels<'_> {
    fn request(&self, half: BuildVariant) -> BuildRequest {
        match half {
            BuildVariant::Baseline => self.applied.baseline.clone(),
            BuildVariant::Patched => self.applied.patched(),
        }
    }
}

/// What an answer says of a tree that cannot be built.
fn words(error: &BuildError) -> String {
    match error {
        BuildError::Compile { said, log, hint, .. } => {
            let said: Vec<&str> = said.lines().map(str::trim).collect();
            let hint = hint.trim();
            let hint = if hint.is_empty() { String::new() } else { format!("\n{hint}") };
            format!("{}\nthe whole log is {}{hint}", said.join("\n"), log.display())
        }
        error => error.to_string(),
    }
}
