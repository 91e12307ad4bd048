//! Says what the patches that the first argument names do to the files of the folder in the second one; nothing is written.

use std::process::ExitCode;

use mail_patch::{Folder, Options, Pick, Queue, queue};

fn main() -> ExitCode {
    let [patch, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        eprintln!("usage: onto PATCH FOLDER");
        return ExitCode::from(2);
    };
    match onto(patch, folder) {
        Ok(outcome) => print!("{outcome}"),
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn onto(patch: &str, folder: &str) -> Result<String, String> {
    let queue = Queue::open(patch, &Pick::default()).map_err(|error| error.to_string())?;
    let result = queue::apply(&queue.patches, &Folder::new(folder), Options::default());
    Ok(format!("{}{}", queue::queue(&queue), queue::application(folder, &result)))
}
