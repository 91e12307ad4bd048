//! `kregress patch`: what a patch or mail says, what damaged it, and whether it applies to a source.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::error::CliError;
use crate::patch::queue::{self, QueueApplication, Queued};
use crate::patch::{Folder, Options, Pick, Queue, source};
use crate::report::ExitStatus;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchFormat {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

/// Reads a patch, a mail, a thread or a queue of patches, and tries it on sources without changing them.
///
/// Of several versions in one thread the newest complete one is taken. Each patch is tried on top of those before it
/// that apply, and answers for itself; the exit code is 0 when all of them apply and none is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress patch thread.mbox --onto ~/linux
      the newest complete version of the series in a thread
  kregress patch thread.mbox --pick v1 --onto ~/linux
      another one
  kregress patch backports.mbox --pick 6.1 --onto ~/linux-6.1.y
      of a thread with a series for each of several lines the one for 6.1;
      without --pick a source gets that of its own line
  kregress patch stable-queue/queue-6.12 --pick 3..7
      what five patches of a quilt series say
  kregress patch ~/linux@v6.12..topic --onto ~/stable --format json
      commits, each tried on top of those before it")]
pub struct PatchArgs {
    /// A patch file, a mail, an mbox, a saved page of a mail archive, a folder with quilt's `series` or of numbered
    /// patches, REPOSITORY@COMMIT or REPOSITORY@A..B; `-` is standard input
    input: String,
    /// Try it on the source in this folder; it is only read
    #[arg(long, value_name = "FOLDER")]
    onto: Vec<PathBuf>,
    /// Undo damage of the mail where there is exactly one way, and say what was done
    #[arg(long)]
    repair: bool,
    /// Let hunks fit without their outermost N lines of context
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "2", value_parser = clap::value_parser!(u8).range(0..=3))]
    fuzz: u8,
    /// Which patches of several: 3, 3..7, 1,4.., a version: v1, v1:3..7, or those for a stable line: 6.1, 6.1:2
    #[arg(long, value_name = "PATCHES")]
    pick: Option<Pick>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = PatchFormat::Human)]
    format: PatchFormat,
}

/// Runs the command. A patch that does not apply somewhere, or is missing, is answered by exit code 100.
///
/// # Errors
/// The input cannot be read, holds no patch, or none of those that are picked.
pub fn run(args: &PatchArgs) -> Result<ExitStatus, CliError> {
    let queue = Queue::open(&args.input, &args.pick.clone().unwrap_or_default()).map_err(CliError::setup)?;
    if let Some(missing) = args.onto.iter().find(|folder| !folder.is_dir()) {
        let text = format!("{}: no folder; expected the top of a kernel source", missing.display());
        return Err(CliError::setup(text));
    }
    let options = Options { repair: args.repair, fuzz: usize::from(args.fuzz) };
    let tried = |tree: &PathBuf| {
        let name = tree.display().to_string();
        let source = Folder::new(tree);
        let patches = queue.for_line(source::line(&source)).map_err(|why| {
            CliError::setup(format!("{}: {why} ({name}); choose with --pick, as in --pick 6.1", queue.name))
        })?;
        Ok((name, queue::apply(&patches, &source, options)))
    };
    let results: Vec<(String, QueueApplication)> =
        args.onto.iter().map(tried).collect::<Result<_, CliError>>()?;
    print(args.format, &queue, &results);
    let applies = results.iter().all(|(_, result)| result.whole.outcome.applies());
    let whole = args.onto.is_empty() || queue.missing.is_empty();
    Ok(if applies && whole { ExitStatus::Success } else { ExitStatus::TestsFailed })
}

fn print(format: PatchFormat, queue: &Queue, results: &[(String, QueueApplication)]) {
    match format {
        PatchFormat::Human => {
            print!("{}", queue::queue(queue));
            for (tree, result) in results {
                print!("\n{}", queue::application(tree, result));
                if let Some(hole) = queue.hole() {
                    println!("{tree}: the queue as a whole: {hole}");
                }
            }
        }
        PatchFormat::Json => {
            let trees: Vec<_> = results
                .iter()
                .map(
                    |(tree, result)| json!({"tree": tree, "result": result.whole, "patches": result.patches}),
                )
                .collect();
            let document = json!({
                "input": queue.name,
                "form": queue.kind,
                "patches": queue.all().map(one).collect::<Vec<_>>(),
                "missing": queue.missing,
                "alternatives": queue.alternatives,
                "notes": queue.notes,
                "base_commit": queue.base_commit,
                "prerequisites": queue.prerequisites,
                "trees": trees,
            });
            println!("{document:#}");
        }
    }
}

fn one(queued: &Queued) -> serde_json::Value {
    let patch = &queued.patch;
    let files = patch.decoded.files.iter().map(|file| {
        let (added, removed) = file.changed();
        json!({
            "path": file.path(),
            "hunks": file.hunks.len(),
            "whole": file.hunks.iter().filter(|hunk| hunk.lines().is_some()).count(),
            "added": added,
            "removed": removed,
        })
    });
    json!({
        "number": queued.number,
        "left_out": queued.left_out,
        "file": patch.file,
        "line": patch.line,
        "subject": patch.subject,
        "author": patch.author,
        "date": patch.date,
        "message_id": patch.id,
        "commit": patch.commit,
        "attachment": patch.attachment,
        "tags": patch.tags,
        "files": files.collect::<Vec<_>>(),
        "damages": patch.damages,
    })
}
