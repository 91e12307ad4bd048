//! One lab for each architecture, made when it is wanted: what runs guests, their init and their shell differ. Machines that
//! the host's QEMU cannot build, or serves worse, have one with a newer QEMU besides.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::vm::{Drawback, VmLab};
use super::{Lab, Request, Watch};
use crate::arch::{Arch, GUEST};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::kernel::tools::{Tool, Tools};
use crate::machine::Machine;
use crate::observation::Observation;
use crate::suite::Test;
use crate::vm::VmError;

/// Makes the lab of an architecture.
type Make = Box<dyn Fn(&'static Arch) -> Result<VmLab, VmError> + Send + Sync>;

/// Makes the lab with a newer QEMU; `None` where it is not here and not to be fetched.
type MakeNewer = Box<dyn Fn() -> Option<Result<VmLab, VmError>> + Send + Sync>;

/// The labs of all architectures.
pub struct Labs {
    make: Make,
    labs: Mutex<HashMap<&'static str, Arc<VmLab>>>,
    make_newer: Option<MakeNewer>,
    newer: OnceLock<Option<Result<Arc<VmLab>, String>>>,
}

impl Labs {
    /// Labs that are made like this.
    pub fn new(make: impl Fn(&'static Arch) -> Result<VmLab, VmError> + Send + Sync + 'static) -> Labs {
        Labs { make: Box::new(make), labs: Mutex::default(), make_newer: None, newer: OnceLock::new() }
    }

    /// The labs of this host, as `adjust` wants them. A newer QEMU for the machines that the installed one cannot build is used
    /// where it is here, and fetched where that is asked for; what takes time `tell` hears of.
    pub fn on_host(
        cache: &Path,
        fetches_newer: bool,
        tell: impl Fn(&str) + Clone + Send + Sync + 'static,
        adjust: impl Fn(VmLab) -> VmLab + Send + Sync + 'static,
    ) -> Labs {
        let adjust = Arc::new(adjust);
        let make = {
            let (cache, tell, adjust) = (cache.to_owned(), tell.clone(), Arc::clone(&adjust));
            move |arch| Ok(adjust(VmLab::for_arch(arch, &cache, &tell)?))
        };
        let cache = cache.to_owned();
        let make_newer = move || {
            let is_here = Tools::new(&cache).find(Tool::NewerEmulator, GUEST).is_some();
            (fetches_newer || is_here).then(|| Ok(adjust(VmLab::newer(&cache, &tell)?)))
        };
        Labs { make_newer: Some(Box::new(make_newer)), ..Labs::new(make) }
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

    /// The lab that builds this machine, where this host has one; else why not, in words.
    ///
    /// # Errors
    /// What guests need and this host lacks.
    pub fn place(
        &self,
        arch: &'static Arch,
        machine: &Machine,
    ) -> Result<Result<Arc<VmLab>, String>, VmError> {
        let lab = self.of(arch)?;
        let Some(lacking) = lab.missing(machine) else {
            // a better one, where it is at hand
            let drawback = lab.drawback(machine).filter(|_| arch == GUEST);
            let newer = drawback.and_then(|_| self.newer());
            let fits = |newer: &&Arc<VmLab>| {
                let serves = newer.drawback(machine).is_none() && newer.missing(machine).is_none();
                // time is no reason to give strangers' programs more rights
                let costs_rights = newer.keeps_root() && !lab.keeps_root();
                serves && !(costs_rights && drawback == Some(Drawback::TranslatesEachStart))
            };
            let newer = newer.and_then(|newer| newer.as_ref().ok()).filter(fits);
            return Ok(Ok(newer.cloned().unwrap_or(lab)));
        };
        if arch != GUEST || lab.lacks_kvm(machine) {
            return Ok(Err(lacking));
        }
        Ok(match self.newer() {
            None => Err(lacking),
            Some(Err(error)) => Err(format!("{lacking}; a newer one is not to be had: {error}")),
            Some(Ok(newer)) => match newer.missing(machine) {
                None => Ok(Arc::clone(newer)),
                Some(lacking) => Err(lacking),
            },
        })
    }

    fn newer(&self) -> Option<&Result<Arc<VmLab>, String>> {
        let make = || Some((self.make_newer.as_ref()?)()?.map(Arc::new).map_err(|error| error.to_string()));
        self.newer.get_or_init(make).as_ref()
    }

    /// The lab of a cell: that of its machine, or the first one, which says what it lacks.
    fn of_cell(&self, arch: &'static Arch, machine: &Machine) -> Result<Arc<VmLab>, VmError> {
        match self.place(arch, machine)? {
            Ok(lab) => Ok(lab),
            Err(_) => self.of(arch),
        }
    }
}

impl Lab for Labs {
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure> {
        let lab = self.of_cell(kernel.arch, machine).map_err(|error| Failure::Host(error.to_string()))?;
        lab.prepare(kernel, test, machine)
    }

    fn prefetch(&self, kernel: &Kernel, test: &Test, machine: &Machine) {
        if let Ok(lab) = self.of_cell(kernel.arch, machine) {
            lab.prefetch(kernel, test, machine);
        }
    }

    fn keeps_vmcore(&self, failed: bool) -> bool {
        // they are all made alike
        self.labs.lock().values().next().is_some_and(|lab| lab.keeps_vmcore(failed))
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        match self.of_cell(request.kernel.arch, request.machine) {
            Ok(lab) => lab.attempt(request, watch),
            Err(error) => Observation::not_started(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::backend::{Backend, StartFrom};
    use crate::vm::guest::Guest;
    use crate::vm::initramfs::Busybox;
    use crate::vm::spec::{Accel, VmSpec};

    /// A QEMU that starts nothing.
    struct Idle {
        version: &'static str,
        is_slow: bool,
        keeps_root: bool,
    }

    impl Backend for Idle {
        fn name(&self) -> &'static str {
            "idle"
        }

        fn version(&self) -> String {
            self.version.to_owned()
        }

        fn start(&self, _: &VmSpec, _: StartFrom) -> Result<Box<dyn Guest>, VmError> {
            unreachable!("nothing is run")
        }

        fn snapshot_inputs(&self, _: &VmSpec) -> String {
            String::new()
        }

        fn missing(&self, _: &Machine, _: Option<Accel>) -> Option<String> {
            None
        }

        fn keeps_root(&self, _: Accel) -> bool {
            self.keeps_root
        }

        fn translates_each_start(&self) -> bool {
            self.is_slow
        }

        fn may_run_stale_code(&self, _: &VmSpec) -> bool {
            false
        }
    }

    fn lab(version: &'static str, is_slow: bool, keeps_root: bool) -> VmLab {
        let busybox = Busybox { image: Vec::new(), applets: Vec::new() };
        let backend = Arc::new(Idle { version, is_slow, keeps_root });
        VmLab::with(backend, Path::new("nowhere"), Vec::new(), busybox)
    }

    #[test]
    fn a_userland_gets_the_qemu_that_is_faster_unless_that_keeps_more_rights() {
        let plain = Machine::built_in();
        let userland = Machine::built_in().with_userland().expect("it has none");
        // machine, whether the first one is slow, whether the first and the newer one keep root's rights, which one
        let table = [
            (&userland, true, (false, false), "new"),
            (&userland, true, (true, true), "new"),
            (&userland, true, (false, true), "old"),
            (&userland, false, (false, false), "old"),
            (&plain, true, (false, false), "old"),
        ];
        for (machine, is_slow, (old_root, new_root), expected) in table {
            let make_newer = move || Some(Ok(lab("new", false, new_root)));
            let labs = Labs {
                make_newer: Some(Box::new(make_newer)),
                ..Labs::new(move |_| Ok(lab("old", is_slow, old_root)))
            };
            let placed = labs.place(GUEST, machine).expect("a lab").expect("one that builds it");
            assert_eq!(placed.backend().version(), expected);
        }
    }
}
