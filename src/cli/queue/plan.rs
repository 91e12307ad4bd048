//! Which tests judge the queue.

use std::sync::Arc;

use super::QueueArgs;
use crate::cli::error::CliError;
use crate::event::queue::QueueTest;
use crate::plan::{NameFilter, PlacedTest, select};
use crate::queue::{ChosenTest, Reading, boot, choose, numbers};
use crate::suite::{Suite, Test};
use crate::triage::Expect;

/// The tests that the arguments name, in the order in which they run, behind that of the boot.
///
/// # Errors
/// No test fits.
pub fn tests(args: &QueueArgs, suites: &[Suite], reading: &Reading) -> Result<Vec<ChosenTest>, CliError> {
    let filter = NameFilter::new(&args.tests, false).map_err(CliError::filter)?;
    let tests = select(suites, &filter);
    if tests.is_empty() {
        let text = format!("no test fits {:?}; `kregress list` shows the tests", args.tests.join(" "));
        return Err(CliError::nothing(text));
    }
    let boot = ChosenTest {
        test: boot().map_err(CliError::setup)?,
        expect: Expect::Good,
        tie: String::new(),
        patches: Vec::new(),
    };
    Ok(std::iter::once(boot).chain(choose(reading, &reading.kept, &tests)).collect())
}

/// The tests of a run that is gone on with, in its order.
///
/// # Errors
/// One of them is gone.
pub fn again(record: &[QueueTest], suites: &[Suite]) -> Result<Vec<Arc<Test>>, CliError> {
    let boot = boot().map_err(CliError::setup)?;
    let all: Vec<Arc<Test>> = std::iter::once(boot).chain(crate::queue::all(suites)).collect();
    let find = |wanted: &QueueTest| {
        all.iter().find(|test| test.id() == wanted.test).cloned().ok_or_else(|| {
            CliError::setup(format!(
                "{} is in no suite any more; give the suites that the run began with",
                wanted.test
            ))
        })
    };
    record.iter().map(find).collect()
}

/// Refuses tests that were changed since a run began.
///
/// # Errors
/// One was.
pub fn unchanged(record: &[QueueTest], placed: &[PlacedTest]) -> Result<(), CliError> {
    for (wanted, placed) in record.iter().zip(placed) {
        if crate::bisection::reuse::test_digest(&placed.test, &placed.machine) != wanted.digest {
            return Err(CliError::setup(format!(
                "{} was changed since the run began, so that its attempts no longer say the same; begin a new run",
                wanted.test
            )));
        }
    }
    Ok(())
}

/// What would run, for a terminal.
pub fn text(chosen: &[ChosenTest]) -> String {
    let mut out = String::new();
    for one in chosen.iter().filter(|one| !one.tie.is_empty()) {
        let what = match one.expect {
            Expect::Fixed => "must be fixed",
            Expect::Good => "runs early",
        };
        let of = if one.patches.is_empty() { String::new() } else { format!(", {}", numbers(&one.patches)) };
        out += &format!("{}: {what} ({}{of})\n", one.test.id(), one.tie);
    }
    // that of the boot is nobody's
    let rest = chosen.iter().filter(|one| one.tie.is_empty()).count().saturating_sub(1);
    match (rest, out.is_empty()) {
        (0, _) => {}
        (1, true) => out += "1 test\n",
        (n, true) => out += &format!("{n} tests\n"),
        (1, false) => out += "1 other test\n",
        (n, false) => out += &format!("{n} other tests\n"),
    }
    out
}
