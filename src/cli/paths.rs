//! Where things lie: the cache, the suites, the catalogues, the reports.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::CliError;
use crate::builtin;
use crate::config::FILE_NAME;
use crate::kernel::cache_folder;
use crate::machine::Machines;

/// Folders, the same for every subcommand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Folders")]
pub struct PathArgs {
    /// Where kernels, programs and images are kept [default: kregress in the user's cache folder]
    #[arg(long, global = true, env = "KREGRESS_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where the suites are [default: suites/ of the project, else those built in]
    #[arg(long, global = true, env = "KREGRESS_SUITES", value_name = "DIR")]
    suites: Option<PathBuf>,
    /// Where the kernel catalogues are [default: kernels/ of the project, then those built in]
    #[arg(long, global = true, env = "KREGRESS_KERNEL_CATALOGUES", value_name = "DIR")]
    catalogues: Option<PathBuf>,
    /// Where the machines are [default: vm/ of the project, then those built in]
    #[arg(long, global = true, env = "KREGRESS_MACHINES", value_name = "DIR")]
    machines: Option<PathBuf>,
    /// The cache that was used, for [`PathArgs::sweep`].
    #[arg(skip)]
    used: OnceLock<PathBuf>,
}

/// The folders that make a project, without a configuration.
const PROJECT: [&str; 3] = ["suites", "kernels", "vm"];

impl PathArgs {
    /// The cache folder. What killed processes left in it is removed on the way.
    pub fn cache(&self) -> Result<PathBuf, CliError> {
        let cache = self.cache.clone().unwrap_or_else(cache_folder);
        let cache =
            std::path::absolute(&cache).map_err(|e| CliError::setup(format!("{}: {e}", cache.display())))?;
        if self.used.set(cache.clone()).is_ok() {
            self.sweep();
        }
        Ok(cache)
    }

    /// Removes what nobody holds of the cache's temporary folders, if a cache was used. At the end of a command that is what
    /// could not be removed when it was no longer wanted: also that takes descriptors.
    pub fn sweep(&self) {
        if let Some(cache) = self.used.get() {
            crate::scratch::Scratch::new(cache).sweep();
        }
    }

    /// The options by which another process of this command has the same folders.
    pub fn words(&self) -> Vec<String> {
        let options = [
            ("--cache", &self.cache),
            ("--suites", &self.suites),
            ("--catalogues", &self.catalogues),
            ("--machines", &self.machines),
        ];
        let given = options.into_iter().filter_map(|(option, folder)| Some((option, folder.as_ref()?)));
        given.flat_map(|(option, folder)| [option.to_owned(), folder.display().to_string()]).collect()
    }

    /// The folders with suites, the one that counts first.
    pub fn suites(&self) -> Result<Vec<PathBuf>, CliError> {
        self.layers(self.suites.as_ref(), PROJECT[0])
    }

    /// The folder for suites of one's own: what was given, else the project's, which need not be there yet.
    pub fn own_suites(&self) -> PathBuf {
        self.suites.clone().unwrap_or_else(|| project().join(PROJECT[0]))
    }

    /// The folders with catalogues, the one that counts first.
    pub fn catalogues(&self) -> Result<Vec<PathBuf>, CliError> {
        self.layers(self.catalogues.as_ref(), PROJECT[1])
    }

    /// The machines of all folders.
    pub fn machines(&self) -> Result<Machines, CliError> {
        let folders = self.layers(self.machines.as_ref(), PROJECT[2])?;
        Machines::load_all(&folders).map_err(CliError::located)
    }

    /// What was given, else the project's own folder in front of the built-in one.
    fn layers(&self, given: Option<&PathBuf>, name: &str) -> Result<Vec<PathBuf>, CliError> {
        if let Some(given) = given {
            return Ok(vec![given.clone()]);
        }
        let own = project().join(name);
        let own = own.is_dir().then_some(own);
        let cache = self.cache()?;
        match builtin::folder(&cache) {
            Ok(folder) => Ok(own.into_iter().chain([folder.join(name)]).collect()),
            // a project does without them
            Err(_) if own.is_some() => Ok(own.into_iter().collect()),
            Err(error) => {
                let shown = cache.display();
                let help = "KREGRESS_CACHE chooses another folder";
                Err(CliError::setup(format!(
                    "the built-in {name} cannot be placed in {shown}: {error}; {help}"
                )))
            }
        }
    }
}

/// The project around the current folder: the nearest folder upward that has a configuration or all of [`PROJECT`], else
/// the current one.
fn project() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let has_folders = |folder: &Path| PROJECT.iter().all(|name| folder.join(name).is_dir());
    let is_project = |folder: &&Path| folder.join(FILE_NAME).is_file() || has_folders(folder);
    match here.ancestors().find(is_project) {
        Some(folder) if folder != here => folder.to_owned(),
        // places are then shown as people write them
        _ => PathBuf::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        paths: PathArgs,
    }

    #[test]
    fn what_could_not_be_removed_during_a_command_is_removed_at_its_end() {
        let place = tempfile::tempdir().unwrap();
        let Only { paths } = Only::parse_from(["kregress", "--cache", place.path().to_str().unwrap()]);
        let left = place.path().join("scratch/dir-left");
        std::fs::create_dir_all(&left).unwrap();
        paths.sweep();
        assert!(left.exists(), "this command used no cache");
        paths.cache().unwrap();
        assert!(!left.exists());
        // as a folder is left whose files could not be listed for want of descriptors
        std::fs::create_dir(&left).unwrap();
        paths.sweep();
        assert!(!left.exists());
    }
}
