//! The answer to the mail of a patch.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::report::matrix::MatrixStyle;

/// The format.
pub(super) struct Reply;

impl Renderer for Reply {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Backport | Kind::Queue).then_some("reply")
    }

    fn help(&self) -> &'static str {
        "The answer to the mail"
    }

    fn file(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Backport | Kind::Queue).then_some("reply.txt")
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Backport(of) => say(out, of.reply),
            Subject::Queue(of) => say(out, of.answer),
            Subject::Run(_) | Subject::Bisection(..) | Subject::Comparison(_) => Ok(()),
        }
    }
}
