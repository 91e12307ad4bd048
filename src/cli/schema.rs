//! `kregress schema`: the JSON Schemas of the files that people write, for their editors.

use super::error::CliError;
use crate::report::ExitStatus;
use crate::{config, kernel, machine, suite};

/// Print the JSON Schema of a kind of file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An editor with a YAML language server checks a file that begins with the line
  # yaml-language-server: $schema=suite.schema.json

Examples:
  kregress schema suite > suites/suite.schema.json
  kregress schema config > kregress.schema.json")]
pub struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum)]
    kind: SchemaKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SchemaKind {
    /// suites/*.yaml
    Suite,
    /// kernels/*.yaml
    Catalogue,
    /// vm/*.yaml
    Machine,
    /// kregress.yaml
    Config,
}

/// Prints the schema.
pub fn run(args: &SchemaArgs) -> Result<ExitStatus, CliError> {
    let schema = match args.kind {
        SchemaKind::Suite => suite::schema(),
        SchemaKind::Catalogue => kernel::catalogue_schema(),
        SchemaKind::Machine => machine::schema(),
        SchemaKind::Config => config::schema(),
    };
    println!("{}", serde_json::to_string_pretty(&schema).map_err(CliError::setup)?);
    Ok(ExitStatus::Success)
}
