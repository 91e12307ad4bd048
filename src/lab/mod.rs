//! The seam between the runner and what runs an attempt: [`Lab::attempt`] takes a kernel and a test and answers with
//! an observation. [`qemu`] is the real one.

pub mod attempt;
mod evidence;
mod ktap;
pub mod patience;
pub mod payload;
mod plugging;
pub mod prepare;
pub mod qemu;

use std::path::Path;

use crate::cancel::Cancel;
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
}

/// Hears of an attempt's progress while it runs.
pub trait Watch {
    /// Another phase begins.
    fn phase(&self, phase: Phase);
    /// The program runs longer than the test's `slow` time.
    fn slow(&self, seconds: f64);
}

/// Runs attempts, several at once.
pub trait Lab: Sync {
    /// Makes everything that attempts of this test on this kernel need, once: programs, images, modules.
    ///
    /// # Errors
    /// In words. Such a test cannot judge this kernel.
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), String>;

    /// Runs one attempt to its end. What goes wrong is part of the observation.
    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation;
}
