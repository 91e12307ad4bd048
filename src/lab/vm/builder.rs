//! How a lab is made and set: what runs its guests, what they hold, what executes them.

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

use super::{KeepVmcore, VmLab};
use crate::arch::{Arch, GUEST};
use crate::cancel::Cancel;
use crate::guest::message::FromGuest;
use crate::kernel::Kernel;
use crate::kernel::tools::{Tell, Tool, Tools};
use crate::lab::guests::Guests;
use crate::lab::timeouts::Timeouts;
use crate::suite::Clock;
use crate::vm::VmError;
use crate::vm::accel::{self, AccelDecision, AccelRequest};
use crate::vm::agent;
use crate::vm::backend::{self, Backend, StartFrom};
use crate::vm::conversation::{Interruption, await_event};
use crate::vm::guest::VmEvent;
use crate::vm::initramfs::{self, Busybox};
use crate::vm::qemu::QemuBackend;
use crate::vm::spec::{Accel, VmSpec};

impl VmLab {
    /// A lab with everything that guests need: what runs them, the agent, the shell.
    ///
    /// # Errors
    /// [`VmError`] names what is missing and how to get it.
    pub fn new(backend: Arc<dyn Backend>, cache: &Path) -> Result<VmLab, VmError> {
        let (agent, busybox) = (initramfs::find_agent()?.image, initramfs::find_busybox()?);
        Ok(VmLab::with(backend, cache, agent, busybox))
    }

    /// A lab for guests of an architecture. What this host lacks for another one than the default is fetched and built,
    /// which `tell` hears of.
    ///
    /// # Errors
    /// As [`VmLab::new`].
    pub fn for_arch(arch: &'static Arch, cache: &Path, tell: Tell<'_>) -> Result<VmLab, VmError> {
        let tools = Tools::new(cache);
        let backend = backend::find_for(arch, &tools, tell)?;
        if arch == GUEST {
            return VmLab::new(backend, cache);
        }
        let agent = agent::for_arch(arch, cache, &tools, tell)?;
        let busybox = tools.get(Tool::Busybox, arch, tell);
        let busybox = busybox.map_err(|source| VmError::Tools { name: arch.debian, source })?;
        let busybox = initramfs::foreign_busybox(&busybox)?;
        Ok(VmLab { arch, ..VmLab::with(backend, cache, agent, busybox) })
    }

    /// A lab with a newer QEMU than the host's release has, for machines that the installed one cannot build. It is
    /// fetched and unpacked where it is not here, which `tell` hears of.
    ///
    /// # Errors
    /// As [`VmLab::new`]; [`VmError::Tools`].
    pub fn newer(cache: &Path, tell: Tell<'_>) -> Result<VmLab, VmError> {
        VmLab::new(QemuBackend::newer(&Tools::new(cache), tell)?, cache)
    }

    /// A lab whose guests have this agent and this shell.
    pub(in crate::lab) fn with(
        backend: Arc<dyn Backend>,
        cache: &Path,
        agent: Vec<u8>,
        busybox: Busybox,
    ) -> VmLab {
        VmLab {
            arch: GUEST,
            backend,
            tools: Tools::new(cache),
            accel: OnceLock::new(),
            cache: cache.to_owned(),
            agent,
            busybox,
            timeouts: Timeouts::default(),
            terminate: None,
            cancel: Cancel::new(),
            keep_vmcore: KeepVmcore::Never,
            reads_memory: false,
            serial_only: false,
            real_clock: false,
            told_of_clocks: AtomicBool::new(false),
            guests: Some(Guests::new(cache)),
            pool: true,
            prepared: Mutex::default(),
            initramfs: Mutex::default(),
        }
    }

    /// Decides on the accelerator; `kernel` is what a trial boot would boot. Only the first decision counts.
    pub fn choose_accel(&self, request: AccelRequest, kernel: &Kernel) -> AccelDecision {
        if !self.arch.is_hosts() {
            let choice = accel::of_another(request, self.arch.debian);
            let _ = self.accel.set(choice.accel);
            return choice;
        }
        let choice = accel::choose(request, &self.backend.version(), &self.cache, || self.try_kvm(kernel));
        let _ = self.accel.set(choice.accel);
        choice
    }

    /// Gives guests no virtio port for the agent, so that it speaks on the second serial port as it does where the
    /// kernel lacks the driver.
    pub fn with_serial_only(mut self, serial_only: bool) -> VmLab {
        self.serial_only = serial_only;
        self
    }

    /// Lets no guest's clock leap, whatever its test says.
    pub fn with_real_clock(mut self, real_clock: bool) -> VmLab {
        self.real_clock = real_clock;
        self
    }

    /// Boots a guest for every attempt.
    pub fn without_snapshots(mut self) -> VmLab {
        self.guests = None;
        self
    }

    /// Restores each guest when its attempt asks for it, and none before.
    pub fn without_pool(mut self) -> VmLab {
        self.pool = false;
        self
    }

    /// Ends what is being prepared when this is set.
    pub fn with_cancel(mut self, cancel: &Cancel) -> VmLab {
        self.cancel = cancel.clone();
        self
    }

    /// Keeps the memory of guests.
    pub fn with_vmcore(mut self, keep: KeepVmcore) -> VmLab {
        self.keep_vmcore = keep;
        self
    }

    /// Reads the kernel's log out of the memory of guests that ended as they should, too, so that witnesses can be compared.
    pub fn with_memory_read(mut self) -> VmLab {
        self.reads_memory = true;
        self
    }

    /// Overrides every test's `terminate` time.
    pub fn with_terminate(mut self, terminate: Option<Duration>) -> VmLab {
        self.terminate = terminate;
        self
    }

    /// Overrides how long everything but the program may take.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> VmLab {
        self.timeouts = timeouts;
        self
    }

    /// Boots this kernel with KVM and waits for the agent; answers how many seconds that took.
    ///
    /// # Errors
    /// Why the agent never spoke, in words.
    pub fn try_kvm(&self, kernel: &Kernel) -> Result<f64, String> {
        let machine = VmSpec {
            arch: self.arch,
            accel: Accel::Kvm,
            cpus: 2,
            memory_mib: 512,
            kernel: kernel.boot_image().to_owned(),
            initramfs: self.initramfs(kernel)?,
            cmdline: Vec::new(),
            devices: Vec::new(),
            serial_channel: self.arch.console.lines > 1,
            virtio_channel: true,
            clock: Clock::Real,
            gdb: None,
        };
        let start = self.backend.now();
        let mut guest = self.backend.start(&machine, StartFrom::Boot).map_err(|e| e.to_string())?;
        let hello = |event: &VmEvent| matches!(event, VmEvent::Message(FromGuest::Hello(_))).then_some(());
        let deadline = start + accel::TRIAL;
        let heard = await_event(&mut *guest, deadline, &Cancel::new(), &mut |_| {}, hello);
        match heard.map_err(|e| e.to_string())? {
            Ok(()) => Ok((guest.now() - start).as_secs_f64()),
            Err(Interruption::Exited(exit)) => {
                let line = exit.stderr.lines().next().unwrap_or("nothing on standard error");
                Err(format!("{}: {line}", exit.how))
            }
            Err(Interruption::Deadline | Interruption::Cancelled) => {
                Err(format!("no word from the guest in {} s", accel::TRIAL.as_secs()))
            }
        }
    }
}
