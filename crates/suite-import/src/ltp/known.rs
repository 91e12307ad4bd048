//! What is known of single tests, and neither stands in LTP's metadata nor can be read from their sources: seen when they
//! were run (LTP of May 2026, Debian's kernels 5.10 to 7.3, QEMU 7.2).

/// What a test needs besides, and what of it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Whether a translated guest says nothing about the kernel.
    pub kvm: bool,
    /// How long the guest must have been up, seconds.
    pub uptime: Option<u32>,
    /// Modules of which it opens a device, or whose protocol distributions keep from being loaded by whoever asks.
    pub modules: &'static [&'static str],
    /// A sysctl, and what is written to it.
    pub sysctl: Option<(&'static str, &'static str)>,
    /// The part of what it says that shows the bug, where another failure does not.
    pub failure: Option<&'static str>,
    /// Why, for the reader of the suite.
    pub why: &'static str,
}

const NONE: Known = Known { kvm: false, uptime: None, modules: &[], sysctl: None, failure: None, why: "" };

const fn kvm(why: &'static str) -> Known {
    Known { kvm: true, why, ..NONE }
}

const fn driver(modules: &'static [&'static str], why: &'static str) -> Known {
    Known { modules, why, ..NONE }
}

const RDS: Known = driver(&["rds"], "distributions load rds only where the administrator does");

/// Distributions keep programs from users; the tests drop their rights.
const UNPRIVILEGED_BPF: Known = Known {
    sysctl: Some(("kernel.unprivileged_bpf_disabled", "0")),
    why: "it loads its program without rights, which distributions forbid",
    ..NONE
};

/// By a program's folder, ending in `/`, or its name.
const KNOWN: &[(&str, Known)] = &[
    (
        "af_alg07",
        Known {
            failure: Some("TFAIL: Kernel is vulnerable"),
            why: "it also fails where its race was not met in the time that it had, which says nothing",
            ..NONE
        },
    ),
    ("bpf_prog05", UNPRIVILEGED_BPF),
    ("bpf_prog06", UNPRIVILEGED_BPF),
    ("bpf_prog07", UNPRIVILEGED_BPF),
    ("clock_gettime04", kvm("it counts milliseconds between readings, which a translated guest loses")),
    (
        "hugemmap15",
        kvm("it is about the processor's caches: QEMU's translator has others, and runs code that is gone"),
    ),
    ("io_uring04", RDS),
    ("meltdown", kvm("it is about what processors guess: QEMU's translator guesses nothing")),
    ("pty05", driver(&["n_hdlc"], "its line discipline is a module, which small images of a kernel lack")),
    ("recvmsg03", RDS),
    ("snd_seq01", driver(&["snd-seq"], "its device comes with the module, where no udev has made it")),
    ("snd_timer01", driver(&["snd-timer"], "its device comes with the module, where no udev has made it")),
    ("testcases/kernel/kvm/", kvm("it is a hypervisor itself, and blind where a guest has no /dev/kvm")),
    (
        "sysinfo03",
        Known {
            uptime: Some(20),
            why: "it sets a clock back by 10 seconds, more than a young guest has",
            ..NONE
        },
    ),
];

/// Options of which a test says only that the kernel must have them, and the module that it opens a device of.
const DRIVERS: &[(&str, &str)] = &[("BLK_DEV_LOOP", "loop")];

/// What is known of a program, by its path in the tree.
pub(super) fn of(program: &str) -> Option<Known> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let is_meant =
        |wanted: &str| if wanted.ends_with('/') { program.starts_with(wanted) } else { name == wanted };
    KNOWN.iter().find(|(wanted, _)| is_meant(wanted)).map(|(_, known)| *known)
}

/// Adds the drivers of these options: a kernel without one is then a skip that names it, and no failure of the test.
pub(super) fn drivers(modules: &mut Vec<String>, config: &[String]) {
    let of_options = DRIVERS.iter().filter(|(option, _)| config.iter().any(|wanted| wanted == option));
    for (_, module) in of_options {
        if !modules.iter().any(|known| known == module) {
            modules.push((*module).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_name_or_folder() {
        let table = [
            ("testcases/kernel/syscalls/clock_gettime/clock_gettime04", true, None),
            ("testcases/kernel/kvm/kvm_svm01", true, None),
            ("testcases/kernel/syscalls/sysinfo/sysinfo03", false, Some(20)),
            ("testcases/kernel/syscalls/bpf/bpf_prog06", false, None),
        ];
        for (program, kvm, uptime) in table {
            let known = of(program).expect(program);
            assert_eq!((known.kvm, known.uptime), (kvm, uptime), "{program}");
        }
        let race = of("testcases/kernel/crypto/af_alg07").expect("it is known");
        assert!(
            "af_alg07.c:80: TFAIL: Kernel is vulnerable".contains(race.failure.expect("not any failure"))
        );
        assert_eq!(of("testcases/kernel/syscalls/clock_gettime/clock_gettime03"), None);
        let table = [(&["BLK_DEV_LOOP"][..], &["loop"][..]), (&["BLK_DEV_LOOP=n"], &[]), (&[], &[])];
        for (config, expected) in table {
            let (mut modules, config) = (Vec::new(), config.iter().map(|&option| option.to_owned()));
            drivers(&mut modules, &config.collect::<Vec<_>>());
            assert_eq!(modules, expected);
        }
    }
}
