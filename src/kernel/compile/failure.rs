//! What a failed run of make says about the tree, or about the host.

use super::Job;
use super::error::BuildError;
use super::make::{self, Make, MakeError};

/// Turns a failed run into what it means. Only a tree's own fault is a [`BuildError::Compile`].
pub(super) fn meaning(job: &Job, make: &Make, error: MakeError) -> BuildError {
    let name = job.request.name.clone();
    let host = |reason: String| BuildError::Host { name: job.request.name.clone(), reason };
    match error {
        MakeError::Cancelled => BuildError::Cancelled { name },
        MakeError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            host(make::host_failure("No space left on device").unwrap_or_default().to_string())
        }
        MakeError::Io(error) => host(format!("make cannot be run: {error}")),
        MakeError::Failed => {
            let log = make::read_log(make.log);
            let first = make::first_error(&log);
            let said = first.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
            let place = make.log.display();
            if let Some(reason) = make::host_failure(&log) {
                return host(format!("{reason}; the whole log is {place}"));
            }
            if let Some(remedy) = make::remedy(&first) {
                return host(format!("{remedy}:\n{said}\nthe whole log is {place}"));
            }
            BuildError::Compile {
                tree: job.found.name.clone(),
                compiler: job.compiler.version().to_string(),
                said,
                log: make.log.to_path_buf(),
                hint: job.compiler.too_young(job.found.version.as_ref()).unwrap_or_default(),
            }
        }
    }
}
