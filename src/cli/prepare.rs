//! `kregress kernels prepare`: guests saved ahead of a run.

use parking_lot::Mutex;
use std::path::Path;

use crate::arch::GUEST;
use crate::cancel::Cancel;
use crate::kernel::Kernel;
use crate::lab::by_arch::Labs;
use crate::lab::vm::VmLab;
use crate::machine::Machine;
use crate::vm::accel::AccelRequest;

/// Saves guests one after the other: a guest that boots takes the processors that most hosts have.
pub struct Preparation {
    labs: Mutex<Labs>,
}

impl Preparation {
    /// Ready to save guests in this cache.
    ///
    /// # Errors
    /// What guests need and this host lacks, in words.
    pub fn new(cache: &Path) -> Result<Preparation, String> {
        let cache = cache.to_owned();
        let labs = Labs::new(move |arch| VmLab::for_arch(arch, &cache, &|text| eprintln!("{text}")));
        labs.of(GUEST).map_err(|e| e.to_string())?;
        Ok(Preparation { labs: Mutex::new(labs) })
    }

    /// Boots the kernel on the default machine and saves it, unless that was done before.
    ///
    /// # Errors
    /// Why it is not saved, in words.
    pub fn save(&self, kernel: &Kernel, cancel: &Cancel) -> Result<(), String> {
        let lab = self.labs.lock().of(kernel.arch).map_err(|e| e.to_string())?;
        lab.choose_accel(AccelRequest::Auto, kernel);
        lab.save_guest(kernel, &Machine::built_in(), cancel).map(drop)
    }
}
