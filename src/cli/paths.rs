//! Where things lie: the cache, the suites, the catalogues, the reports.

use std::path::PathBuf;

use super::error::CliError;
use crate::kernel::cache_folder;

/// Folders, the same for every subcommand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Folders")]
pub struct PathArgs {
    /// Where kernels, programs and images are kept [default: kregress in the user's cache folder]
    #[arg(long, global = true, env = "KREGRESS_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where the suites are
    #[arg(long, global = true, env = "KREGRESS_SUITES", value_name = "DIR", default_value = "suites")]
    pub suites: PathBuf,
    /// Where the kernel catalogues are
    #[arg(
        long,
        global = true,
        env = "KREGRESS_KERNEL_CATALOGUES",
        value_name = "DIR",
        default_value = "kernels"
    )]
    pub catalogues: PathBuf,
    /// Where the machines are
    #[arg(long, global = true, env = "KREGRESS_MACHINES", value_name = "DIR", default_value = "vm")]
    pub machines: PathBuf,
}

impl PathArgs {
    /// The cache folder. What killed processes left in it is removed on the way.
    pub fn cache(&self) -> Result<PathBuf, CliError> {
        let cache = self.cache.clone().unwrap_or_else(cache_folder);
        let cache =
            std::path::absolute(&cache).map_err(|e| CliError::setup(format!("{}: {e}", cache.display())))?;
        crate::scratch::Scratch::new(&cache).sweep();
        Ok(cache)
    }
}
