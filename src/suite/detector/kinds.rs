//! The kernel's detectors by the options that they are built by, and how each of them may be off in a kernel that has it.

/// A detector of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detector {
    /// The option that it is built by, without `CONFIG_`.
    pub option: &'static str,
    /// How it may be off all the same.
    pub stops: Stops,
}

/// How a detector that is built in may be off, or stop while the kernel runs. Each has its answer in
/// `verdict/judge/detectors.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stops {
    /// Nothing stops it but the end of the kernel.
    Never,
    /// The sysctls `kernel.hung_task_*`; it may have no reports left.
    HungTask,
    /// The sysctls of the watchdog.
    SoftLockup,
    /// As [`Stops::SoftLockup`]; and the processor may have no counter of cycles.
    HardLockup,
    /// It reports once; and a taint or a table that is full ends it.
    Lockdep,
    /// As [`Stops::Lockdep`], and the sysctl `kernel.prove_locking`.
    ProveLocking,
    /// It reports once.
    Kasan,
    /// A file in debugfs.
    Kcsan,
    /// Its interval of samples may be 0.
    Kfence,
    /// A file in debugfs; it gives up when memory runs out.
    Kmemleak,
    /// It gives up when memory runs out.
    Objects,
    /// A parameter of workqueues.
    Workqueues,
    /// Parameters of RCU.
    RcuStalls,
    /// Red zones of slab objects, switched on at boot only.
    SlabRedZones,
    /// Poison of slab objects, as [`Stops::SlabRedZones`].
    SlabPoison,
    /// Consistency checks of slab caches, as [`Stops::SlabRedZones`].
    SlabChecks,
}

impl Stops {
    /// The settings that tell, by the names of the guest's list (`guest-agent/src/detectors.rs`).
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Stops::Never | Stops::Kasan | Stops::Kmemleak | Stops::Objects => &[],
            Stops::HungTask => &[
                "kernel.hung_task_timeout_secs",
                "kernel.hung_task_warnings",
                "kernel.hung_task_check_interval_secs",
                "kernel.hung_task_check_count",
            ],
            Stops::SoftLockup => &[
                "kernel.watchdog",
                "kernel.soft_watchdog",
                "kernel.watchdog_thresh",
                "kernel.watchdog_cpumask",
            ],
            Stops::HardLockup => &[
                "kernel.watchdog",
                "kernel.nmi_watchdog",
                "kernel.watchdog_thresh",
                "kernel.watchdog_cpumask",
            ],
            Stops::Lockdep => &["debug_locks"],
            Stops::ProveLocking => &["debug_locks", "kernel.prove_locking"],
            Stops::Kcsan => &["kcsan"],
            Stops::Kfence => &["kfence.sample_interval"],
            Stops::Workqueues => &["workqueue.watchdog_thresh"],
            Stops::RcuStalls => &["rcu_cpu_stall_suppress", "rcu_cpu_stall_timeout"],
            Stops::SlabRedZones => &["slab_debug=Z"],
            Stops::SlabPoison => &["slab_debug=P"],
            Stops::SlabChecks => &["slab_debug=F"],
        }
    }
}

const fn built(option: &'static str, stops: Stops) -> Detector {
    Detector { option, stops }
}

/// Red zones of slab objects (`check_object()` of `mm/slub.c`), switched on by `slab_debug=Z` or for all caches.
pub const SLAB_RED_ZONE: Detector = built("SLUB_DEBUG_ON or slab_debug=Z", Stops::SlabRedZones);
/// Poison of slab objects, as [`SLAB_RED_ZONE`].
pub const SLAB_POISON: Detector = built("SLUB_DEBUG_ON or slab_debug=P", Stops::SlabPoison);
/// Consistency checks of slab caches, as [`SLAB_RED_ZONE`].
pub const SLAB_CHECKS: Detector = built("SLUB_DEBUG_ON or slab_debug=F", Stops::SlabChecks);
/// Names the task that holds what a hung one waits for: mutexes since 6.16, semaphores since 6.17.
pub const DETECT_HUNG_TASK_BLOCKER: Detector = built("DETECT_HUNG_TASK_BLOCKER", Stops::HungTask);
/// Stalls of RCU, in every kernel with several processors.
pub(super) const RCU_STALL_COMMON: Detector = built("RCU_STALL_COMMON", Stops::RcuStalls);
/// Up to 5.10 one option for all checks of UBSAN but that of array bounds, afterwards one for each (`lib/Kconfig.ubsan`).
pub(super) const UBSAN_MISC: Detector = built("UBSAN_MISC", Stops::Never);

pub(super) const DEBUG_ATOMIC_SLEEP: Detector = built("DEBUG_ATOMIC_SLEEP", Stops::Never);
/// Memory that nothing points to.
pub const DEBUG_KMEMLEAK: Detector = built("DEBUG_KMEMLEAK", Stops::Kmemleak);
pub(super) const DEBUG_LIST: Detector = built("DEBUG_LIST", Stops::Never);
pub(super) const DEBUG_OBJECTS: Detector = built("DEBUG_OBJECTS", Stops::Objects);
pub(super) const DEBUG_PREEMPT: Detector = built("DEBUG_PREEMPT", Stops::Never);
pub(super) const DEBUG_SPINLOCK: Detector = built("DEBUG_SPINLOCK", Stops::Never);
/// Tasks that wait for too long.
pub const DETECT_HUNG_TASK: Detector = built("DETECT_HUNG_TASK", Stops::HungTask);
pub(super) const HARDENED_USERCOPY: Detector = built("HARDENED_USERCOPY", Stops::Never);
pub(super) const HARDLOCKUP_DETECTOR: Detector = built("HARDLOCKUP_DETECTOR", Stops::HardLockup);
pub(super) const KASAN: Detector = built("KASAN", Stops::Kasan);
pub(super) const KCSAN: Detector = built("KCSAN", Stops::Kcsan);
pub(super) const KFENCE: Detector = built("KFENCE", Stops::Kfence);
pub(super) const KMSAN: Detector = built("KMSAN", Stops::Never);
pub(super) const LIST_HARDENED: Detector = built("LIST_HARDENED", Stops::Never);
pub(super) const LOCKDEP: Detector = built("LOCKDEP", Stops::Lockdep);
pub(super) const PREEMPT_COUNT: Detector = built("PREEMPT_COUNT", Stops::Never);
pub(super) const PROVE_LOCKING: Detector = built("PROVE_LOCKING", Stops::ProveLocking);
pub(super) const PROVE_RCU: Detector = built("PROVE_RCU", Stops::Lockdep);
pub(super) const SCHED_STACK_END_CHECK: Detector = built("SCHED_STACK_END_CHECK", Stops::Never);
pub(super) const SOFTLOCKUP_DETECTOR: Detector = built("SOFTLOCKUP_DETECTOR", Stops::SoftLockup);
pub(super) const STACKPROTECTOR: Detector = built("STACKPROTECTOR", Stops::Never);
pub(super) const UBSAN: Detector = built("UBSAN", Stops::Never);
pub(super) const UBSAN_ALIGNMENT: Detector = built("UBSAN_ALIGNMENT", Stops::Never);
pub(super) const UBSAN_BOOL: Detector = built("UBSAN_BOOL", Stops::Never);
pub(super) const UBSAN_BOUNDS: Detector = built("UBSAN_BOUNDS", Stops::Never);
pub(super) const UBSAN_DIV_ZERO: Detector = built("UBSAN_DIV_ZERO", Stops::Never);
pub(super) const UBSAN_ENUM: Detector = built("UBSAN_ENUM", Stops::Never);
pub(super) const UBSAN_INTEGER_WRAP: Detector = built("UBSAN_INTEGER_WRAP", Stops::Never);
pub(super) const UBSAN_NULL: Detector = built("UBSAN_NULL", Stops::Never);
pub(super) const UBSAN_OBJECT_SIZE: Detector = built("UBSAN_OBJECT_SIZE", Stops::Never);
pub(super) const UBSAN_SHIFT: Detector = built("UBSAN_SHIFT", Stops::Never);
pub(super) const UBSAN_SIGNED_OVERFLOW: Detector = built("UBSAN_SIGNED_OVERFLOW", Stops::Never);
pub(super) const UBSAN_SIGNED_WRAP: Detector = built("UBSAN_SIGNED_WRAP", Stops::Never);
pub(super) const UBSAN_UNREACHABLE: Detector = built("UBSAN_UNREACHABLE", Stops::Never);
pub(super) const UBSAN_UNSIGNED_OVERFLOW: Detector = built("UBSAN_UNSIGNED_OVERFLOW", Stops::Never);
pub(super) const UBSAN_UNSIGNED_WRAP: Detector = built("UBSAN_UNSIGNED_WRAP", Stops::Never);
pub(super) const UBSAN_VLA: Detector = built("UBSAN_VLA", Stops::Never);
pub(super) const UNWINDER_FRAME_POINTER: Detector = built("UNWINDER_FRAME_POINTER", Stops::Never);
pub(super) const VMAP_STACK: Detector = built("VMAP_STACK", Stops::Never);
pub(super) const WQ_WATCHDOG: Detector = built("WQ_WATCHDOG", Stops::Workqueues);
/// Rows of `/proc/slabinfo` by the allocator that was removed in 6.8.
pub const SLAB: Detector = built("SLAB", Stops::Never);
/// Rows of `/proc/slabinfo`.
pub const SLUB_DEBUG: Detector = built("SLUB_DEBUG", Stops::Never);
