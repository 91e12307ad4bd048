//! The classes of defects, in the words syzkaller uses for the type of a crash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $sentence:literal;)*) => {
        /// The class of a defect. Its text form (`Display`, `FromStr`, serde) is syzkaller's word for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ReportKind {
            $(#[doc = $sentence] #[serde(rename = $word)] $variant,)*
        }

        impl ReportKind {
            /// Every class, in alphabetical order of the words.
            pub const ALL: &'static [ReportKind] = &[$(ReportKind::$variant,)*];

            /// The word for the class, as syzkaller writes it.
            pub fn word(self) -> &'static str {
                match self { $(ReportKind::$variant => $word,)* }
            }

            /// One sentence for a reader who does not know the class.
            pub fn sentence(self) -> &'static str {
                match self { $(ReportKind::$variant => $sentence,)* }
            }
        }

        impl FromStr for ReportKind {
            type Err = UnknownKind;

            fn from_str(word: &str) -> Result<Self, UnknownKind> {
                match word {
                    $($word => Ok(ReportKind::$variant),)*
                    _ => Err(UnknownKind { found: word.to_owned() }),
                }
            }
        }
    };
}

kinds! {
    AtomicSleep = "ATOMIC_SLEEP", "Code that must not sleep called something that may.";
    Bug = "BUG", "The kernel ran into one of its own BUG() checks and killed the task.";
    DoS = "DoS", "The kernel crashed or became unusable: a fault, a fatal exception or a panic.";
    Hang = "HANG", "A task or a CPU made no progress for so long that the kernel complained.";
    KasanInvalidFree = "KASAN-INVALID-FREE", "Memory was freed twice, or something was freed that was never allocated.";
    KasanNullDerefRead = "KASAN-NULL-POINTER-DEREFERENCE-READ", "A read went through a NULL pointer.";
    KasanNullDerefWrite = "KASAN-NULL-POINTER-DEREFERENCE-WRITE", "A write went through a NULL pointer.";
    KasanRead = "KASAN-READ", "A read went outside the memory it was meant for.";
    KasanUnknown = "KASAN-UNKNOWN", "KASAN saw a bad memory access; the report does not say which.";
    KasanUseAfterFreeRead = "KASAN-USE-AFTER-FREE-READ", "Memory was read after it had been freed.";
    KasanUseAfterFreeWrite = "KASAN-USE-AFTER-FREE-WRITE", "Memory was written after it had been freed.";
    KasanWrite = "KASAN-WRITE", "A write went outside the memory it was meant for.";
    KcsanAssert = "KCSAN-ASSERT", "Another CPU broke an exclusiveness that the code asserts.";
    KcsanDataRace = "KCSAN-DATARACE", "Two CPUs accessed the same memory at once without marking the accesses.";
    KcsanUnknown = "KCSAN-UNKNOWN", "KCSAN saw a race; the report does not say which.";
    KfenceInvalidFree = "KFENCE-INVALID-FREE", "Memory was freed twice, or something was freed that was never allocated.";
    KfenceMemoryCorruption = "KFENCE-MEMORY-CORRUPTION", "The bytes next to an allocation had been overwritten when it was freed.";
    KfenceRead = "KFENCE-READ", "A read went outside the memory it was meant for.";
    KfenceUnknown = "KFENCE-UNKNOWN", "KFENCE saw a bad memory access; the report does not say which.";
    KfenceUseAfterFreeRead = "KFENCE-USE-AFTER-FREE-READ", "Memory was read after it had been freed.";
    KfenceUseAfterFreeWrite = "KFENCE-USE-AFTER-FREE-WRITE", "Memory was written after it had been freed.";
    KfenceWrite = "KFENCE-WRITE", "A write went outside the memory it was meant for.";
    KmsanInfoLeak = "KMSAN-INFO-LEAK", "Uninitialised kernel memory was handed to user space or a device.";
    KmsanUninitValue = "KMSAN-UNINIT-VALUE", "The kernel acted on memory that nobody had initialised.";
    KmsanUnknown = "KMSAN-UNKNOWN", "KMSAN saw a use of uninitialised memory; the report does not say which.";
    KmsanUseAfterFreeRead = "KMSAN-USE-AFTER-FREE-READ", "Memory was read after it had been freed.";
    Leak = "LEAK", "Memory was allocated and nothing points to it any more.";
    Lockdep = "LOCKDEP", "Locks are used in an order or a context that can deadlock.";
    LostConnection = "LOST_CONNECTION", "The machine stopped answering.";
    MemorySafetyBug = "MEMORY_SAFETY_BUG", "The kernel followed a bad pointer or found one of its lists damaged.";
    MemorySafetyUbsan = "MEMORY_SAFETY_UBSAN", "An array was indexed outside its bounds.";
    NullDeref = "NULL-POINTER-DEREFERENCE", "The kernel followed a NULL pointer.";
    Refcount = "REFCOUNT_WARNING", "A reference count overflowed, went below zero or was revived from zero.";
    Reboot = "REBOOT", "The machine rebooted though nobody asked for it.";
    SyzFailure = "SYZ_FAILURE", "The test program failed, not the kernel.";
    Ubsan = "UBSAN", "The C standard does not define what this operation does.";
    Unknown = "UNKNOWN", "The kernel complained; the message belongs to no known class.";
    Warning = "WARNING", "A WARN() check of the kernel fired: something that should never happen did.";
}

/// A word that names no class of defects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no class of kernel defects; expected one of syzkaller's words such as WARNING, HANG or KASAN-READ"
)]
pub struct UnknownKind {
    /// The word that was found.
    pub found: String,
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_class() {
        for kind in ReportKind::ALL {
            assert_eq!(kind.word().parse::<ReportKind>().as_ref(), Ok(kind));
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.word()));
        }
    }

    #[test]
    fn an_unknown_word_is_named_in_the_error() {
        let error = "KASAN-READS".parse::<ReportKind>().unwrap_err();
        insta::assert_snapshot!(error, @"`KASAN-READS` is no class of kernel defects; expected one of syzkaller's words such as WARNING, HANG or KASAN-READ");
    }
}
