//! One JSON document.

use std::io::Write;

use serde::Serialize;

use super::{Kind, Rendered, Renderer, Subject};
use crate::bisection::report::JSON_FILE;
use crate::report::matrix::MatrixStyle;
use crate::report::{ReportError, json};

/// The format.
pub(super) struct Json;

impl Renderer for Json {
    fn name(&self, _of: Kind) -> Option<&'static str> {
        Some("json")
    }

    fn help(&self) -> &'static str {
        "One JSON document with everything"
    }

    fn file(&self, of: Kind) -> Option<&'static str> {
        match of {
            Kind::Backport => Some("backport.json"),
            Kind::Queue => Some("queue.json"),
            Kind::Bisection => Some(JSON_FILE),
            Kind::Run | Kind::Comparison => None,
        }
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) => json::write(run.summary, out),
            Subject::Bisection(report, _) => write(report, out),
            Subject::Backport(of) => write(of.trees, out),
            Subject::Comparison(comparison) => write(comparison, out),
            Subject::Queue(queue) => write(queue.report, out),
        }
    }
}

pub(super) fn write(value: &(impl Serialize + ?Sized), out: &mut dyn Write) -> Result<(), ReportError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(|error| match error.is_io() {
        true => ReportError::Output(error.into()),
        false => ReportError::Json(error),
    })?;
    out.write_all(b"\n").map_err(ReportError::Output)
}
