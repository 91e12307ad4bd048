//! `--partition`: which part of a plan is run here.

use std::path::Path;
use std::sync::Arc;

use super::error::CliError;
use super::selection::earlier_run;
use super::supply::Means;
use crate::event::CellId;
use crate::kernel::RequestedKernel;
use crate::plan::{Partition, PlanPart};
use crate::plural::counted;
use crate::suite::Test;

/// Which part of a plan is run.
#[derive(Debug, clap::Args)]
pub struct SplitArgs {
    /// Run one of N parts of the cells: slice:M/N takes every N-th by name, hash:M/N those with a hash of M, which stay where they
    /// are when others come. `kregress report merge` makes one run of all parts
    #[arg(long, value_name = "PART")]
    partition: Option<Partition>,
    /// Slices that take about as long as each other, by what cells took in this run, which has to be the same for all parts
    #[arg(long, value_name = "RUN", requires = "partition")]
    balance: Option<String>,
}

impl SplitArgs {
    /// The part that was asked for, of the cells that are meant; `None`: all of them.
    ///
    /// # Errors
    /// The run that slices are balanced by is not there, or they are not slices.
    pub fn part(
        &self,
        reports: &Path,
        wanted: &[RequestedKernel],
        tests: &[Arc<Test>],
        means: &Means<'_>,
    ) -> Result<Option<PlanPart>, CliError> {
        let Some(partition) = self.partition else { return Ok(None) };
        if self.balance.is_some() && !partition.is_slice() {
            let text = format!("--balance is for slices: {partition} depends on the names of cells alone");
            return Err(CliError::usage(text));
        }
        let earlier = self.balance.as_deref().map(|asked| earlier_run(reports, asked)).transpose()?;
        let cells = wanted.iter().flat_map(|kernel| {
            let meant = tests.iter().filter(|test| means(test, kernel));
            meant.map(|test| CellId { test: test.id(), kernel: kernel.name().to_owned() })
        });
        let cells: Vec<CellId> = cells.collect();
        let part = partition.of(&cells, earlier.as_ref().map(|earlier| &earlier.cells));
        eprintln!("{:>12} {} of {} ({partition})", "Partition", part.len(), counted(cells.len(), "cell"));
        Ok(Some(part))
    }
}
