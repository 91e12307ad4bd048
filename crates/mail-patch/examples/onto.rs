//! Says what the patch in the first argument does to the files of the folder in the second one; nothing is written.

use std::process::ExitCode;

use mail_patch::{Folder, Input, Options, PatchMail, apply, series};

fn main() -> ExitCode {
    let [patch, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        eprintln!("usage: onto PATCH FOLDER");
        return ExitCode::from(2);
    };
    match onto(patch, folder) {
        Ok(outcome) => println!("{outcome}"),
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn onto(patch: &str, folder: &str) -> Result<String, String> {
    let bytes = std::fs::read(patch).map_err(|error| format!("{patch}: {error}"))?;
    let input = Input::read(patch, &bytes).map_err(|error| error.to_string())?;
    let patches = PatchMail::all(&input);
    let result = apply(&series(&patches)?, &Folder::new(folder), Options::default());
    Ok(format!("{:?}, {} files changed", result.outcome, result.contents.len()))
}
