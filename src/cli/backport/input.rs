//! What is handed in: a file, standard input, a folder of patches, or commits of a repository.

use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::patch::queue::at_commit;
use crate::patch::{PatchMail, Pick, Queue, git};

/// The patch or series that is meant, with where it came from.
pub struct InputPatches {
    /// The patches, in order.
    pub queue: Queue,
    /// The commit that was named, and the repository that has it.
    pub commit: Option<(PathBuf, String)>,
}

impl InputPatches {
    /// Reads `text`: a file, `-`, a folder, or REPOSITORY@COMMIT, where a range of commits is a series.
    ///
    /// # Errors
    /// It cannot be read, or a patch of the series is missing and none was picked: a kernel with half of a fix proves
    /// nothing.
    pub fn read(text: &str, pick: &Pick) -> Result<InputPatches, CliError> {
        let queue = Queue::open(text, pick).map_err(CliError::setup)?;
        if let Some(hole) = queue.hole() {
            let text = format!("{}: {hole}; fetch it, or choose patches with --pick", queue.name);
            return Err(CliError::setup(text));
        }
        if !queue.alternatives.is_empty() {
            let lines = queue.alternatives.join(", ");
            let text = format!(
                "{}: patches for several lines, {lines}; choose with --pick, as in --pick 6.1",
                queue.name
            );
            return Err(CliError::setup(text));
        }
        let is_file = std::path::Path::new(text).exists();
        let commit = at_commit(text).filter(|_| !is_file);
        let commit = commit.and_then(|(folder, commit)| git::resolve(&folder, commit).map(|id| (folder, id)));
        Ok(InputPatches { queue, commit })
    }

    /// The patches to apply.
    pub fn patches(&self) -> Vec<&PatchMail> {
        self.queue.mails()
    }

    /// The subject of a patch as it was sent.
    pub fn subject(&self, patch: &PatchMail) -> String {
        patch.sent_as.clone().unwrap_or_else(|| patch.title().to_owned())
    }
}
