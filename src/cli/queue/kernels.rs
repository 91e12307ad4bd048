//! The kernels with a part of the queue: the patches put together in memory, and compiled in one tree.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::input::QueueInput;
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::kernel::compile::{BuildError, BuildRequest, Builder, Patch};
use crate::kernel::{FetchProgress, Kernel, Stage};
use crate::patch::queue::{self, Queued};
use crate::patch::{Options, unified};
use crate::plan::PlacedTest;
use crate::queue::{BuiltKernel, QueueKernels};

/// Endings of files that are part of a kernel only where a compiler reads them.
const COMPILED: [&str; 5] = [".c", ".h", ".S", ".rs", ".dts"];

/// Compiles them.
pub struct TreeKernels<'a> {
    /// The queue on its tree.
    pub input: &'a QueueInput,
    /// How patches may be applied.
    pub options: Options,
    /// What builds.
    pub builder: &'a Builder,
    /// Hears of it.
    pub progress: &'a (dyn FetchProgress + Sync),
    /// Ends it.
    pub cancel: &'a Cancel,
    /// Gives the tests their machines, knowing a kernel.
    pub place: &'a (dyn Fn(&Kernel) -> Vec<PlacedTest> + Sync),
    /// The last request that was built.
    pub last: Mutex<Option<BuildRequest>>,
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

impl TreeKernels<'_> {
    /// The tree with the patches in these places, as one patch that fits it to the letter.
    fn request(&self, name: &str, places: &[usize]) -> Result<BuildRequest, Failure> {
        let QueueInput { tree, reading, .. } = self.input;
        let mut request = BuildRequest { name: name.to_owned(), ..tree.clone() };
        let patches: Vec<Queued> = places.iter().map(|place| reading.kept[place - 1].clone()).collect();
        if patches.is_empty() {
            return Ok(request);
        }
        let applied = queue::apply(&patches, &reading.files, self.options);
        if let Some(lost) = applied.patches.iter().find(|one| !one.result.outcome.applies()) {
            let why = lost.result.why();
            return Err(Failure::Kernel(format!(
                "patch {} does not apply without the others: {why}",
                lost.number
            )));
        }
        let text = unified(&reading.files, &applied.whole);
        request.patches.push(Patch { name: format!("{} ({name})", self.input.handed.queue.name), text });
        Ok(request)
    }
}

impl QueueKernels for TreeKernels<'_> {
    fn kernel(&self, name: &str, patches: &[usize]) -> Result<BuiltKernel, Failure> {
        let request = self.request(name, patches)?;
        let counted = Counted { progress: self.progress, compiled: AtomicU64::new(0) };
        let kernel =
            self.builder.build(&request, &counted, self.cancel).map_err(|error| error.into_failure(words))?;
        let compiled = counted.compiled.into_inner();
        // the log of a kernel that was there is another build's
        let warnings = match compiled {
            0 => Vec::new(),
            _ => self.builder.warnings(&request).unwrap_or_default(),
        };
        *self.last.lock() = Some(request);
        Ok(BuiltKernel { kernel: Arc::new(kernel), compiled, warnings })
    }

    fn place(&self, kernel: &Kernel) -> Vec<PlacedTest> {
        (self.place)(kernel)
    }

    fn not_built(&self) -> Vec<(usize, String)> {
        let Some(request) = self.last.lock().clone() else { return Vec::new() };
        let made_from = self.builder.made_from(&request).unwrap_or_default();
        // nothing is known of a build that left nothing
        if made_from.is_empty() {
            return Vec::new();
        }
        let places = (1..).zip(&self.input.reading.kept);
        places.filter_map(|(place, queued)| Some((place, not_built(queued, &made_from)?))).collect()
    }
}

/// Why a patch is not part of what was built from these files, if so.
fn not_built(queued: &Queued, made_from: &BTreeSet<String>) -> Option<String> {
    let files = &queued.patch.decoded.files;
    let is_left_out = |file: &crate::patch::diff::FileDiff| {
        let path = file.path();
        // one that is gone may have been part of it before
        !file.deleted
            && !file.renamed()
            && COMPILED.iter().any(|ending| path.ends_with(ending))
            && !made_from.contains(path)
    };
    (!files.is_empty() && files.iter().all(is_left_out))
        .then(|| "none of its files is compiled in this configuration".to_owned())
}

/// What a journal's line says of a kernel that cannot be built: the compiler's first line about an error, with the file's path
/// as it is in the tree, and where the whole log is.
fn words(error: &BuildError) -> String {
    match error {
        BuildError::Compile { said, log, .. } => {
            let line = said.lines().find(|line| line.contains("error")).or(said.lines().next());
            let line = line.unwrap_or_default().trim();
            let line = line.split_once("/tree/").map_or(line, |(_, rest)| rest);
            let said: Vec<&str> = said.lines().take(8).collect();
            format!("{line}\n{}\nthe whole log is {}", said.join("\n"), log.display())
        }
        error => error.to_string().lines().take(12).collect::<Vec<_>>().join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Input, PatchMail};

    #[test]
    fn a_patch_is_left_out_where_no_compiler_reads_its_files() {
        let made_from = BTreeSet::from(["mm/slub.c".to_owned(), "include/linux/slab.h".to_owned()]);
        let said = |diff: &str| {
            let text = format!("From: a <a@b.c>\nSubject: [PATCH] x\n\nx\n---\n{diff}");
            let input = Input::read("x", text.as_bytes()).expect("a mail");
            let patch = PatchMail::all(&input).pop().expect("a patch");
            not_built(&Queued { number: 1, patch, left_out: None }, &made_from).is_some()
        };
        let change = |path: &str| format!("--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n");
        let gone = "diff --git a/fs/x.c b/fs/x.c\ndeleted file mode 100644\n--- a/fs/x.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n";
        for (diff, expected) in [
            (change("fs/ntfs3/super.c"), true),
            (change("fs/ntfs3/super.c") + &change("fs/ntfs3/ntfs.h"), true),
            (change("fs/ntfs3/super.c") + &change("mm/slub.c"), false),
            (change("include/linux/slab.h"), false),
            // these decide what is compiled
            (change("fs/ntfs3/Makefile"), false),
            (change("fs/ntfs3/Kconfig"), false),
            (gone.to_owned(), false),
        ] {
            assert_eq!(said(&diff), expected, "{diff}");
        }
    }
}
