//! The seam between the runner and what runs an attempt: [`Lab::attempt`] takes a kernel and a test and answers with
//! an observation. [`vm`] is the real one, [`sim`] one without guests. [`interactive`] starts the same guests for a person's command or shell.

pub mod attempt;
pub mod by_arch;
mod evidence;
pub mod guests;
mod installed;
pub mod interactive;
mod kernel_files;
mod ltp;
mod modules;
mod output;
pub mod payload;
mod plugging;
pub mod prepare;
mod reader;
mod setup;
pub mod share;
pub mod sim;
pub mod timeouts;
pub mod vm;

use std::path::Path;

use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::observation::{Observation, Phase};
use crate::suite::Test;

/// One attempt that is asked for.
pub struct Request<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// The test.
    pub test: &'a Test,
    /// What it runs on.
    pub machine: &'a Machine,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Seed for the program's own choices, different for every attempt.
    pub seed: u64,
    /// Folder for the attempt's console and output; absent: they are kept in memory only.
    pub dir: Option<&'a Path>,
    /// Ends the attempt early.
    pub cancel: &'a Cancel,
    /// Whether the dose would be in vain, by what was observed up to its beginning.
    pub in_vain: InVain<'a>,
}

/// Says whether no detector could see a symptom, by what was observed up to the dose's beginning. An attempt whose dose
/// would be in vain ends there.
pub type InVain<'a> = &'a dyn Fn(&Observation) -> bool;

/// Hears of an attempt's progress while it runs.
pub trait Watch {
    /// Another phase begins.
    fn phase(&self, phase: Phase);
    /// The program runs longer than the test's `slow` time.
    fn slow(&self, seconds: f64);
    /// Something on the host's side failed that costs evidence and not the verdict; a sentence without a full stop.
    fn trouble(&self, text: &str);
    /// Something that the user should know and that costs nothing but time; a sentence without a full stop.
    fn notice(&self, text: &str) {
        let _ = text;
    }
}
/// Runs attempts, several at once.
pub trait Lab: Sync {
    /// Makes everything that attempts of this test on this kernel need, once: programs, images, modules.
    ///
    /// # Errors
    /// Says whether the test or the host is to blame.
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure>;

    /// Hears which attempt is likely to be asked for next, so that it may be made ready for. Returns at once.
    fn prefetch(&self, kernel: &Kernel, test: &Test, machine: &Machine) {
        let _ = (kernel, test, machine);
    }

    /// Whether the memory of an attempt's guest stays, now that it is known whether it failed.
    fn keeps_vmcore(&self, failed: bool) -> bool {
        let _ = failed;
        false
    }

    /// Runs one attempt to its end. What goes wrong is part of the observation.
    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation;
}
