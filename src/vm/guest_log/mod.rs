//! The kernel's log out of a guest's memory, without the kernel's help: for guests that hang, and whose console is silent.
//!
//! A kernel with `CONFIG_VMCORE_INFO` (before 6.9 `CONFIG_CRASH_CORE`) keeps a text that says where its log is and how its
//! structures are laid out (kernel documentation `admin-guide/kdump/vmcoreinfo`). That text is looked for in the memory;
//! what it names is read as `kernel/printk/printk_ringbuffer.c` does, from 5.10, the first with that ring, to 7.3.
//! It is a pure function of a memory, of which nothing is believed unchecked.

mod memory;
mod paging;
mod ring;
#[cfg(test)]
mod synthetic;
mod vmcoreinfo;

pub use memory::Memory;

use crate::arch::PageTables;
use crate::observation::LogExcerpt;
use paging::Space;
pub use vmcoreinfo::VmCoreInfo;

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No text in the memory says where the log is: the kernel was built without it, or has not come so far.
    #[error(
        "the guest's memory has no VMCOREINFO: its kernel was built without CONFIG_VMCORE_INFO, or had not started"
    )]
    NoVmCoreInfo,
    /// The text lacks a key.
    #[error("VMCOREINFO of {release} has no {key}")]
    NoKey {
        /// The kernel that it is of.
        release: String,
        /// What is missing.
        key: String,
    },
    /// An address leads nowhere.
    #[error("{what} at {address:#x} is not in the guest's memory")]
    Unmapped {
        /// What was to be read.
        what: &'static str,
        /// Where, a virtual address.
        address: u64,
    },
    /// A value that no kernel has.
    #[error("{what} is {value}, which cannot be")]
    Absurd {
        /// What it is.
        what: &'static str,
        /// The value.
        value: u64,
    },
}

/// Reads all records that the kernel's log holds. A guest that runs meanwhile may overwrite some of them, which are then
/// left out and counted as lost.
///
/// # Errors
/// [`LogError`], about the last place that looked like a kernel's description.
pub fn read(memory: &dyn Memory, tables: PageTables) -> Result<LogExcerpt, LogError> {
    find(memory, tables).map(|(_, log)| log)
}

/// Looks for the kernel's description of itself, which takes a look at all of the memory, and reads the log by it.
/// [`read_by`] reads it again without looking.
///
/// # Errors
/// As [`read`].
pub fn find(memory: &dyn Memory, tables: PageTables) -> Result<(VmCoreInfo, LogExcerpt), LogError> {
    let mut last = LogError::NoVmCoreInfo;
    for info in VmCoreInfo::find(memory) {
        // one that leads nowhere is a copy of somebody's
        match read_by(memory, &info, tables) {
            Ok(log) => return Ok((info, log)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads the log of a kernel whose description is known.
///
/// # Errors
/// As [`read`].
pub fn read_by(memory: &dyn Memory, info: &VmCoreInfo, tables: PageTables) -> Result<LogExcerpt, LogError> {
    Space::new(memory, info, tables).and_then(|space| ring::records(&space, info))
}

#[cfg(test)]
mod tests {
    use super::synthetic::Synthetic;
    use super::*;

    fn texts(log: &LogExcerpt) -> Vec<(u64, u64, u32, u8, String)> {
        let record = |r: &crate::observation::LogRecord| {
            (r.seq, r.micros, r.facility, r.level, String::from_utf8_lossy(&r.text).into_owned())
        };
        log.records.iter().map(record).collect()
    }

    #[test]
    fn a_ring_is_read_wherever_it_lies() {
        for guest in [
            Synthetic::default(),
            // a bzImage that was moved, with the ring above 1 GiB of a randomised direct map
            Synthetic {
                high: true,
                kernel_offset: 0x2b00_0000,
                direct_map: 0xffff_9a40_0000_0000,
                ..Synthetic::default()
            },
            Synthetic { five_levels: true, ..Synthetic::default() },
            Synthetic { large_pages: false, ..Synthetic::default() },
            Synthetic {
                tables: PageTables::Arm64,
                direct_map: 0xffff_0000_0000_0000,
                kernel_offset: 0x1234_5600_0000,
                ..Synthetic::default()
            },
            Synthetic {
                tables: PageTables::Arm64,
                large_pages: false,
                high: true,
                direct_map: 0xffff_0000_0000_0000,
                ..Synthetic::default()
            },
            Synthetic {
                tables: PageTables::Arm64,
                five_levels: true,
                direct_map: 0xfff0_0000_0000_0000,
                ..Synthetic::default()
            },
            Synthetic {
                tables: PageTables::RiscV,
                direct_map: 0xffff_af80_0000_0000,
                ..Synthetic::default()
            },
            Synthetic {
                tables: PageTables::RiscV,
                five_levels: true,
                large_pages: false,
                direct_map: 0xff60_0000_0000_0000,
                ..Synthetic::default()
            },
            Synthetic {
                tables: PageTables::Linear { start: 0xc000_0000_0000_0000 },
                direct_map: 0xc000_0000_0000_0000,
                ..Synthetic::default()
            },
        ] {
            let log = read(&guest.build(3, |n| format!("record {n}")), guest.tables).expect("a log");
            assert_eq!(log.lost, 0);
            assert_eq!(
                texts(&log),
                [
                    (0, 0, 0, 4, "record 0".into()),
                    (1, 1000, 1, 4, "record 1".into()),
                    (2, 2000, 0, 4, "record 2".into())
                ]
            );
        }
    }

    #[test]
    fn the_last_records_of_a_full_ring_are_read() {
        // 16 descriptors, 1024 bytes of text: both wrap around many times, and long records leave fewer than 16
        for long in [3, 17, 40, 101] {
            let text = |n: u64| format!("{n} {}", "x".repeat(n as usize % long));
            let log = read(&Synthetic::default().build(500, text), PageTables::X86).expect("a log");
            assert_eq!(log.lost, 0);
            let numbers: Vec<u64> = log.records.iter().map(|r| r.seq).collect();
            assert_eq!(numbers, (500 - numbers.len() as u64..500).collect::<Vec<_>>(), "the last ones");
            assert!(numbers.len() >= 8, "{numbers:?}");
            for record in &log.records {
                assert_eq!(String::from_utf8_lossy(&record.text), text(record.seq));
            }
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let none = vec![0; 1 << 20];
        assert_eq!(read(&none, PageTables::X86), Err(LogError::NoVmCoreInfo));
        let guest = Synthetic { without: Some("OFFSET(printk_info.seq)"), ..Synthetic::default() };
        let error = read(&guest.build(3, |n| n.to_string()), PageTables::X86).unwrap_err();
        insta::assert_snapshot!(error, @"VMCOREINFO of 6.99.1-synthetic has no OFFSET(printk_info.seq)");
        let guest = Synthetic { descs: Some(0xffff_8880_7fff_f000), ..Synthetic::default() };
        let error = read(&guest.build(3, |n| n.to_string()), PageTables::X86).unwrap_err();
        insta::assert_snapshot!(error, @"the descriptors at 0xffff88807ffff000 is not in the guest's memory");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn a_hostile_memory_is_read_within_bounds(
            changes in proptest::collection::vec((0..1_000_000usize, proptest::prelude::any::<u64>()), 1..40),
        ) {
            let mut guest = Synthetic::default().build(100, |n| format!("record {n}"));
            for (at, value) in changes {
                guest.overwrite(at, value);
            }
            if let Ok(log) = read(&guest, PageTables::X86) {
                proptest::prop_assert!(log.records.len() <= 16);
            }
        }
    }
}
