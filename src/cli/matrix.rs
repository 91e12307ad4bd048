//! `kregress matrix`: a plan as the job matrix of a CI system, within what it takes.

use std::fmt::Write;

use serde_json::json;

use super::config::Layer;
use super::error::CliError;
use super::paths::PathArgs;
use super::selection::{KernelArgs, TestArgs};
use crate::kernel::Library;
use crate::plan::jobs::{Job, by_kernel, by_slice};
use crate::report::ExitStatus;

/// Print a plan as the jobs of a CI system, each a `kregress run` of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each job has `name`, `kernels` (for -k), `partition` (for --partition) and `cells`.
docs/ci.md has whole workflows.

Examples:
  kregress matrix --format github --profile ci       a line for $GITHUB_OUTPUT
  kregress matrix --format gitlab -k each-line       a file for a child pipeline
  kregress matrix --format json --by slice --jobs 8  eight equal parts")]
pub struct MatrixArgs {
    #[command(flatten)]
    tests: TestArgs,
    #[command(flatten)]
    kernels: KernelArgs,
    /// For which system
    #[arg(long, value_enum)]
    format: MatrixFormat,
    /// What a job is
    #[arg(long, value_enum, default_value_t)]
    by: JobsBy,
    /// At most so many jobs [default: what the system takes: 256 of GitHub, 200 of GitLab]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MatrixFormat {
    /// GitHub Actions: one line, for `fromJSON` of a job's output
    Github,
    /// GitLab CI: a hidden job with `parallel: matrix:`, for the file of a child pipeline
    Gitlab,
    /// A list of jobs, one a line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum JobsBy {
    /// A kernel, or several where there are more than jobs
    #[default]
    Kernel,
    /// An equal slice of all cells
    Slice,
}

impl MatrixFormat {
    /// Most jobs: "a matrix will generate a maximum of 256 jobs per workflow run" (GitHub's documentation of
    /// `strategy.matrix`), `PARALLEL_LIMIT = 200` (GitLab, lib/gitlab/ci/config/entry/product/parallel.rb).
    fn most(self) -> usize {
        match self {
            MatrixFormat::Github => 256,
            MatrixFormat::Gitlab => 200,
            MatrixFormat::Json => usize::MAX,
        }
    }
}

/// Most bytes of a job's output on GitHub, counted as UTF-16.
const GITHUB_OUTPUT: usize = 1_000_000;

/// Prints the matrix.
pub fn run(args: &mut MatrixArgs, paths: &PathArgs, layer: &Layer<'_>) -> Result<ExitStatus, CliError> {
    layer.tests(&mut args.tests);
    layer.kernels(&mut args.kernels);
    let most = args.jobs.map_or(args.format.most(), |jobs| jobs as usize);
    if most > args.format.most() {
        let most = args.format.most();
        return Err(CliError::usage(format!(
            "--jobs {}: this system takes at most {most}",
            args.jobs.unwrap_or(0)
        )));
    }
    let tests = args.tests.tests(paths)?;
    let choice = args.tests.choice()?;
    if choice.needs_earlier_run() {
        return Err(CliError::filter(
            "`verdict()` and `duration()` ask for an earlier run, which the jobs do not have",
        ));
    }
    let library = Library::open(&paths.cache()?, &paths.catalogues()?).map_err(CliError::setup)?;
    let cells: Vec<(String, usize)> = args
        .kernels
        .wanted(&library)?
        .iter()
        .map(|kernel| {
            let version = kernel.version();
            let means = |test: &&std::sync::Arc<crate::suite::Test>| {
                choice.means(test, kernel.name(), version.as_ref())
            };
            (kernel.spec(), tests.iter().filter(means).count())
        })
        .collect();
    let jobs = match args.by {
        JobsBy::Kernel => by_kernel(&cells, most),
        JobsBy::Slice => by_slice(&cells, most),
    };
    if jobs.is_empty() {
        return Err(CliError::nothing(
            "no cell is meant: the filter leaves none of the kernels to any of the tests",
        ));
    }
    print!("{}", shown(&jobs, args.format)?);
    Ok(ExitStatus::Success)
}

fn shown(jobs: &[Job], format: MatrixFormat) -> Result<String, CliError> {
    match format {
        MatrixFormat::Github => github(jobs),
        MatrixFormat::Gitlab => Ok(gitlab(jobs)),
        MatrixFormat::Json => {
            let lines = jobs.iter().map(|job| Ok(format!("{}\n", serde_json::to_string(job)?)));
            lines.collect::<Result<String, serde_json::Error>>().map_err(CliError::setup)
        }
    }
}

fn github(jobs: &[Job]) -> Result<String, CliError> {
    let line = format!("{}\n", json!({"include": jobs}));
    let bytes = line.encode_utf16().count() * 2;
    match bytes > GITHUB_OUTPUT {
        true => Err(CliError::setup(format!(
            "the matrix has {bytes} bytes as UTF-16, and GitHub takes {GITHUB_OUTPUT} of a job's output: ask for fewer \
             --jobs, or for fewer kernels"
        ))),
        false => Ok(line),
    }
}

/// Variables are in the names of GitLab's jobs, which have at most 255 characters, so only a short one differs: the name.
/// What it stands for is looked up by the job's number.
fn gitlab(jobs: &[Job]) -> String {
    let mut text = "# made by kregress matrix\n.kregress-matrix:\n  parallel:\n    matrix:\n".to_owned();
    let quoted = |value: &str| serde_json::Value::from(value).to_string();
    for job in jobs {
        // writing to a string cannot fail
        let _ = writeln!(text, "      - KREGRESS_JOB: {}", quoted(&job.name));
    }
    let _ = write!(text, "  before_script:\n    - |\n      case \"$KREGRESS_JOB\" in\n");
    for Job { name, kernels, partition, .. } in jobs {
        let _ = writeln!(text, "        {}) KERNELS={} PARTITION={partition} ;;", word(name), word(kernels));
    }
    text.push_str("      esac\n");
    text
}

/// A word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(many: usize) -> Vec<Job> {
        let cells: Vec<(String, usize)> = (0..many).map(|nth| (format!("6.12.{nth}"), 2)).collect();
        by_kernel(&cells, many)
    }

    #[test]
    fn each_system_gets_its_form() {
        let shown = |format| shown(&jobs(2), format).unwrap();
        insta::assert_snapshot!(shown(MatrixFormat::Github), @r#"{"include":[{"cells":2,"kernels":"6.12.0","name":"6.12.0","partition":"slice:1/1"},{"cells":2,"kernels":"6.12.1","name":"6.12.1","partition":"slice:1/1"}]}"#);
        insta::assert_snapshot!(shown(MatrixFormat::Gitlab), @r#"
        # made by kregress matrix
        .kregress-matrix:
          parallel:
            matrix:
              - KREGRESS_JOB: "6.12.0"
              - KREGRESS_JOB: "6.12.1"
          before_script:
            - |
              case "$KREGRESS_JOB" in
                '6.12.0') KERNELS='6.12.0' PARTITION=slice:1/1 ;;
                '6.12.1') KERNELS='6.12.1' PARTITION=slice:1/1 ;;
              esac
        "#);
        insta::assert_snapshot!(shown(MatrixFormat::Json), @r#"
        {"name":"6.12.0","kernels":"6.12.0","partition":"slice:1/1","cells":2}
        {"name":"6.12.1","kernels":"6.12.1","partition":"slice:1/1","cells":2}
        "#);
    }

    #[test]
    fn what_github_does_not_take_is_refused() {
        let fits = |name: usize| {
            let mut jobs = jobs(2);
            jobs[0].kernels = "x".repeat(name);
            github(&jobs)
        };
        assert!(fits(400_000).is_ok());
        let error = fits(500_000).unwrap_err().to_string();
        assert!(error.contains("GitHub takes 1000000 of a job's output"), "{error}");
    }

    #[test]
    fn the_file_of_gitlab_is_yaml_whose_shell_knows_every_job() {
        let text = gitlab(&jobs(200));
        let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let read = &read[".kregress-matrix"];
        let names = read["parallel"]["matrix"].as_array().unwrap();
        assert_eq!(names.len(), 200);
        let script = read["before_script"][0].as_str().unwrap();
        for name in names.iter().map(|entry| entry["KREGRESS_JOB"].as_str().unwrap()).step_by(37) {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("{script}\necho \"$KERNELS $PARTITION\"")])
                .env("KREGRESS_JOB", name)
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name} slice:1/1\n"));
        }
    }
}
