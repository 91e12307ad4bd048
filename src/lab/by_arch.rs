//! One lab for each architecture, made when it is wanted: what runs guests, their init and their shell differ.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::vm::VmLab;
use super::{Lab, Request, Watch};
use crate::arch::Arch;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::observation::Observation;
use crate::suite::Test;
use crate::vm::VmError;

/// Makes the lab of an architecture.
type Make = Box<dyn Fn(&'static Arch) -> Result<VmLab, VmError> + Send + Sync>;

/// The labs of all architectures.
pub struct Labs {
    make: Make,
    labs: Mutex<HashMap<&'static str, Arc<VmLab>>>,
}

impl Labs {
    /// Labs that are made like this.
    pub fn new(make: impl Fn(&'static Arch) -> Result<VmLab, VmError> + Send + Sync + 'static) -> Labs {
        Labs { make: Box::new(make), labs: Mutex::default() }
    }

    /// The lab for guests of this architecture.
    ///
    /// # Errors
    /// What they need and this host lacks.
    pub fn of(&self, arch: &'static Arch) -> Result<Arc<VmLab>, VmError> {
        let mut labs = self.labs.lock();
        if let Some(lab) = labs.get(arch.name) {
            return Ok(Arc::clone(lab));
        }
        let lab = Arc::new((self.make)(arch)?);
        labs.insert(arch.name, Arc::clone(&lab));
        Ok(lab)
    }
}

impl Lab for Labs {
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure> {
        self.of(kernel.arch).map_err(|error| Failure::Host(error.to_string()))?.prepare(kernel, test, machine)
    }

    fn prefetch(&self, kernel: &Kernel, test: &Test, machine: &Machine) {
        if let Ok(lab) = self.of(kernel.arch) {
            lab.prefetch(kernel, test, machine);
        }
    }

    fn keeps_vmcore(&self, failed: bool) -> bool {
        // they are all made alike
        self.labs.lock().values().next().is_some_and(|lab| lab.keeps_vmcore(failed))
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        match self.of(request.kernel.arch) {
            Ok(lab) => lab.attempt(request, watch),
            Err(error) => Observation::not_started(error.to_string()),
        }
    }
}
