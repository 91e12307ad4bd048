//! Tests × kernels as text.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::report::matrix::MatrixStyle;

/// The format.
pub(super) struct Matrix;

impl Renderer for Matrix {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("matrix")
    }

    fn help(&self) -> &'static str {
        "Tests × kernels as text"
    }

    fn render(&self, subject: &Subject<'_>, style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => {
                say(out, &crate::report::matrix::matrix(run.summary, style))
            }
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}
