//! Text for a terminal.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::report::matrix::MatrixStyle;
use crate::report::summary::summary;
use crate::{backport, bisection, compare};

/// The format.
pub(super) struct Summary;

impl Renderer for Summary {
    fn name(&self, of: Kind) -> Option<&'static str> {
        Some(match of {
            Kind::Run | Kind::Bisection => "summary",
            Kind::Backport | Kind::Queue => "human",
            Kind::Comparison => "text",
        })
    }

    fn help(&self) -> &'static str {
        "What was found and what that rests on, for a terminal"
    }

    fn render(&self, subject: &Subject<'_>, style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) => say(out, &summary(run.summary, run.dir.path(), style)?),
            Subject::Bisection(report, _) => say(out, &bisection::report::text(report, style)),
            Subject::Backport(backport) => say(out, &backport::table(backport.trees)),
            Subject::Comparison(comparison) => say(out, &compare::text(comparison)),
            Subject::Queue(queue) => say(out, &crate::queue::report::text(queue.report)),
        }
    }
}
