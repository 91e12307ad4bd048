//! Poison: the values that a kernel writes into memory that nobody may use, recognised in a crash report. Pure.
//!
//! `slab_debug=P` poisons freed and new slab objects, a removed list entry gets two addresses at which nothing can be
//! (`include/linux/poison.h`). A crash on such a value says that freed memory was used, on kernels without KASAN, too.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// An access is attributed to a poisoned pointer up to this distance from it: members of structures lie behind their
/// beginning, and `container_of` goes before it.
const REACH: u64 = 0x1000;

/// A poison value of pointer size.
#[derive(Debug)]
struct Poison {
    value: u64,
    name: &'static str,
    what: What,
    /// Whether the value in a register says something. List poison does not: every removal of an entry loads it.
    in_registers: bool,
}

/// What using a poisoned value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Memory was used after it had been freed.
    UseAfterFree,
    /// A list entry was used after it had been removed from its list.
    UseAfterRemoval,
    /// Memory was used before anything had been written to it.
    Uninitialised,
}

const POISONS: &[Poison] = &[
    Poison {
        value: 0x6b6b_6b6b_6b6b_6b6b,
        name: "POISON_FREE",
        what: What::UseAfterFree,
        in_registers: true,
    },
    Poison {
        value: 0x5a5a_5a5a_5a5a_5a5a,
        name: "POISON_INUSE",
        what: What::Uninitialised,
        in_registers: true,
    },
    Poison {
        value: 0xdead_0000_0000_0100,
        name: "LIST_POISON1",
        what: What::UseAfterRemoval,
        in_registers: false,
    },
    Poison {
        value: 0xdead_0000_0000_0122,
        name: "LIST_POISON2",
        what: What::UseAfterRemoval,
        in_registers: false,
    },
];

/// What a report shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub what: What,
    /// Where the value was seen, and which it is.
    pub evidence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::UseAfterFree => "use-after-free",
            What::UseAfterRemoval => "use-after-free (a list entry was used after its removal)",
            What::Uninitialised => "use of uninitialised memory",
        };
        write!(f, "{what}: {}", self.evidence)
    }
}

/// The address of a bad access, as the kernel words it since 5.1, and for the protection fault since 5.6.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:non-canonical address|paging request(?: at|for address:?)|page fault for address:|dereference, address:|dereference at) (?:0x)?([0-9a-f]{16})\b",
    )
    .expect("a valid pattern")
});

/// `list_del corruption, ffff8880…->next is LIST_POISON1 (dead000000000100)` (`lib/list_debug.c`).
static LIST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"list_\w+ corruption.*is (LIST_POISON[12]) \(([0-9a-f]{16})\)").expect("a valid pattern")
});

/// `RAX: 6b6b6b6b6b6b6b6b RBX: …`
static REGISTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(R[A-Z0-9]{2}): ([0-9a-f]{16})\b").expect("a valid pattern"));

/// SLUB's own report of an object that was written to while it was free (`mm/slub.c`).
static OVERWRITTEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"BUG ([\w:.-]+) \([^)]*\): Poison overwritten").expect("a valid pattern"));

/// What poison a crash report shows. The address of the bad access decides; registers count only where the kernel does
/// not tell an address.
pub fn find(report: &str) -> Option<Finding> {
    if let Some(found) = OVERWRITTEN.captures(report) {
        let evidence = format!("the poison of a free object of {} was overwritten", &found[1]);
        return Some(Finding { what: What::UseAfterFree, evidence });
    }
    if let Some(found) = LIST.captures(report) {
        let evidence = format!("its pointer is {} ({})", &found[1], &found[2]);
        return Some(Finding { what: What::UseAfterRemoval, evidence });
    }
    let address = ADDRESS.captures(report).and_then(|found| u64::from_str_radix(&found[1], 16).ok());
    if let Some(address) = address {
        let poison = POISONS.iter().min_by_key(|p| p.value.abs_diff(address))?;
        if poison.value.abs_diff(address) > REACH {
            return None;
        }
        let evidence = format!("the address {address:016x} is made of {}", poison.name);
        return Some(Finding { what: poison.what, evidence });
    }
    if !report.contains("general protection fault") {
        return None;
    }
    REGISTER.captures_iter(report).find_map(|found| {
        let value = u64::from_str_radix(&found[2], 16).ok()?;
        let poison = POISONS.iter().find(|p| p.in_registers && p.value.abs_diff(value) <= REACH)?;
        let evidence = format!("{} holds {value:016x}, made of {}", &found[1], poison.name);
        Some(Finding { what: poison.what, evidence })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(report: &str) -> String {
        find(report).map_or_else(|| "nothing".to_owned(), |finding| finding.to_string())
    }

    #[test]
    fn poison_is_named() {
        insta::assert_snapshot!(found("Oops: general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b9b: 0000 [#1] SMP NOPTI"), @"use-after-free: the address 6b6b6b6b6b6b6b9b is made of POISON_FREE");
        insta::assert_snapshot!(found("general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]"), @"use-after-free (a list entry was used after its removal): the address dead000000000122 is made of LIST_POISON2");
        insta::assert_snapshot!(found("BUG: unable to handle page fault for address: dead000000000108"), @"use-after-free (a list entry was used after its removal): the address dead000000000108 is made of LIST_POISON1");
        insta::assert_snapshot!(found("general protection fault, maybe for address 0x5a\n RAX: 0000000000000001 RBX: 5a5a5a5a5a5a5a5a\n"), @"use of uninitialised memory: RBX holds 5a5a5a5a5a5a5a5a, made of POISON_INUSE");
        insta::assert_snapshot!(found("list_del corruption, ffff888004f5c0e8->next is LIST_POISON1 (dead000000000100)"), @"use-after-free (a list entry was used after its removal): its pointer is LIST_POISON1 (dead000000000100)");
        insta::assert_snapshot!(found("BUG kmalloc-192 (Not tainted): Poison overwritten"), @"use-after-free: the poison of a free object of kmalloc-192 was overwritten");
    }

    #[test]
    fn what_is_no_poison_is_not_named() {
        let table = [
            "",
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\nRAX: 6b6b6b6b6b6b6b6b\n",
            // a removal leaves its poison in a register
            "general protection fault: 0000 [#1]\nRAX: dead000000000100 RBX: 0000000000000001\n",
            "general protection fault, probably for non-canonical address 0x6b6b000000000000: 0000\nRAX: 6b6b6b6b6b6b6b6b\n",
            "WARNING: CPU: 0 PID: 1\nRAX: 6b6b6b6b6b6b6b6b\n",
        ];
        for report in table {
            assert_eq!(found(report), "nothing", "{report}");
        }
    }

    proptest! {
        #[test]
        fn no_report_panics(report in "(general protection fault|non-canonical address 0x|[0-9a-f]{16}|RAX: |: |\n|é){0,40}") {
            find(&report);
        }
    }
}
