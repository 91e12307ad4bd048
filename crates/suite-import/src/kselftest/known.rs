//! What is known of single programs, and neither stands in their Makefiles nor in the `config` of their folder: seen when
//! they were run (selftests of 6.12.118, Debian's kernels 5.10 to 7.3, QEMU 7.2 without KVM).

/// What a program needs besides, and what of it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Packages of its userland.
    pub packages: &'static [&'static str],
    /// Modules of which it opens a device, which nothing else loads.
    pub modules: &'static [&'static str],
    /// The first line of kernels that has what it tries.
    pub since: Option<&'static str>,
    /// The last line of kernels that does it in the way that it expects.
    pub until: Option<&'static str>,
    /// Whether a translated guest says nothing about the kernel.
    pub kvm: bool,
    /// The failures that show a bug, where others do not: a pattern.
    pub failure: Option<&'static str>,
    /// Why it is left out.
    pub refusal: Option<&'static str>,
    /// Why, for the reader of the suite.
    pub why: &'static str,
}

const NONE: Known = Known {
    packages: &[],
    modules: &[],
    since: None,
    until: None,
    kvm: false,
    failure: None,
    refusal: None,
    why: "",
};

/// A root file system on a disk. Any package brings one; this one has commands that programs call.
const ON_A_DISK: &[&str] = &["coreutils"];

/// Seen on three kernels to fail now in one of its tests, now in another.
const MEMORY_OF_GROUPS: Known = Known {
    packages: ON_A_DISK,
    kvm: true,
    why: "it gives the kernel seconds to reclaim what it measures within a few percent, too few for a translated guest; pages of files and names that are not there need a disk",
    ..NONE
};

/// By folder, or folder and program.
const KNOWN: &[(&str, Known)] = &[
    (
        "breakpoints/breakpoint_test",
        Known {
            kvm: true,
            why: "it counts the traps of icebp and int 3 beside the processor's own, which QEMU's translator makes otherwise",
            ..NONE
        },
    ),
    (
        "cgroup/test_cpu",
        Known {
            kvm: true,
            why: "it holds two seconds of a processor's time against the clock, to one part in a hundred",
            ..NONE
        },
    ),
    ("cgroup/test_kmem", MEMORY_OF_GROUPS),
    ("cgroup/test_memcontrol", MEMORY_OF_GROUPS),
    ("cgroup/test_zswap", Known { refusal: Some("a guest has no swap"), ..NONE }),
    ("connector/proc_filter", Known { refusal: Some("it listens until it is interrupted"), ..NONE }),
    (
        "exec/non-regular",
        Known {
            // without a userland there is one file for all commands, which goes by the name that it is called
            packages: &["coreutils"],
            why: "it calls true by another name, which must be a command of its own",
            ..NONE
        },
    ),
    (
        "filesystems/statmount/statmount_test_ns",
        Known {
            packages: ON_A_DISK,
            until: Some("6.19"),
            why: "it counts mounts from another namespace, where the first file system of a guest stands for all of them; since 7.0 there is one more below them, which the test of 6.12 does not count",
            ..NONE
        },
    ),
    (
        "lsm",
        Known {
            since: Some("6.8"),
            why: "it is about system calls of 6.8, and takes those that are not there for failures",
            ..NONE
        },
    ),
    (
        "mincore",
        Known {
            packages: ON_A_DISK,
            why: "it looks for pages that were read ahead, which files in memory have not",
            ..NONE
        },
    ),
    (
        "mount_setattr",
        Known {
            packages: &["coreutils", "e2fsprogs", "mount"],
            modules: &["loop"],
            why: "it calls mkfs.ext4 and mounts what that makes",
            ..NONE
        },
    ),
    ("net/tun", Known { modules: &["tun"], why: "it opens /dev/net/tun", ..NONE }),
    (
        "perf_events/remove_on_exec",
        Known {
            kvm: true,
            why: "it counts with the processor's own counters, which a translated guest has not",
            ..NONE
        },
    ),
    ("tdx", Known { refusal: Some("it is for a guest of Intel's TDX, which none of kregress is"), ..NONE }),
    (
        "timers/posix_timers",
        Known {
            failure: Some("^not ok .*check_"),
            why: "its timers of processor time are late wherever something else runs, as it says itself",
            ..NONE
        },
    ),
];

/// What is known of a program of a folder below `tools/testing/selftests`. What is said of the program comes before what is
/// said of its folder.
pub(super) fn of(folder: &str, program: &str) -> Known {
    let file = program.rsplit('/').next().unwrap_or(program);
    let find = |wanted: &str| KNOWN.iter().find(|(name, _)| *name == wanted).map(|(_, known)| *known);
    find(&format!("{folder}/{file}")).or_else(|| find(folder)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_itself_or_by_its_folder() {
        let table = [
            ("cgroup", "test_cpu", true, 0),
            ("cgroup", "test_kmem", true, 1),
            ("cgroup", "test_core", false, 0),
            ("exec", "non-regular", false, 1),
            ("exec", "execveat", false, 0),
            ("mount_setattr", "mount_setattr_test", false, 3),
            ("net", "tun", false, 0),
            ("net/tun", "other", false, 0),
        ];
        for (folder, program, kvm, packages) in table {
            let known = of(folder, program);
            assert_eq!((known.kvm, known.packages.len()), (kvm, packages), "{folder} {program}");
        }
    }

    #[test]
    fn every_entry_says_why() {
        for (name, known) in KNOWN {
            assert_eq!(known.refusal.is_some(), known.why.is_empty(), "{name}");
            assert_ne!(*known, NONE, "{name}");
        }
    }
}
