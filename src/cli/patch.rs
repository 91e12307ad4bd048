//! `kregress patch`: what a patch or mail says, what damaged it, and whether it applies to a source.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use super::error::CliError;
use crate::patch::{Application, Folder, Input, Options, PatchMail, apply, series, show};
use crate::report::ExitStatus;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

/// Reads a patch, a mail, an mbox or a saved thread, and tries it on sources without changing them.
#[derive(Debug, clap::Args)]
pub struct PatchArgs {
    /// The file; `-` is standard input
    input: PathBuf,
    /// Try it on the source in this folder; it is only read
    #[arg(long, value_name = "FOLDER")]
    onto: Vec<PathBuf>,
    /// Undo damage of the mail where there is exactly one way, and say what was done
    #[arg(long)]
    repair: bool,
    /// Let hunks fit without their outermost N lines of context
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "2", value_parser = clap::value_parser!(u8).range(0..=3))]
    fuzz: u8,
    /// Which patch of several, counted from 1
    #[arg(long, value_name = "NUMBER")]
    pick: Option<usize>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Runs the command. A patch that does not apply somewhere is answered by exit code 100.
///
/// # Errors
/// The input cannot be read, holds no patch, or several of which none was chosen.
pub fn run(args: &PatchArgs) -> Result<ExitStatus, CliError> {
    let (name, bytes) = read(&args.input).map_err(CliError::setup)?;
    let input = Input::read(&name, &bytes).map_err(CliError::setup)?;
    let patches = PatchMail::all(&input);
    let chosen = chosen(&patches, args);
    if args.onto.is_empty() && !patches.is_empty() {
        print(args.format, &input, &patches, &[]);
        return Ok(ExitStatus::Success);
    }
    let chosen = chosen.map_err(|why| CliError::setup(format!("{name}: {why}")))?;
    if let Some(missing) = args.onto.iter().find(|folder| !folder.is_dir()) {
        let text = format!("{}: no folder; expected the top of a kernel source", missing.display());
        return Err(CliError::setup(text));
    }
    let options = Options { repair: args.repair, fuzz: usize::from(args.fuzz) };
    let results: Vec<(String, Application)> = args
        .onto
        .iter()
        .map(|folder| (folder.display().to_string(), apply(&chosen, &Folder::new(folder), options)))
        .collect();
    print(args.format, &input, &patches, &results);
    let applies = results.iter().all(|(_, result)| result.outcome.applies());
    Ok(if applies { ExitStatus::Success } else { ExitStatus::TestsFailed })
}

fn chosen<'l>(patches: &'l [PatchMail], args: &PatchArgs) -> Result<Vec<&'l PatchMail>, String> {
    match args.pick {
        None => series(patches),
        Some(number) => match number.checked_sub(1).and_then(|at| patches.get(at)) {
            Some(patch) => Ok(vec![patch]),
            None => Err(format!("no patch {number}; there are {}", patches.len())),
        },
    }
}

fn read(path: &Path) -> Result<(String, Vec<u8>), String> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("standard input: {error}"))?;
        return Ok(("standard input".into(), bytes));
    }
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    Ok((name, bytes))
}

fn print(format: Format, input: &Input, patches: &[PatchMail], results: &[(String, Application)]) {
    match format {
        Format::Human => {
            print!("{}", show::patches(input, patches));
            for (tree, result) in results {
                print!("\n{}", show::application(tree, result));
            }
        }
        Format::Json => {
            let trees: Vec<_> =
                results.iter().map(|(tree, result)| json!({"tree": tree, "result": result})).collect();
            let document = json!({
                "input": input.name,
                "form": input.form,
                "patches": patches.iter().map(one).collect::<Vec<_>>(),
                "trees": trees,
            });
            println!("{document:#}");
        }
    }
}

fn one(patch: &PatchMail) -> serde_json::Value {
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
        "line": patch.line,
        "subject": patch.subject,
        "author": patch.author,
        "date": patch.date,
        "message_id": patch.id,
        "attachment": patch.attachment,
        "tags": patch.tags,
        "files": files.collect::<Vec<_>>(),
        "damages": patch.damages,
    })
}
