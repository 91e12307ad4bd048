//! The kernels of a run: image, boot time, results.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::report::matrix::MatrixStyle;

/// The format.
pub(super) struct Kernels;

impl Renderer for Kernels {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("kernels")
    }

    fn help(&self) -> &'static str {
        "Each kernel's image, its boot time, and the verdicts of its cells"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => {
                say(out, &crate::report::kernels::kernels(run.summary)?)
            }
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}
