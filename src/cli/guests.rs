//! How attempts are made and where runs are written: the same for every command that judges.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::arch::{Arch, GUEST};
use crate::cancel::Cancel;
use crate::cli::word::words;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::lab::by_arch::Labs;
use crate::lab::timeouts::Timeouts;
use crate::lab::vm::{Drawback, VmLab};
use crate::plan::PlacedTest;
use crate::runner::Capacity;
use crate::vm::accel::AccelRequest;

/// How attempts are made.
#[derive(Debug, clap::Args)]
pub struct GuestArgs {
    /// Virtual machines at once [default: as many as the host's processors and memory carry]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), env = "KREGRESS_JOBS")]
    pub jobs: Option<u32>,
    /// How often an attempt that says nothing about the test is repeated (no boot, QEMU died, crash before the test)
    #[arg(long, value_name = "N", default_value_t = 2, env = "KREGRESS_RETRIES")]
    pub retries: u32,
    /// Ends a program after this time, for every test, such as 90s or 5m [default: what its suite says]
    #[arg(long, value_name = "TIME", value_parser = parse_time, env = "KREGRESS_TIMEOUT")]
    pub timeout: Option<Duration>,
    /// How long a guest may take from its start to its first word
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "120s")]
    pub boot_timeout: Duration,
    /// What executes the guests; auto tries KVM once and remembers the answer
    #[arg(long, value_parser = words::<AccelRequest>(), ignore_case = true, default_value = "auto", env = "KREGRESS_ACCEL")]
    pub accel: AccelRequest,
    /// Boot a guest for every attempt instead of restoring one that was saved when it had booted
    #[arg(long)]
    pub no_snapshot: bool,
    /// Let time pass for every guest as it does for the host, also where its test only waits (`machine.clock: time-travel`)
    #[arg(long)]
    pub real_clock: bool,
    /// Unpack a newer QEMU from Debian's backports, without root, for machines that the installed one cannot build. One that
    /// is there, or that KREGRESS_NEWER_QEMU names, is used without this
    #[arg(
        long,
        env = "KREGRESS_FETCH_QEMU",
        hide_env_values = true,
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub fetch_qemu: bool,
}

/// Where runs are.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// The folder that holds the runs
    #[arg(
        short = 'o',
        long = "output",
        value_name = "DIR",
        env = "KREGRESS_REPORTS",
        hide_env_values = true,
        default_value = "reports"
    )]
    pub reports: PathBuf,
}

impl GuestArgs {
    /// The host's labs for guests of these architectures, as these arguments and `adjust` want them.
    ///
    /// # Errors
    /// What guests need and this host lacks.
    pub fn labs(
        &self,
        cache: &Path,
        cancel: &Cancel,
        arches: impl IntoIterator<Item = &'static Arch>,
        adjust: impl Fn(VmLab) -> VmLab + Send + Sync + 'static,
    ) -> Result<Labs, CliError> {
        self.check_open_files(1)?;
        let timeouts = Timeouts { boot: self.boot_timeout, ..Timeouts::default() };
        let (terminate, no_snapshot, cancel) = (self.timeout, self.no_snapshot, cancel.clone());
        let real_clock = self.real_clock;
        let tell = |text: &str| eprintln!("{:>12} {text}", "Preparing");
        let labs = Labs::on_host(cache, self.fetch_qemu, tell, move |lab| {
            let lab = lab.with_terminate(terminate).with_timeouts(timeouts).with_cancel(&cancel);
            let lab = lab.with_real_clock(real_clock);
            adjust(if no_snapshot { lab.without_snapshots() } else { lab })
        });
        for arch in arches {
            labs.of(arch).map_err(CliError::setup)?;
        }
        Ok(labs)
    }

    /// What guests may take of this host, which has as much free memory as it has now.
    pub fn capacity(&self) -> Capacity {
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let guests = crate::host::most_guests();
        Capacity { guests, jobs: self.jobs, cpus, memory_mib: free_memory_mib() }
    }

    /// Refuses what would run out of descriptors on the way.
    ///
    /// # Errors
    /// Too few files may be open for the guests that may run at a time, of so many kernels.
    pub fn check_open_files(&self, kernels: usize) -> Result<(), CliError> {
        let Capacity { jobs, cpus, .. } = self.capacity();
        crate::host::open_files_suffice(jobs.unwrap_or(cpus), kernels).map_err(CliError::setup)
    }

    /// The tests with what this host lacks for their machines. Which accelerator works can be asked once there is a kernel
    /// to boot; what the answer is and what the host has is reported to `tell`.
    pub fn place(
        &self,
        labs: &Labs,
        kernel: &Kernel,
        capacity: Capacity,
        placed: &[PlacedTest],
        tell: &dyn Fn(Event),
    ) -> Vec<PlacedTest> {
        let lab = match labs.of(kernel.arch) {
            Ok(lab) => lab,
            Err(error) => {
                let lacking = Some(error.to_string());
                return placed.iter().map(|p| PlacedTest { lacking: lacking.clone(), ..p.clone() }).collect();
            }
        };
        let choice = lab.choose_accel(self.accel, kernel);
        let place = |p: &PlacedTest| self.place_one(labs, &lab, kernel, p, tell);
        if kernel.arch != GUEST {
            let (name, version) = (kernel.arch.debian, lab.backend().version());
            let text =
                format!("guests of {name} run in QEMU {version} with {} ({})", choice.accel, choice.reason);
            tell(Event::Notice { text });
            return placed.iter().map(place).collect();
        }
        tell(Event::Host {
            user: lab.backend().user(choice.accel),
            qemu: lab.backend().version(),
            accel: choice.accel.to_string(),
            accel_reason: choice.reason,
            cpus: capacity.cpus,
            memory_mib: capacity.memory_mib,
        });
        placed.iter().map(place).collect()
    }

    /// One test with what this host lacks for its machine.
    fn place_one(
        &self,
        labs: &Labs,
        first: &Arc<VmLab>,
        kernel: &Kernel,
        placed: &PlacedTest,
        tell: &dyn Fn(Event),
    ) -> PlacedTest {
        let mut machine = Arc::clone(&placed.machine);
        let lacking = match labs.place(kernel.arch, &placed.machine) {
            Err(error) => Some(error.to_string()),
            Ok(Err(lacking)) => {
                Some(match self.fetch_qemu || kernel.arch != GUEST || first.lacks_kvm(&placed.machine) {
                    true => lacking,
                    false => format!("{lacking} (--fetch-qemu unpacks a newer one)"),
                })
            }
            Ok(Ok(lab)) => {
                if !Arc::ptr_eq(&lab, first) && lab.accel().is_none() {
                    let choice = lab.choose_accel(self.accel, kernel);
                    let (version, machine) = (lab.backend().version(), &placed.machine.name);
                    let why = match first.missing(&placed.machine) {
                        Some(_) => "as the first one cannot build them",
                        None => first.drawback(&placed.machine).map_or("", Drawback::reason),
                    };
                    let text = format!(
                        "guests of machines such as {machine} run in QEMU {version} with {}, {why}",
                        choice.accel
                    );
                    tell(Event::Notice { text });
                }
                if !machine.clock.is_real() {
                    let (fitted, notice) = lab.fitted(&machine);
                    machine = Arc::new(fitted);
                    notice.into_iter().for_each(|text| tell(Event::Notice { text }));
                }
                // that of another QEMU was asked before it was decided whether it has KVM
                lab.missing(&placed.machine)
            }
        };
        PlacedTest { lacking, machine, ..placed.clone() }
    }
}

/// Reads a time such as `90s`.
///
/// # Errors
/// What is expected instead, in words.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    crate::suite::parse_duration(text).map_err(|e| e.to_string())
}

/// Memory that guests may take, MiB: most of what the host says is available.
fn free_memory_mib() -> u64 {
    crate::host::available_memory_mib().unwrap_or(2048) * 8 / 10
}

/// A seed for a run that is given none.
pub fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
