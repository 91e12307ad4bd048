//! One run of `make`: its steps, its log, and what its errors mean.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use super::child::{self, Stopped};
use crate::arch::Arch;
use crate::cancel::Cancel;

/// Variables that change what `make` or Kconfig does. A build depends on what its key names and on nothing else.
const FOREIGN: &[&str] = &[
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKEFILES",
    "MAKEOVERRIDES",
    "GNUMAKEFLAGS",
    "ARCH",
    "SUBARCH",
    "CROSS_COMPILE",
    "LLVM",
    "LLVM_IAS",
    "KCFLAGS",
    "KAFLAGS",
    "KCPPFLAGS",
    "KRUSTFLAGS",
    "HOSTCFLAGS",
    "HOSTLDFLAGS",
    "CFLAGS",
    "LDFLAGS",
    "KBUILD_OUTPUT",
    "KBUILD_EXTMOD",
    "KBUILD_VERBOSE",
    "KBUILD_BUILD_VERSION",
    "KCONFIG_CONFIG",
    "KCONFIG_ALLCONFIG",
    "LOCALVERSION",
    "INSTALL_MOD_PATH",
    "O",
    "C",
    "V",
    "W",
];

/// Why a run of `make` gave nothing.
#[derive(Debug)]
pub(super) enum MakeError {
    /// It was asked to stop.
    Cancelled,
    /// A target failed; what it said is in the log.
    Failed,
    /// It could not be run or listened to.
    Io(io::Error),
}

impl From<Stopped> for MakeError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => MakeError::Cancelled,
            Stopped::Io(error) => MakeError::Io(error),
        }
    }
}

/// What all runs of one build have in common.
pub(super) struct Make<'a> {
    /// The kernel's source.
    pub tree: &'a Path,
    /// The build folder.
    pub output: &'a Path,
    /// What it is compiled for.
    pub arch: &'static Arch,
    /// `CC`.
    pub cc: &'a str,
    /// `CROSS_COMPILE`.
    pub cross: Option<&'a str>,
    /// Processes at a time.
    pub jobs: usize,
    /// Locked for this build.
    pub lock: &'a File,
    /// Gets everything that is said; is added to.
    pub log: &'a Path,
    pub cancel: &'a Cancel,
}

impl Make<'_> {
    /// Runs `make` with these arguments and variables; `step` is called for each file that is made.
    pub(super) fn run(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
        step: &mut dyn FnMut(&str),
    ) -> Result<(), MakeError> {
        let mut command = Command::new("make");
        for name in FOREIGN {
            command.env_remove(name);
        }
        command
            .current_dir(self.tree)
            .arg(format!("-j{}", self.jobs.max(1)))
            .arg(format!("O={}", self.output.display()))
            .arg(format!("ARCH={}", self.arch.make))
            .arg("KBUILD_VERBOSE=0")
            .arg(format!("CC={}", self.cc))
            .args(self.cross.map(|prefix| format!("CROSS_COMPILE={prefix}")))
            .args(arguments)
            .env("LC_ALL", "C")
            // the same input gives the same kernel
            .env("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970")
            .env("KBUILD_BUILD_USER", "kregress")
            .env("KBUILD_BUILD_HOST", "kregress")
            .envs(variables.iter().copied());
        let mut log = File::options().create(true).append(true).open(self.log).map_err(MakeError::Io)?;
        let mut line = Vec::new();
        let status = child::run(command, self.lock, self.cancel, &mut |said| {
            for byte in said {
                if *byte == b'\n' {
                    if let Some(file) = step_of(&String::from_utf8_lossy(&line)) {
                        step(file);
                    }
                    line.clear();
                } else if line.len() < 4096 {
                    line.push(*byte);
                }
            }
            // on a full disk the build ends too, and says so
            log.write_all(said)
        })?;
        if status.success() { Ok(()) } else { Err(MakeError::Failed) }
    }
}

/// The file that a line of kbuild says is made: `  CC [M]  fs/ext4/inode.o`.
pub(super) fn step_of(line: &str) -> Option<&str> {
    let words = line.strip_prefix("  ")?;
    let command = words.split(' ').next()?;
    let is_command = !command.is_empty()
        && command.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "_+".contains(c));
    let rest = words[command.len()..].trim_start();
    let rest = rest.strip_prefix("[M]").or_else(|| rest.strip_prefix("[U]")).unwrap_or(rest).trim();
    (is_command && !rest.is_empty() && !rest.contains(' ')).then_some(rest)
}

/// The first error of a log, in the words of whoever found it: at most fifteen lines.
pub(super) fn first_error(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let is_error = |line: &&str| {
        let line = line.trim_end();
        line.contains(": error: ")
            || line.contains(": fatal error: ")
            || line.contains(": undefined reference to ")
            || line.starts_with("error: ")
            || line.starts_with("ERROR: ")
            || line.ends_with(": not found")
            || line.contains("No space left on device")
            || line.contains("error: objtool")
    };
    let is_stop = |line: &&str| line.starts_with("make") && line.contains(": *** ");
    let Some(at) = lines.iter().position(is_error).or_else(|| lines.iter().position(is_stop)) else {
        return lines[lines.len().saturating_sub(5)..].join("\n");
    };
    // where it was included from, and in which function it is
    let leads = |line: &&&str| {
        line.starts_with("In file included from")
            || line.starts_with("                 from")
            || line.contains(": In function ")
    };
    let before = lines[..at].iter().rev().take(3).take_while(leads).count();
    let ends = |line: &&&str| (line.starts_with("make") && line.contains(": ")) || step_of(line).is_some();
    let after = lines[at + 1..].iter().take(10).take_while(|line| !ends(line)).count();
    lines[at - before..=at + after].join("\n")
}

/// What a log's error means, where it is the host that lacks something.
pub(super) fn remedy(said: &str) -> Option<&'static str> {
    const KNOWN: &[(&str, &str)] = &[
        ("gelf.h", "install libelf-dev (sudo apt-get install libelf-dev)"),
        ("libelf-dev", "install libelf-dev (sudo apt-get install libelf-dev)"),
        ("-lelf", "install libelf-dev (sudo apt-get install libelf-dev)"),
        ("openssl/", "install libssl-dev (sudo apt-get install libssl-dev)"),
        ("flex: not found", "install flex (sudo apt-get install flex)"),
        ("bison: not found", "install bison (sudo apt-get install bison)"),
        ("bc: not found", "install bc (sudo apt-get install bc)"),
        ("pahole", "install pahole (sudo apt-get install pahole), or leave CONFIG_DEBUG_INFO_BTF out"),
        (
            "source tree is not clean",
            "`make mrproper` in that tree, or name a clean one: it is compiled into a folder of kregress's own",
        ),
        ("Compiler is too old", "choose a newer one with `compiler:` in the catalogue"),
    ];
    KNOWN.iter().find(|(mark, _)| said.contains(mark)).map(|(_, remedy)| *remedy)
}

/// Whether the host is to blame, and how.
pub(super) fn host_failure(said: &str) -> Option<&'static str> {
    const KNOWN: &[(&str, &str)] = &[
        (
            "No space left on device",
            "the disk is full; make room (kregress cache gc) or choose another folder with KREGRESS_CACHE",
        ),
        (
            "Disk quota exceeded",
            "the disk quota is used up; make room (kregress cache gc) or choose another folder with KREGRESS_CACHE",
        ),
        (
            "Killed signal terminated program",
            "the system ended the compiler, most likely because memory ran out; build with fewer jobs (-j 1)",
        ),
        ("virtual memory exhausted", "memory ran out; build with fewer jobs (-j 1)"),
        (
            "Read-only file system",
            "the cache folder cannot be written; choose another one with KREGRESS_CACHE",
        ),
    ];
    let known = KNOWN.iter().find(|(mark, _)| said.contains(mark)).map(|(_, reason)| *reason);
    // a process that was killed says nothing about the tree
    let killed = |line: &str| {
        line.starts_with("make")
            && line.contains(": *** [")
            && ["Interrupt", "Terminated", "Killed", "Hangup", "Error 130", "Error 137", "Error 143"]
                .iter()
                .any(|end| line.trim_end().ends_with(&format!("] {end}")))
    };
    let signal =
        "a signal from elsewhere ended make or a compiler; build again, the next build goes on from there";
    known.or_else(|| said.lines().any(killed).then_some(signal))
}

/// The end of a log, as far as it is worth looking for an error in it.
pub(super) fn read_log(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(16 << 20);
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_from_other_lines() {
        let table = [
            ("  CC      fs/ext4/inode.o", Some("fs/ext4/inode.o")),
            ("  CC [M]  drivers/block/null_blk/main.o", Some("drivers/block/null_blk/main.o")),
            ("  LD      vmlinux.o", Some("vmlinux.o")),
            ("  HOSTCC  scripts/kconfig/conf.o", Some("scripts/kconfig/conf.o")),
            ("  VDSO2C  arch/x86/entry/vdso/vdso-image-64.c", Some("arch/x86/entry/vdso/vdso-image-64.c")),
            ("  YACC    scripts/kconfig/parser.tab.[ch]", Some("scripts/kconfig/parser.tab.[ch]")),
            ("make[1]: Entering directory '/x'", None),
            ("fs/x.c:3:1: error: CC x", None),
            ("  Cc      fs/x.o", None),
            ("  ", None),
            ("", None),
        ];
        for (line, file) in table {
            assert_eq!(step_of(line), file, "{line}");
        }
    }

    #[test]
    fn the_first_error_is_shown_with_what_belongs_to_it() {
        let log = "  CC      fs/a.o\n  CC      fs/b.o\nIn file included from ../fs/b.c:3:\n../fs/b.c: In function 'x':\n\
            ../fs/b.c:10:2: error: 'y' undeclared (first use in this function)\n   10 |  y = 1;\n      |  ^\n\
            make[3]: *** [../scripts/Makefile.build:229: fs/b.o] Error 1\n  CC      fs/c.o\n\
            ../fs/c.c:1:1: error: another\nmake: *** [../Makefile:224: __sub-make] Error 2\n";
        insta::assert_snapshot!(first_error(log), @r"
        In file included from ../fs/b.c:3:
        ../fs/b.c: In function 'x':
        ../fs/b.c:10:2: error: 'y' undeclared (first use in this function)
           10 |  y = 1;
              |  ^
        ");
        let table = [
            (
                "x\nmake[1]: *** No rule to make target 'fs/x.o'.  Stop.\n",
                "make[1]: *** No rule to make target 'fs/x.o'.  Stop.",
            ),
            ("/bin/sh: 1: flex: not found\nmake: *** [x] Error 127\n", "/bin/sh: 1: flex: not found"),
            (
                "ld: a.o: in function `f':\na.c:(.text+0x1): undefined reference to `g'\n",
                "a.c:(.text+0x1): undefined reference to `g'",
            ),
            ("one\ntwo\n", "one\ntwo"),
            ("", ""),
        ];
        for (log, expected) in table {
            assert_eq!(first_error(log), expected);
        }
    }

    #[test]
    fn what_the_host_lacks_is_no_fault_of_the_tree() {
        assert!(remedy("fatal error: gelf.h: No such file or directory").is_some());
        assert!(remedy("error: 'y' undeclared").is_none());
        assert!(host_failure("ld: final link failed: No space left on device").is_some());
        assert!(host_failure("gcc: fatal error: Killed signal terminated program cc1").is_some());
        assert!(host_failure("error: 'y' undeclared").is_none());
        for (line, from_the_host) in [
            ("make[4]: *** [scripts/Makefile.build:234: io_uring/notif.o] Interrupt", true),
            ("make: *** [Makefile:236: __sub-make] Terminated", true),
            ("make[2]: *** [x:1: fs/x.o] Error 137", true),
            ("make[2]: *** [x:1: fs/x.o] Error 1", false),
        ] {
            assert_eq!(host_failure(line).is_some(), from_the_host, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_log_panics(log in "[a-zA-Z :*\\n\\[\\]]{0,200}") {
            let _ = first_error(&log);
        }
    }
}
