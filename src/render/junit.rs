//! JUnit XML, for CI servers.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::backport;
use crate::report::matrix::MatrixStyle;
use crate::report::{JUNIT_FILE, ReportError, junit};

/// The format.
pub(super) struct Junit;

impl Renderer for Junit {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection | Kind::Backport | Kind::Queue).then_some("junit")
    }

    fn help(&self) -> &'static str {
        "JUnit XML"
    }

    fn file(&self, of: Kind) -> Option<&'static str> {
        match of {
            Kind::Run => Some(JUNIT_FILE),
            Kind::Backport => Some("backport-junit.xml"),
            Kind::Queue => Some("queue-junit.xml"),
            Kind::Bisection | Kind::Comparison => None,
        }
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => {
                junit::pieces(run.summary, run.junit_known, Some(run.dir))
                    .try_for_each(|piece| say(out, &piece?))
            }
            Subject::Backport(of) => {
                say(out, &backport::junit(of.title, of.trees, of.started).map_err(ReportError::Junit)?)
            }
            Subject::Queue(of) => {
                say(out, &crate::queue::report::junit(of.report, of.started).map_err(ReportError::Junit)?)
            }
            Subject::Comparison(_) => Ok(()),
        }
    }
}
