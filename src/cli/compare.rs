//! `kregress compare`: what changed between two runs, or between two kernels of a run.

use super::error::CliError;
use super::format::{ReportFormat, parser, print};
use super::guests::ReportArgs;
use crate::compare::{Comparison, kernels, runs};
use crate::journal::RunDir;
use crate::render::{Kind, Subject};
use crate::report::matrix::MatrixStyle;
use crate::report::{ExitStatus, RunSummary};

/// Compares two runs, or two kernels of one run. Exits with 100 when something got worse, with 102 when something
/// may have or cannot be compared.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// A run (`latest`, an id, its last four digits, a folder), several with commas between them, or the name of a kernel
    before: String,
    /// The same, for the other side
    after: String,
    /// The run that has both kernels
    #[arg(long, default_value = "latest")]
    run: String,
    /// How to print it
    #[arg(long, value_parser = parser(Kind::Comparison), default_value = "text")]
    format: ReportFormat,
    #[command(flatten)]
    output: ReportArgs,
}

/// Runs the command.
///
/// # Errors
/// There is no such run or kernel, or a journal is damaged.
pub fn run(args: &CompareArgs) -> Result<ExitStatus, CliError> {
    let comparison = comparison(args)?;
    let subject = Subject::Comparison(&comparison);
    print(args.format.0, &subject, MatrixStyle::for_stdout(), &mut std::io::stdout())
        .map_err(CliError::setup)?;
    Ok(comparison.exit_status())
}

fn comparison(args: &CompareArgs) -> Result<Comparison, CliError> {
    let of = |dirs: &Vec<RunDir>| RunSummary::of_runs(dirs).map(|(run, _)| run).map_err(CliError::setup);
    let find = |asked: &str| RunDir::find_all(&args.output.reports, asked);
    match (find(&args.before), find(&args.after)) {
        (Ok(before), Ok(after)) => runs(&of(&before)?, &of(&after)?).map_err(CliError::setup),
        // one of them is a run: the other name is a mistake
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => Err(CliError::setup(error)),
        (Err(_), Err(_)) => {
            let run = of(&find(&args.run).map_err(CliError::setup)?)?;
            let found = kernels(&run, &args.before, &args.after).map_err(CliError::setup)?;
            found.ok_or_else(|| {
                let text = format!(
                    "`{}` and `{}` are no runs in {}, and run {} does not have both as kernels; it has {}",
                    args.before,
                    args.after,
                    args.output.reports.display(),
                    run.id,
                    run.kernels().join(", ")
                );
                CliError::setup(text)
            })
        }
    }
}
