//! Plain text for a mailing list.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::report::mail;
use crate::report::matrix::MatrixStyle;

/// The format.
pub(super) struct Mail;

impl Renderer for Mail {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("mail")
    }

    fn help(&self) -> &'static str {
        "Plain text of 72 columns, for a mailing list"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => say(out, &mail::mail(run.summary)?),
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}
