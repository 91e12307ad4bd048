//! Annotations of GitHub Actions, which read them from a step's output.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject};
use crate::report::annotations;
use crate::report::matrix::MatrixStyle;

/// The format.
pub(super) struct Github;

impl Renderer for Github {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("github")
    }

    fn help(&self) -> &'static str {
        "Annotations for GitHub Actions, as `--annotate github` prints them"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => annotations::write(run.summary, out),
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}
