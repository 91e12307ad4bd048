//! blktests, from its source tree.

use std::path::PathBuf;

use suite_import::Import;
use suite_import::blktests::{self, Script};

use super::{Target, folder, scripts};
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct BlktestsArgs {
    /// A source tree of blktests
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Groups of its tests; `all` for all of them
    #[arg(value_name = "GROUP", default_value = "block")]
    groups: Vec<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) fn read(args: &BlktestsArgs) -> Result<Import, CliError> {
    let tree = folder(&args.path)?;
    let groups = match args.groups.iter().any(|group| group == "all") {
        true => scripts::folders(&tree, "blktests")?,
        false => args.groups.clone(),
    };
    let mut found = Vec::new();
    for group in &groups {
        // one without such a file has no requirements
        let common = scripts::read(&tree.join("tests").join(group).join("rc")).unwrap_or_default();
        for script in scripts::of(&tree, group, "blktests")? {
            found.push(Script { name: script.name, text: script.text, group: common.clone() });
        }
    }
    Ok(blktests::read(&found, &tree.display().to_string()))
}
