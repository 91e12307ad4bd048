//! `kregress explain --compare A B`: whether two consoles show the same defect.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use super::tools::Tools;
use super::{ExplainArgs, ExplainError, ExplainFormat, json_line};
use crate::oops::{Report, Sameness, same_defect};

/// The JSON form: one object.
#[derive(Serialize)]
struct Comparison<'a> {
    /// `same`, `likely` or `different`.
    verdict: &'static str,
    reason: &'a str,
    a: Side<'a>,
    b: Side<'a>,
}

#[derive(Serialize)]
struct Side<'a> {
    file: String,
    title: &'a str,
    line: usize,
}

/// Compares the first reports of two files. The exit code is 0 if they are the same defect, else 1: what is only likely
/// is no proof.
pub(super) fn compare(
    args: &ExplainArgs,
    tools: &Tools,
    out: &mut impl Write,
) -> Result<ExitCode, ExplainError> {
    let [a, b] = args.files.as_slice() else {
        return Err(ExplainError::NotTwo { found: args.files.len() });
    };
    let first = |file: &std::path::PathBuf| -> Result<(String, Report), ExplainError> {
        let diagnosed = tools.diagnose(file, ExplainFormat::Title)?;
        let name = file.display().to_string();
        if let Some(what) = diagnosed.unreadable {
            return Err(ExplainError::NoLog { file: name, what: what.to_string() });
        }
        match diagnosed.sorted.reports.into_iter().next() {
            Some(report) => Ok((name, report)),
            None => Err(ExplainError::NothingToCompare { file: name }),
        }
    };
    let ((name_a, a), (name_b, b)) = (first(a)?, first(b)?);
    let sameness = same_defect(&a, &b);
    let (verdict, sentence) = match &sameness {
        Sameness::Same(_) => ("same", "the same defect"),
        Sameness::Likely(_) => ("likely", "perhaps the same defect, which is not proved"),
        Sameness::Different(_) => ("different", "different defects"),
    };
    let text = match args.format {
        ExplainFormat::Json => json_line(Comparison {
            verdict,
            reason: sameness.reason(),
            a: Side { file: name_a, title: &a.title, line: a.start_line },
            b: Side { file: name_b, title: &b.title, line: b.start_line },
        })?,
        ExplainFormat::Title | ExplainFormat::Log => format!("{verdict}\n"),
        ExplainFormat::Human => format!(
            "{sentence}: {}\n  {} ({name_a}:{})\n  {} ({name_b}:{})\n",
            sameness.reason(),
            a.title,
            a.start_line,
            b.title,
            b.start_line
        ),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ExplainError::Write)?;
    Ok(if sameness.is_same() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
