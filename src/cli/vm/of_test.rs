//! `--test`: the very guest of a test, its program beside the shell and not yet run.

use std::path::PathBuf;
use std::sync::Arc;

use super::CliError;
use crate::cancel::Cancel;
use crate::cli::paths::PathArgs;
use crate::cli::run::placed;
use crate::cli::selection::TestArgs;
use crate::kernel::{Kernel, LargerImage, Library, RequestedKernel};
use crate::lab::interactive::{GuestCommand, RUN_TEST};
use crate::lab::payload::Payload;
use crate::lab::prepare::Prepared;
use crate::lab::vm::VmLab;
use crate::plan::{PlacedTest, Unmet, unmet};
use crate::progress::Fetching;
use crate::vm::spec::Accel;

/// Tests that an error lists.
const MOST_LISTED: usize = 8;

/// The test that is meant, with its machine.
pub(super) fn find(name: &str, suites: &[PathBuf], paths: &PathArgs) -> Result<PlacedTest, CliError> {
    let suite: Vec<String> = suites.iter().map(|suite| suite.display().to_string()).collect();
    let filter = |exact| TestArgs {
        filters: vec![name.to_owned()],
        exact,
        suite: suite.clone(),
        ..TestArgs::default()
    };
    // the name of one may be a part of another's
    let tests = filter(true).tests(paths).or_else(|_| filter(false).tests(paths))?;
    let [test] = &tests[..] else {
        let mut names: Vec<String> = tests.iter().take(MOST_LISTED).map(|test| test.id()).collect();
        if names.len() < tests.len() {
            names.push("…".to_owned());
        }
        let (count, names) = (tests.len(), names.join(", "));
        return Err(CliError::filter(format!("--test {name} fits {count} tests: {names}; name one of them")));
    };
    let mut placed = placed(&[Arc::clone(test)], paths)?;
    Ok(placed.remove(0))
}

/// The image of the kernel that the test would get; what it lacks even so is said.
pub(super) fn image(
    kernel: Kernel,
    wanted: &RequestedKernel,
    placed: &PlacedTest,
    library: &Library,
) -> Result<Kernel, CliError> {
    let kernel = match (unmet(placed, &kernel), library.larger_image(wanted)) {
        (Some(Unmet::Image { reason, .. }), LargerImage::Known(plain)) => {
            eprintln!("{reason}: {} is taken", plain.release());
            library.fetch(&plain, &Fetching::on_stderr()).map_err(CliError::setup)?
        }
        _ => kernel,
    };
    if let Some(unmet) = unmet(placed, &kernel) {
        eprintln!("{}: a run skips {} here: {unmet}", super::label("warning"), placed.test.id());
    }
    Ok(kernel)
}

/// Compiles the program and makes the images.
pub(super) fn prepare(lab: &VmLab, placed: &PlacedTest, cancel: &Cancel) -> Result<Prepared, CliError> {
    let prepared = lab.prepare_test(&placed.test);
    match cancel.is_set() {
        true => Err(CliError::setup("interrupted")),
        false => prepared.map_err(|error| CliError::setup(format!("{}: {error}", placed.test.id()))),
    }
}

/// Everything that an attempt of the test sends before its program.
pub(super) fn command(
    kernel: &Kernel,
    placed: &PlacedTest,
    prepared: &Prepared,
    accel: Accel,
) -> Result<GuestCommand, CliError> {
    let payload = Payload::build(kernel, &placed.test, &placed.machine, prepared, 0, accel);
    Ok(GuestCommand::of_test(payload.map_err(CliError::setup)?))
}

/// What somebody who is in the guest should know.
pub(super) fn notice(placed: &PlacedTest) -> String {
    let mut text = format!("{} has not run yet: ./{RUN_TEST} runs it", placed.test.id());
    if placed.machine.devices.iter().any(|device| !device.at_start) {
        text += "; the devices that it plugs are not to be had here, as a run plugs them for it";
    }
    text
}
