//! Which of the kernel's detectors stand behind a report. From the kernel's sources, 5.10 to 7.3.

use super::kinds::*;
use crate::oops::ReportKind;

/// Detectors of which a kernel needs one; none: every kernel reports such a thing without being asked.
pub(super) type Needed = &'static [Detector];

const NONE: Needed = &[];

/// Starts of titles; the first that fits counts.
pub(super) const TITLES: &[(&str, Needed)] = &[
    ("KASAN", &[KASAN]),
    ("KCSAN", &[KCSAN]),
    ("KMSAN", &[KMSAN]),
    ("KFENCE", &[KFENCE]),
    ("UBSAN: array-index-out-of-bounds", &[UBSAN_BOUNDS]),
    ("UBSAN: shift-out-of-bounds", &[UBSAN_SHIFT, UBSAN_MISC]),
    (
        "UBSAN: signed-integer-overflow",
        &[UBSAN_SIGNED_OVERFLOW, UBSAN_SIGNED_WRAP, UBSAN_INTEGER_WRAP, UBSAN_MISC],
    ),
    ("UBSAN: unsigned-integer-overflow", &[UBSAN_UNSIGNED_OVERFLOW, UBSAN_UNSIGNED_WRAP, UBSAN_INTEGER_WRAP]),
    ("UBSAN: negation-overflow", &[UBSAN_SIGNED_OVERFLOW, UBSAN_SIGNED_WRAP, UBSAN_INTEGER_WRAP, UBSAN_MISC]),
    ("UBSAN: implicit-conversion", &[UBSAN_INTEGER_WRAP]),
    ("UBSAN: division-overflow", &[UBSAN_DIV_ZERO, UBSAN_MISC]),
    ("UBSAN: invalid-load", &[UBSAN_BOOL, UBSAN_ENUM, UBSAN_MISC]),
    ("UBSAN: object-size-mismatch", &[UBSAN_OBJECT_SIZE, UBSAN_MISC]),
    ("UBSAN: misaligned-access", &[UBSAN_ALIGNMENT]),
    ("UBSAN: alignment-assumption", &[UBSAN_ALIGNMENT]),
    ("UBSAN: null-ptr-deref", &[UBSAN_OBJECT_SIZE, UBSAN_ALIGNMENT, UBSAN_NULL, UBSAN_MISC]),
    ("UBSAN: unreachable", &[UBSAN_UNREACHABLE, UBSAN_MISC]),
    ("UBSAN: vla-bound-not-positive", &[UBSAN_VLA, UBSAN_MISC]),
    ("UBSAN", &[UBSAN]),
    ("array-index-out-of-bounds", &[UBSAN_BOUNDS]),
    ("shift-out-of-bounds", &[UBSAN_SHIFT, UBSAN_MISC]),
    ("slab-use-after-free", &[KASAN]),
    ("slab-out-of-bounds", &[KASAN]),
    ("stack-out-of-bounds", &[KASAN]),
    ("global-out-of-bounds", &[KASAN]),
    ("vmalloc-out-of-bounds", &[KASAN]),
    ("wild-memory-access", &[KASAN]),
    ("null-ptr-deref", &[KASAN]),
    ("invalid-free", &[KASAN]),
    ("double-free", &[KASAN]),
    ("out-of-bounds", &[KASAN, KFENCE, UBSAN]),
    ("use-after-free", &[KASAN, KFENCE, KMSAN]),
    ("uninit-value", &[KMSAN]),
    ("kernel-infoleak", &[KMSAN]),
    ("data-race", &[KCSAN]),
    ("memory leak in", &[DEBUG_KMEMLEAK]),
    ("possible deadlock", &[PROVE_LOCKING]),
    ("inconsistent lock state", &[PROVE_LOCKING]),
    // lockdep_rcu_suspicious() below RCU_LOCKDEP_WARN()
    ("WARNING: suspicious RCU usage", &[PROVE_RCU]),
    ("INFO: suspicious RCU usage", &[PROVE_RCU]),
    ("WARNING: locking bug", &[LOCKDEP]),
    ("WARNING: bad unlock balance", &[LOCKDEP]),
    ("WARNING: held lock freed", &[LOCKDEP]),
    ("WARNING: still has locks held", &[LOCKDEP]),
    ("WARNING: nested lock was not taken", &[LOCKDEP]),
    ("WARNING: lock held when returning to user space", &[LOCKDEP]),
    ("BUG: lock held when returning to user space", &[LOCKDEP]),
    ("BUG: still has locks held", &[LOCKDEP]),
    ("BUG: bad unlock balance", &[LOCKDEP]),
    ("BUG: held lock freed", &[LOCKDEP]),
    // assign_lock_key()
    ("INFO: trying to register non-static key", &[LOCKDEP]),
    // process_one_work() asks in_atomic() and lockdep
    ("BUG: workqueue leaked", &[PREEMPT_COUNT, LOCKDEP]),
    // in_atomic() is always false without a count
    ("BUG: scheduling while atomic", &[PREEMPT_COUNT]),
    ("BUG: scheduling in a non-blocking section", &[DEBUG_ATOMIC_SLEEP]),
    ("BUG: sleeping function called from invalid context", &[DEBUG_ATOMIC_SLEEP]),
    // check_preemption_disabled()
    ("BUG: using ", &[DEBUG_PREEMPT]),
    // spin_bug(), rwlock_bug()
    ("BUG: spinlock", &[DEBUG_SPINLOCK]),
    ("BUG: rwlock", &[DEBUG_SPINLOCK]),
    ("WARNING: ODEBUG bug", &[DEBUG_OBJECTS]),
    ("BUG: soft lockup", &[SOFTLOCKUP_DETECTOR]),
    ("BUG: hard lockup", &[HARDLOCKUP_DETECTOR]),
    ("BUG: workqueue lockup", &[WQ_WATCHDOG]),
    ("INFO: task hung", &[DETECT_HUNG_TASK]),
    ("INFO: task can't die", &[DETECT_HUNG_TASK]),
    ("INFO: rcu detected stall", &[RCU_STALL_COMMON]),
    // __list_add_valid_or_report(); LIST_HARDENED since 6.6
    ("BUG: corrupted list", &[DEBUG_LIST, LIST_HARDENED]),
    ("BUG: bad usercopy", &[HARDENED_USERCOPY]),
    ("WARNING: bad usercopy", &[HARDENED_USERCOPY]),
    ("kernel panic: stack is corrupted", &[STACKPROTECTOR]),
    ("kernel panic: corrupted stack end", &[SCHED_STACK_END_CHECK]),
    ("BUG: stack guard page was hit", &[VMAP_STACK]),
    ("kernel stack overflow", &[VMAP_STACK]),
    ("WARNING: kernel stack regs has bad", &[UNWINDER_FRAME_POINTER]),
    ("WARNING: kernel stack frame pointer has bad value", &[UNWINDER_FRAME_POINTER]),
    ("BUG: Object already free", &[SLAB_CHECKS]),
    // up to 5.11, where the report's first line is lost
    ("INFO: {1} of a report of SLUB", &[SLAB_CHECKS]),
    ("INFO: First byte of an overwritten object", &[SLAB_POISON]),
];

/// Words that a title has anywhere, as [`TITLES`]: what they say does not stand at its beginning.
pub(super) const WORDS: &[(&str, Needed)] = &[
    ("Redzone overwritten", &[SLAB_RED_ZONE]),
    ("Poison overwritten", &[SLAB_POISON]),
    ("Padding overwritten", &[SLAB_POISON]),
    ("padding overwritten", &[SLAB_POISON]),
    ("Object already free", &[SLAB_CHECKS]),
    ("Freepointer corrupt", &[SLAB_CHECKS]),
    ("Freechain corrupt", &[SLAB_CHECKS]),
    ("Wrong object count", &[SLAB_CHECKS]),
];

/// The options behind reports of these types, every one of [`ReportKind::ALL`]. Where a type has reports of several
/// detectors, the one without which most of them are unavailable; where it has some that need none, none.
pub(super) const KINDS: &[(Needed, &[ReportKind])] = {
    use ReportKind::*;
    &[
        (&[DEBUG_ATOMIC_SLEEP], &[AtomicSleep]),
        (
            &[KASAN],
            &[
                KasanInvalidFree,
                KasanNullDerefRead,
                KasanNullDerefWrite,
                KasanRead,
                KasanUnknown,
                KasanUseAfterFreeRead,
                KasanUseAfterFreeWrite,
                KasanWrite,
            ],
        ),
        (&[KCSAN], &[KcsanAssert, KcsanDataRace, KcsanUnknown]),
        (
            &[KFENCE],
            &[
                KfenceInvalidFree,
                KfenceMemoryCorruption,
                KfenceRead,
                KfenceUnknown,
                KfenceUseAfterFreeRead,
                KfenceUseAfterFreeWrite,
                KfenceWrite,
            ],
        ),
        (&[KMSAN], &[KmsanInfoLeak, KmsanUninitValue, KmsanUnknown, KmsanUseAfterFreeRead]),
        (&[DEBUG_KMEMLEAK], &[Leak]),
        (&[LOCKDEP], &[Lockdep]),
        (&[UBSAN_BOUNDS], &[MemorySafetyUbsan]),
        (&[UBSAN], &[Ubsan]),
        (
            NONE,
            &[
                Bug,
                DoS,
                Hang,
                LostConnection,
                MemorySafetyBug,
                NullDeref,
                Refcount,
                Reboot,
                SyzFailure,
                Unknown,
                Warning,
            ],
        ),
    ]
};
