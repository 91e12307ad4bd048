//! xfstests, from its source tree.

use std::path::PathBuf;

use suite_import::Import;
use suite_import::xfstests::{self, Options, Script};

use super::{Target, folder, scripts};
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct XfstestsArgs {
    /// A source tree of xfstests
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Folders of its tests
    #[arg(value_name = "FOLDER", default_value = "generic")]
    folders: Vec<String>,
    /// The type of the file system that is tested
    #[arg(long, default_value = "ext4", value_name = "TYPE")]
    fstyp: String,
    /// Only tests of this group; `all` for all of them
    #[arg(long, default_value = "quick", value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) fn read(args: &XfstestsArgs) -> Result<Import, CliError> {
    let tree = folder(&args.path)?;
    let mut found = Vec::new();
    for name in &args.folders {
        let of_folder = scripts::of(&tree, name, "xfstests")?.into_iter();
        found.extend(of_folder.map(|script| Script { name: script.name, text: script.text }));
    }
    let group = (args.group != "all").then(|| args.group.clone());
    let options = Options { tree: tree.display().to_string(), fstyp: args.fstyp.clone(), group };
    Ok(xfstests::read(&found, &options))
}
