//! Which files the end of a run leaves.

use super::model::ReportTarget;
use crate::journal::RunDir;
use crate::render::{Kind, Subject, by_name, write_file, write_files};
use crate::report::ReportError;

/// Writes these documents into the run's folder and answers the names of their files; those that every run leaves
/// where the configuration says nothing. Each is tried: a failure of one does not keep the others from being written.
///
/// # Errors
/// The first failure.
pub fn write_targets(
    subject: &Subject<'_>,
    dir: &RunDir,
    targets: Option<&[ReportTarget]>,
) -> Result<Vec<String>, ReportError> {
    let Some(targets) = targets else {
        return Ok(write_files(subject, dir)?.into_iter().map(str::to_owned).collect());
    };
    let write = |target: &ReportTarget| {
        let Some(format) = by_name(&target.format, Kind::Run) else { return Ok(None) };
        let own = || format.file(Kind::Run).map(str::to_owned);
        let Some(name) = target.file.clone().or_else(own) else { return Ok(None) };
        write_file(format, subject, &dir.path().join(&name)).map(|()| Some(name))
    };
    let written: Vec<Result<Option<String>, ReportError>> = targets.iter().map(write).collect();
    Ok(written.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
