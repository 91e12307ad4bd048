//! The real lab: every attempt is a virtual machine of its own.

mod builder;
mod drawback;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

pub use drawback::Drawback;

use super::attempt::{self, AttemptContext};
use super::guests::{Guests, Wanted};
use super::payload::Payload;
use super::prepare::{self, PrepareError, Prepared};
use super::timeouts::{Limits, Timeouts};
use super::{Lab, Request, Watch};
use crate::arch::{Arch, GUEST};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::kernel::tools::{Tool, Tools};
use crate::kernel::{Kernel, ModuleState};
use crate::machine::{AccelNeed, Machine, Medium};
use crate::observation::{Ending, Observation, Phase, Start, Stopped};
use crate::suite::{Clock, Test};
use crate::vm::accel;
use crate::vm::backend::{Backend, StartFrom};
use crate::vm::guest::VMCORE;
use crate::vm::initramfs::{self, Busybox, ChannelModule};
use crate::vm::snapshot::{Restored, SaveError};
use crate::vm::spec::{Accel, VmDevice, VmSpec};

/// Drivers of the agent's channel, in the order in which they are wanted.
const CHANNEL_DRIVERS: &[&str] = &["virtio_pci", "virtio_console"];

/// Whose memory is kept as a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepVmcore {
    /// No guest's.
    #[default]
    Never,
    /// That of attempts that are neither good nor skipped.
    OnFailure,
    /// Every guest's.
    Always,
}

type OnceSlot<T> = Arc<OnceLock<T>>;

/// What the lab works with.
pub struct VmLab {
    arch: &'static Arch,
    backend: Arc<dyn Backend>,
    tools: Tools,
    accel: OnceLock<Accel>,
    cache: PathBuf,
    agent: Vec<u8>,
    busybox: Busybox,
    timeouts: Timeouts,
    terminate: Option<Duration>,
    /// Ends what is prepared.
    cancel: Cancel,
    keep_vmcore: KeepVmcore,
    /// Whether the kernel's log is read out of every guest's memory.
    reads_memory: bool,
    /// Whether guests have no virtio port for the agent.
    serial_only: bool,
    /// Whether no guest's clock leaps.
    real_clock: bool,
    /// Whether it was said that none can.
    told_of_clocks: AtomicBool,
    /// Restores guests; absent: each attempt boots.
    guests: Option<Guests>,
    /// Whether the next guest is restored while an attempt is watched a last time.
    pool: bool,
    /// Tests whose programs and images are ready, by their names.
    prepared: Mutex<HashMap<String, OnceSlot<Result<Prepared, PrepareError>>>>,
    /// The initramfs of each kernel, by the kernels' digests.
    initramfs: Mutex<HashMap<String, OnceSlot<Result<PathBuf, String>>>>,
}

impl VmLab {
    /// Waits until the guests that were prefetched are there.
    pub fn wait_prefetched(&self) {
        if let Some(guests) = &self.guests {
            guests.wait_prefetched();
        }
    }

    /// What runs the guests.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Compiles a test's program and makes its images, once.
    ///
    /// # Errors
    /// As [`prepare::prepare`].
    pub fn prepare_test(&self, test: &Test) -> Result<Prepared, PrepareError> {
        let slot = Arc::clone(self.prepared.lock().entry(test.id()).or_default());
        slot.get_or_init(|| prepare::prepare(test, self.arch, &|| self.compiler(), &self.cache, &self.cancel))
            .clone()
    }

    /// The C compiler for programs of the guests.
    fn compiler(&self) -> Result<String, PrepareError> {
        if self.arch == GUEST {
            return Ok(prepare::host_compiler());
        }
        let got = self.tools.get(Tool::Compiler, self.arch, &|_| {});
        let got = got.map_err(|e| PrepareError::Io(format!("a C compiler for {}: {e}", self.arch.debian)));
        Ok(got?.display().to_string())
    }

    /// The initramfs for a kernel, made once.
    ///
    /// # Errors
    /// A driver of the channel cannot be read, or the cache cannot be written; in words.
    pub fn initramfs(&self, kernel: &Kernel) -> Result<PathBuf, String> {
        let slot = Arc::clone(self.initramfs.lock().entry(initramfs_key(kernel)).or_default());
        slot.get_or_init(|| self.make_initramfs(kernel)).clone()
    }

    fn make_initramfs(&self, kernel: &Kernel) -> Result<PathBuf, String> {
        let wanted: Vec<&str> = CHANNEL_DRIVERS
            .iter()
            .copied()
            .filter(|d| kernel.modules.find(d) == ModuleState::Loadable)
            .collect();
        let files = kernel.modules.load_order(&wanted).map_err(|e| e.to_string())?;
        let modules = files
            .iter()
            .map(|file| {
                let contents = kernel.modules.read(file).map_err(|e| e.to_string())?;
                Ok(ChannelModule { name: file.name.clone(), contents })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let contents = initramfs::Contents {
            agent: &self.agent,
            busybox: &self.busybox.image,
            applets: &self.busybox.applets,
            modules: &modules,
        };
        initramfs::store(&contents, &self.cache.join("initramfs")).map_err(|e| e.to_string())
    }

    /// The virtual machine that a test's machine is on a kernel.
    ///
    /// # Errors
    /// As [`VmLab::initramfs`]; a disk's image is unavailable.
    pub fn machine(&self, kernel: &Kernel, machine: &Machine, prepared: &Prepared) -> Result<VmSpec, String> {
        let devices = (1..)
            .zip(&machine.devices)
            .map(|(nth, device)| {
                let image = device.kind.medium().map(|medium| self.image(medium, prepared)).transpose()?;
                Ok(VmDevice { device: device.clone(), nth, image })
            })
            .collect::<Result<_, String>>()?;
        // without the driver, or where it is not known, the agent may speak on the second serial port
        let virtio = kernel.modules.find("virtio_console");
        let has_second_line = self.arch.console.lines > 1;
        let accel = match machine.accel {
            AccelNeed::Tcg => Accel::Tcg,
            AccelNeed::Any | AccelNeed::Kvm => self.accel().unwrap_or(Accel::Tcg),
        };
        Ok(VmSpec {
            arch: self.arch,
            accel,
            cpus: machine.cpus,
            memory_mib: machine.memory_mib,
            kernel: kernel.boot_image().to_owned(),
            initramfs: self.initramfs(kernel)?,
            cmdline: machine.cmdline.clone(),
            devices,
            serial_channel: has_second_line
                && (self.serial_only || !matches!(virtio, ModuleState::Builtin | ModuleState::Loadable)),
            virtio_channel: !(self.serial_only && has_second_line),
            clock: if accel == Accel::Tcg && self.leaps() { machine.clock } else { Clock::Real },
            gdb: None,
        })
    }

    fn image(&self, medium: &Medium, prepared: &Prepared) -> Result<PathBuf, String> {
        match medium {
            Medium::Image(path) => Ok(path.clone()),
            Medium::Prepared(output) => {
                let image = prepared.outputs.get(output);
                image.cloned().ok_or_else(|| format!("no prepare step makes {output}"))
            }
            Medium::Userland => {
                let image = prepared.userland.as_ref().map(|userland| userland.path.clone());
                image.ok_or_else(|| "no userland was made".to_owned())
            }
            Medium::Blank(mib) => prepare::blank(*mib, &self.cache).map_err(|e| e.to_string()),
        }
    }

    /// Why the clocks of this lab's emulated guests cannot leap over idle time; `None` if they can.
    fn lacks_time_travel(&self) -> Option<String> {
        self.backend.lacks_time_travel()
    }

    fn leaps(&self) -> bool {
        !self.real_clock && self.lacks_time_travel().is_none()
    }

    /// What another QEMU may do better for guests of this machine; `None` where this one serves them well.
    pub fn drawback(&self, machine: &Machine) -> Option<Drawback> {
        let translates = machine.accel != AccelNeed::Kvm && self.accel() != Some(Accel::Kvm);
        if !translates {
            return None;
        }
        if !machine.clock.is_real() && !self.real_clock && !self.leaps() {
            return Some(Drawback::NoTimeTravel);
        }
        // busybox and the agent, all that there is without a userland, are linked statically: their place is always the same
        (machine.has_userland() && self.backend.translates_each_start())
            .then_some(Drawback::TranslatesEachStart)
    }

    /// Whether its emulated guests have root's rights on this host.
    pub fn keeps_root(&self) -> bool {
        self.backend.keeps_root(Accel::Tcg)
    }

    /// The machine as this lab runs it, and what the user should know of that. Where the host's processor executes it no
    /// clock leaps: nothing is said of that, as everything is fast then. The rest is said once.
    pub fn fitted(&self, machine: &Machine) -> (Machine, Option<String>) {
        let real = || Machine { clock: Clock::Real, ..machine.clone() };
        if machine.clock.is_real() || self.real_clock {
            return (real(), None);
        }
        if machine.accel == AccelNeed::Kvm
            || machine.accel == AccelNeed::Any && self.accel() == Some(Accel::Kvm)
        {
            return (real(), None);
        }
        match self.lacks_time_travel() {
            None => (machine.clone(), None),
            Some(why) => {
                let text = format!("tests with `clock: time-travel` wait as long as others: {why}");
                (real(), (!self.told_of_clocks.swap(true, Ordering::Relaxed)).then_some(text))
            }
        }
    }

    /// Why this host cannot build a machine; `None` if it can, as far as that is known.
    pub fn missing(&self, machine: &Machine) -> Option<String> {
        self.backend.missing(machine, self.accel())
    }

    /// Whether a machine needs KVM and this host has none: no other QEMU would help.
    pub fn lacks_kvm(&self, machine: &Machine) -> bool {
        accel::is_lacking(machine.accel, self.accel())
    }

    /// What executes the guests, once that is decided.
    pub fn accel(&self) -> Option<Accel> {
        self.accel.get().copied()
    }

    fn try_attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Result<Observation, String> {
        let start = self.backend.now();
        watch.phase(Phase::Prepare);
        let prepared = self.prepare_test(request.test).map_err(|e| e.to_string())?;
        let machine = self.machine(request.kernel, request.machine, &prepared)?;
        let payload = Payload::build(
            request.kernel,
            request.test,
            request.machine,
            &prepared,
            request.seed,
            machine.accel,
        )
        .map_err(|e| e.to_string())?;
        let timeouts = &request.test.timeout;
        let terminate = self.terminate.unwrap_or(timeouts.terminate);
        let context = || AttemptContext {
            payload: &payload,
            modules: &request.kernel.modules,
            devices: &machine.devices,
            limits: Limits { slow: timeouts.slow.min(terminate), terminate },
            timeouts: self.timeouts,
            watch,
            cancel: request.cancel,
            console_file: open(request.dir, "console.log", watch),
            output_file: open(request.dir, "output.log", watch),
            vmcore: request.dir.filter(|_| self.keep_vmcore != KeepVmcore::Never).map(|dir| dir.join(VMCORE)),
            reads_memory: self.reads_memory,
            clock_leaps: !machine.clock.is_real(),
            in_vain: request.in_vain,
        };
        let name = format!("{} on {}", request.kernel.name, request.machine.name);
        let wanted = self.wanted(&machine, &name, watch, request.cancel);
        let guests = self.guests_for(request.test);
        let _running = guests.map(Guests::running);
        let guest = guests.and_then(|guests| guests.restored(wanted));
        if request.cancel.is_set() {
            return Ok(Observation {
                ending: Ending::Stopped(Stopped::Cancelled),
                ..Observation::not_started("")
            });
        }
        let time_travel = !machine.clock.is_real();
        let stale_code = self.backend.may_run_stale_code(&machine);
        let restored = guest.map(|Restored { mut guest, facts, console }| {
            attempt::resume(&mut *guest, console, facts, context(), start)
        });
        let ended = match restored {
            Some(seen) if is_suspicious(&seen) => Some(seen.ending),
            Some(seen) => {
                if let (Some(guests), Some(clock)) = (guests, seen.runaway_clock()) {
                    guests.reject(wanted, &clock.to_string());
                }
                return Ok(Observation { stale_code, time_travel, ..seen });
            }
            None => None,
        };
        let start = self.backend.now();
        let mut guest = self.backend.start(&machine, StartFrom::Boot).map_err(|e| e.to_string())?;
        let seen = attempt::run(&mut *guest, context(), start);
        if let (Some(guests), Some(ended)) = (guests.filter(|_| seen.program.started), ended) {
            let why = format!("it ended before the test began ({ended}), and a booted one did not");
            guests.reject(wanted, &why);
        }
        Ok(Observation { stale_code, time_travel, ..seen })
    }

    /// Where a test's guests come from; `None`: each is booted.
    fn guests_for(&self, test: &Test) -> Option<&Guests> {
        self.guests.as_ref().filter(|_| test.boots.is_none())
    }

    fn wanted<'a>(
        &'a self,
        machine: &'a VmSpec,
        name: &'a str,
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> Wanted<'a> {
        Wanted { backend: &self.backend, machine, name, timeouts: self.timeouts, watch, cancel }
    }

    /// Makes the snapshot of a machine that takes no image of a test's, unless there is one; answers with the release
    /// of its kernel.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn save_guest(&self, kernel: &Kernel, machine: &Machine, cancel: &Cancel) -> Result<String, String> {
        struct Deaf;
        impl Watch for Deaf {
            fn phase(&self, _: Phase) {}
            fn slow(&self, _: f64) {}
            fn trouble(&self, _: &str) {}
        }
        let guest = self.machine(kernel, machine, &Prepared::default())?;
        let Some(guests) = &self.guests else { return Err("snapshots are switched off".to_owned()) };
        let snapshot = guests.snapshot(self.wanted(&guest, &kernel.name, &Deaf, cancel));
        snapshot.map(|s| s.release().to_owned()).map_err(|e: SaveError| e.to_string())
    }
}

fn initramfs_key(kernel: &Kernel) -> String {
    format!("{} {}", kernel.digest, kernel.release)
}

/// What was made once under this name, if it was.
fn made<T: Clone>(slots: &Mutex<HashMap<String, OnceSlot<T>>>, name: &str) -> Option<T> {
    slots.lock().get(name)?.get().cloned()
}

/// Whether a restored guest ended before the test's program in a way that may be the restore's fault and not the
/// kernel's. Such an attempt is made again with a boot, and nothing is concluded from it.
fn is_suspicious(seen: &Observation) -> bool {
    let called_off = seen.ending == Ending::Stopped(Stopped::Cancelled);
    seen.start == Start::Restored && !seen.program.started && seen.setup_failure.is_none() && !called_off
}

/// A file of the attempt's folder. Where it cannot be made the attempt continues without: the verdict does not depend
/// on it, and the journal says what the console said.
fn open(dir: Option<&Path>, name: &str, watch: &dyn Watch) -> Option<File> {
    let path = dir?.join(name);
    File::create(&path).map_err(|e| watch.trouble(&format!("{} cannot be written: {e}", path.display()))).ok()
}

impl Lab for VmLab {
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure> {
        let prepared = self.prepare_test(test).map_err(|e| match e.is_hosts() {
            true => Failure::Host(e.to_string()),
            false => Failure::Test(e.to_string()),
        })?;
        let accel = self.machine(kernel, machine, &prepared).map_err(Failure::Host)?.accel;
        let payload = Payload::build(kernel, test, machine, &prepared, 0, accel);
        payload.map(drop).map_err(|e| Failure::Test(e.to_string()))
    }

    fn prefetch(&self, kernel: &Kernel, test: &Test, machine: &Machine) {
        let Some(guests) = self.guests_for(test).filter(|_| self.pool) else { return };
        // what is not there yet would keep the caller waiting
        let (Some(Ok(prepared)), Some(Ok(_))) =
            (made(&self.prepared, &test.id()), made(&self.initramfs, &initramfs_key(kernel)))
        else {
            return;
        };
        if let Ok(machine) = self.machine(kernel, machine, &prepared) {
            guests.prefetch(&self.backend, &machine, self.timeouts.restore);
        }
    }

    fn keeps_vmcore(&self, failed: bool) -> bool {
        self.keep_vmcore == KeepVmcore::Always || failed && self.keep_vmcore == KeepVmcore::OnFailure
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        self.try_attempt(request, watch).unwrap_or_else(Observation::not_started)
    }
}

#[cfg(test)]
mod tests;
