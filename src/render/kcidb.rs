//! KCIDB, for the databases of kernel CI systems.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject};
use crate::report::kcidb::{self, ORIGIN};
use crate::report::matrix::MatrixStyle;

/// Names the origin of what is submitted: that of the user's CI system.
const ORIGIN_VARIABLE: &str = "KREGRESS_KCIDB_ORIGIN";

/// The format.
pub(super) struct Kcidb;

impl Renderer for Kcidb {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("kcidb")
    }

    fn help(&self) -> &'static str {
        "KCIDB 5.3; KREGRESS_KCIDB_ORIGIN names the origin"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        let origin = std::env::var(ORIGIN_VARIABLE).unwrap_or_else(|_| ORIGIN.to_owned());
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => kcidb::write(run.summary, &origin, out),
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}
