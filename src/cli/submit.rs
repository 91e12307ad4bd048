//! `kregress submit`: a plan on other hosts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::CliError;
use super::guests::{ReportArgs, parse_time};
use super::interrupt::{self, Ending};
use super::merge;
use crate::cancel::Cancel;
use crate::engine::{Engine, parts, slurm};
use crate::journal::RunDir;
use crate::plural::counted;
use crate::report::ExitStatus;
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;

/// Where a job's number is kept, in the folder of its round.
const JOB: &str = "job";

/// What a submission is of, in its folder.
const PLAN: &str = "plan.json";

/// Options of `kregress run` that are not the plan's, by their names there.
const OURS: [&str; 7] = ["partition", "balance", "rerun", "lost_only", "reports", "jobs", "exit_file"];

/// Run a plan in parts on other hosts
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    #[command(subcommand)]
    engine: Queue,
}

#[derive(Debug, clap::Subcommand)]
enum Queue {
    /// As an array of Slurm's jobs
    ///
    /// Each part is a job that runs `kregress run --partition`. What was lost (a job that was cancelled, a host that went away, a guest
    /// that did not come up) runs again in another round, without what has a verdict; what found a bug never does. In the end all
    /// runs are merged and reported, and the exit code is that of the merged run. The folder of the reports, this command and the
    /// cache have to be seen by all nodes at the same place.
    #[command(after_help = "\
Examples:
  kregress submit slurm --parts 8 -- -k each-line
  kregress submit slurm --parts 4 --sbatch=--mem=8G -- -s ltp -k 6.12.117
  kregress submit slurm --parts 4 --script-only -- block::   what would be sent
  kregress submit slurm --resume reports/submit-17           after it was killed")]
    Slurm(SlurmArgs),
}

#[derive(Debug, clap::Args)]
struct SlurmArgs {
    /// Into how many parts the plan is divided
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    parts: u32,
    /// Processors of each part
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,
    /// How often what was lost runs again
    #[arg(long, default_value_t = 2, value_name = "N")]
    rounds: u32,
    /// A further option for sbatch, such as --sbatch=--mem=8G
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// How often Slurm is asked what has ended
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = parse_time)]
    poll: Duration,
    /// Print the script of the first round, and submit nothing
    #[arg(long)]
    script_only: bool,
    /// Go on with what this folder holds, after this command was killed
    #[arg(long, value_name = "FOLDER")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    output: ReportArgs,
    /// The plan: options and filters of `kregress run`
    #[arg(last = true, value_name = "PLAN")]
    plan: Vec<String>,
}

/// What is divided into parts, and how: all that a later process needs to go on.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Plan {
    /// This command, with options for all of its subcommands.
    command: Vec<String>,
    /// Words of `kregress run`.
    plan: Vec<String>,
    parts: u32,
    cpus: u32,
    /// Where the command was given.
    place: PathBuf,
    /// Further options for sbatch.
    sbatch: Vec<String>,
}

impl Plan {
    fn of(args: &SlurmArgs, global: Vec<String>) -> Result<Plan, CliError> {
        let command = std::env::current_exe().map_err(|e| CliError::setup(format!("this command: {e}")))?;
        let place =
            std::env::current_dir().map_err(|e| CliError::setup(format!("the current folder: {e}")))?;
        Ok(Plan {
            command: [vec![command.display().to_string()], global].concat(),
            plan: args.plan.clone(),
            parts: args.parts,
            cpus: args.cpus,
            place,
            sbatch: args.sbatch.clone(),
        })
    }

    /// What the folder of an earlier submission says.
    fn read(folder: &Path) -> Result<Plan, CliError> {
        let path = folder.join(PLAN);
        let text = fs::read_to_string(&path).map_err(|e| {
            CliError::setup(format!("--resume {}: {e}; is it a folder of `submit`?", path.display()))
        })?;
        serde_json::from_str(&text).map_err(|e| CliError::setup(format!("{}: {e}", path.display())))
    }

    fn write(&self, folder: &Path) -> Result<(), CliError> {
        let path = folder.join(PLAN);
        let text = serde_json::to_string_pretty(self).map_err(CliError::setup)?;
        crate::atomic_file::write(&path, text.as_bytes()).map_err(|e| setup(&path, &e))
    }

    /// The script of a round whose files lie in `round`.
    fn script(&self, round: &Path, earlier: &[(u32, String)]) -> String {
        slurm::Script {
            command: &self.command,
            plan: &self.plan,
            parts: self.parts,
            cpus: self.cpus,
            place: &self.place,
            folder: round,
            earlier,
        }
        .text()
    }
}

/// Does it. `global` are the options of this command that each part gets as well.
pub fn run(args: &SubmitArgs, global: Vec<String>) -> Result<ExitStatus, CliError> {
    let Queue::Slurm(args) = &args.engine;
    if args.resume.is_some() && !args.plan.is_empty() {
        return Err(CliError::usage(
            "--resume goes on with the plan that its folder holds; leave out the one behind --",
        ));
    }
    check_plan(&args.plan)?;
    let reports = std::path::absolute(&args.output.reports).map_err(|e| setup(&args.output.reports, &e))?;
    if args.script_only {
        let round = reports.join("submit").join("0");
        if let Some(why) = slurm::unusable(&round) {
            return Err(CliError::setup(why));
        }
        print!("{}", Plan::of(args, global)?.script(&round, &[]));
        return Ok(ExitStatus::Success);
    }
    if let Some(why) = slurm::unusable(&reports) {
        return Err(CliError::setup(why));
    }
    let (folder, plan) = match &args.resume {
        Some(folder) => {
            let folder = std::path::absolute(folder).map_err(|e| setup(folder, &e))?;
            let plan = Plan::read(&folder)?;
            (folder, plan)
        }
        None => {
            let plan = Plan::of(args, global)?;
            let folder = new_folder(&reports)?;
            plan.write(&folder)?;
            (folder, plan)
        }
    };
    let cancel = Cancel::new();
    let _hidden = interrupt::watch(Ending::Jobs, None, &cancel, || {})?;
    let engine = slurm::Slurm { options: plan.sbatch.clone() };
    let submission = Submission { args, plan: &plan, engine: &engine, folder: &folder, cancel: &cancel };
    submission.run()?;
    let dirs: Vec<RunDir> = submission.rounds().iter().flat_map(|round| runs_of(round)).collect();
    if dirs.is_empty() {
        let text =
            format!("no part came to run anything; the jobs' own words are below {}", folder.display());
        return Err(CliError::setup(text));
    }
    let merging = merge::Merging { root: &reports, ignore_known: false, junit_known: JunitKnown::default() };
    let mut out = std::io::stdout();
    let status = merging.merge(&dirs, &mut out, MatrixStyle::for_stdout()).map_err(CliError::setup)?;
    Ok(if cancel.is_set() { ExitStatus::Interrupted } else { status })
}

fn setup(path: &Path, error: &std::io::Error) -> CliError {
    CliError::setup(format!("{}: {error}", path.display()))
}

/// A plan that `kregress run` takes, with nothing in it that is said here.
fn check_plan(plan: &[String]) -> Result<(), CliError> {
    let words = ["kregress", "run"].map(str::to_owned).into_iter().chain(plan.iter().cloned());
    let found = super::definition().try_get_matches_from(words).map_err(|error| {
        CliError::usage(format!("the plan is none for `kregress run`: {}", error.to_string().trim_end()))
    })?;
    let Some(("run", found)) = found.subcommand() else { return Ok(()) };
    let given = |name: &&&str| {
        found.try_contains_id(name).is_ok_and(|there| there)
            && found.value_source(name) == Some(ValueSource::CommandLine)
    };
    match OURS.iter().find(given) {
        Some(name) => {
            let name = name.replace('_', "-");
            Err(CliError::usage(format!(
                "the plan has an option ({name}) that each part is given here; leave it out"
            )))
        }
        None => Ok(()),
    }
}

fn new_folder(reports: &Path) -> Result<PathBuf, CliError> {
    fs::create_dir_all(reports).map_err(|e| setup(reports, &e))?;
    for number in 1.. {
        let folder = reports.join(format!("submit-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(setup(&folder, &error)),
        }
    }
    unreachable!("there are more numbers than folders")
}

/// The runs of all starts of a round.
fn runs_of(round: &Path) -> Vec<RunDir> {
    parts::starts(round).iter().flat_map(|start| RunDir::all(&start.folder)).collect()
}

struct Submission<'a> {
    args: &'a SlurmArgs,
    plan: &'a Plan,
    engine: &'a dyn Engine,
    folder: &'a Path,
    cancel: &'a Cancel,
}

impl Submission<'_> {
    /// The folders of the rounds so far.
    fn rounds(&self) -> Vec<PathBuf> {
        let rounds = (0..).map(|round: u32| self.folder.join(round.to_string()));
        rounds.take_while(|round| round.is_dir()).collect()
    }

    /// Round after round, until nothing is lost or enough were made.
    fn run(&self) -> Result<(), CliError> {
        let mut wanted: Vec<(u32, Option<PathBuf>)> =
            (1..=self.plan.parts).map(|part| (part, None)).collect();
        for round in 0..=self.args.rounds {
            let folder = self.folder.join(round.to_string());
            let parts: BTreeSet<u32> = wanted.iter().map(|(part, _)| *part).collect();
            let job = match fs::read_to_string(folder.join(JOB)) {
                Ok(job) => job.trim().to_owned(),
                Err(_) => self.submit(&folder, &parts, &wanted)?,
            };
            self.wait(&job, parts.len())?;
            if self.cancel.is_set() {
                return Ok(());
            }
            wanted = parts::again(&folder, &parts).map_err(CliError::setup)?;
            if wanted.is_empty() {
                return Ok(());
            }
            let lost: Vec<String> = wanted.iter().map(|(part, _)| part.to_string()).collect();
            eprintln!("{:>12} cells of part {}", "Lost", lost.join(", "));
        }
        Ok(())
    }

    fn submit(
        &self,
        folder: &Path,
        parts: &BTreeSet<u32>,
        wanted: &[(u32, Option<PathBuf>)],
    ) -> Result<String, CliError> {
        fs::create_dir_all(folder).map_err(|e| setup(folder, &e))?;
        let earlier =
            wanted.iter().filter_map(|(part, run)| Some((*part, run.as_ref()?.display().to_string())));
        let text = self.plan.script(folder, &earlier.collect::<Vec<_>>());
        let file = folder.join("job.sh");
        crate::atomic_file::write(&file, text.as_bytes()).map_err(|e| setup(&file, &e))?;
        let job = self.engine.submit(&file, parts).map_err(CliError::setup)?;
        crate::atomic_file::write(&folder.join(JOB), format!("{job}\n").as_bytes())
            .map_err(|e| setup(folder, &e))?;
        eprintln!(
            "{:>12} {} as job {job}, in {}",
            "Submitted",
            counted(parts.len(), "part"),
            folder.display()
        );
        Ok(job)
    }

    /// Until all have ended; when the user interrupts, after they were told to.
    fn wait(&self, job: &str, parts: usize) -> Result<(), CliError> {
        let mut said = String::new();
        let mut cancelled = false;
        loop {
            let waiting = self.engine.waiting(job).map_err(CliError::setup)?;
            if waiting.is_empty() {
                return Ok(());
            }
            let words: Vec<String> = waiting.iter().map(|(part, word)| format!("{part} {word}")).collect();
            let line = format!(
                "{:>12} {} of {}: {}",
                "Waiting",
                waiting.len(),
                counted(parts, "part"),
                words.join(", ")
            );
            if line != said {
                eprintln!("{line}");
                said = line;
            }
            if self.cancel.is_set() && !cancelled {
                self.engine.cancel(job).map_err(CliError::setup)?;
                cancelled = true;
            }
            let pause = Timespec {
                tv_sec: self.args.poll.as_secs() as i64,
                tv_nsec: self.args.poll.subsec_nanos().into(),
            };
            let wakes = PollFd::new(self.cancel, PollFlags::IN);
            // once it is set it stays readable
            let mut fds = if cancelled { Vec::new() } else { vec![wakes] };
            let _ = poll(&mut fds, Some(&pause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_goes_on_as_it_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            command: vec!["/bin/kregress".into(), "--profile".into(), "ci".into()],
            plan: vec!["-k".into(), "6.12.57".into()],
            parts: 6,
            cpus: 1,
            place: "/p".into(),
            sbatch: vec!["--mem=8G".into()],
        };
        plan.write(folder.path()).unwrap();
        let read = Plan::read(folder.path()).unwrap();
        let script = read.script(Path::new("/r/0"), &[]);
        assert_eq!(script, plan.script(Path::new("/r/0"), &[]));
        assert!(script.contains("slice:$task/6") && script.ends_with(" -k 6.12.57\n"), "{script}");
        assert!(script.contains("exec /bin/kregress --profile ci run "), "{script}");
        assert_eq!((read.parts, read.sbatch), (6, vec!["--mem=8G".to_owned()]));
        let error = Plan::read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("is it a folder of `submit`?"), "{error}");
    }

    #[test]
    fn a_plan_is_one_for_run_and_has_nothing_that_is_said_here() {
        let check = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            check_plan(&words).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["-k", "6.12.117", "block::", "-E", "kernel(>6)"]), Ok(()));
        assert_eq!(check(&[]), Ok(()));
        for ours in [&["--partition", "slice:1/2"][..], &["-j", "2"], &["-o", "x"], &["-R", "latest"]] {
            let error = check(ours).unwrap_err();
            assert!(error.contains("leave it out"), "{ours:?}: {error}");
        }
        assert!(check(&["--no-such"]).unwrap_err().contains("--no-such"));
    }
}
