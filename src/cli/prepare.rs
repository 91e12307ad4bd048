//! `kregress kernels prepare`: guests saved ahead of a run.

use parking_lot::Mutex;
use std::path::Path;

use crate::cancel::Cancel;
use crate::kernel::Kernel;
use crate::lab::vm::VmLab;
use crate::machine::Machine;
use crate::vm::accel::AccelRequest;
use crate::vm::backend;

/// Saves guests one after the other: a guest that boots takes the processors that most hosts have.
pub struct Preparation {
    lab: Mutex<VmLab>,
}

impl Preparation {
    /// Ready to save guests in this cache.
    ///
    /// # Errors
    /// What guests need and this host lacks, in words.
    pub fn new(cache: &Path) -> Result<Preparation, String> {
        let lab =
            backend::find().and_then(|backend| VmLab::new(backend, cache)).map_err(|e| e.to_string())?;
        Ok(Preparation { lab: Mutex::new(lab) })
    }

    /// Boots the kernel on the default machine and saves it, unless that was done before.
    ///
    /// # Errors
    /// Why it is not saved, in words.
    pub fn save(&self, kernel: &Kernel, cancel: &Cancel) -> Result<(), String> {
        let lab = self.lab.lock();
        lab.choose_accel(AccelRequest::Auto, kernel);
        lab.save_guest(kernel, &Machine::built_in(), cancel).map(drop)
    }
}
