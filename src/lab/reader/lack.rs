//! What a guest lacks, as the lines tell that a program prints before one of its results fails: such a failure says
//! nothing about the kernel. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// What was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// Memory.
    Memory,
    /// A command that the program calls by the shell.
    Command,
    /// An option of the kernel's configuration.
    Option,
    /// What a program opens before it begins: a device, a counter.
    Opened,
    /// A system call, or one of its operations.
    SystemCall,
    /// Time: the program's own limit ran out.
    Time,
}

/// `ENOMEM` in the C library's words, by its name, and as `kselftest_harness.h` shows an `errno` that it compares.
const NO_MEMORY: [&str; 3] = ["Cannot allocate memory", "ENOMEM", " errno (12)"];

/// `ENOSYS` in these ways.
const NO_SYSTEM_CALL: [&str; 3] = ["Function not implemented", "ENOSYS", " errno (38)"];

/// What `kselftest_harness.h` says where a test wanted such an error, and got something else.
const WANTED: [&str; 2] = ["Expected ENOMEM", "Expected ENOSYS"];

/// What shells say of a command that they do not find, the line's number left out: dash and busybox, then bash.
const NO_COMMAND: [&str; 2] = [": not found", ": command not found"];

/// What `kselftest_harness.h` says when the 30 seconds of a test are over.
const NO_TIME: &str = ": Test terminated by timeout";

/// A file descriptor that a fixture of `kselftest_harness.h` holds and that could not be opened, in what it says of a
/// comparison.
static NOT_OPENED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"Expected .*\bself->\w*fd\w* \(-1\)").expect("it is a pattern"));

/// An option by its name, in a line that blames it.
static NO_OPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(check|missing|enable|without|no|not|disabled)\b.*\bCONFIG_[A-Z0-9_]+|\bCONFIG_[A-Z0-9_]+.*\b(not|missing|disabled)\b")
        .expect("it is a pattern")
});

impl Lack {
    /// What a line says is lacking.
    pub(super) fn of(line: &str) -> Option<Self> {
        let says = |texts: &[&str]| texts.iter().any(|words| line.contains(words));
        let wanted = says(&WANTED);
        if !wanted && says(&NO_MEMORY) {
            return Some(Self::Memory);
        }
        if !wanted && says(&NO_SYSTEM_CALL) {
            return Some(Self::SystemCall);
        }
        if by_shell(line) && NO_COMMAND.iter().any(|words| line.ends_with(words)) {
            return Some(Self::Command);
        }
        if line.ends_with(NO_TIME) {
            return Some(Self::Time);
        }
        if NOT_OPENED.is_match(line) {
            return Some(Self::Opened);
        }
        (line.contains("CONFIG_") && NO_OPTION.is_match(line)).then_some(Self::Option)
    }

    /// Why a failure is none of the kernel's, with the words that tell.
    pub(super) fn blame(self, words: &str) -> String {
        let why = match self {
            Self::Memory => "for want of memory (`machine: {memory: …}` gives the guest more)",
            Self::Command => "for want of a command (`userland: {packages: […]}` brings Debian's)",
            Self::Option => "for want of an option of the kernel (`needs: {config: […]}` makes it a skip)",
            Self::Opened => {
                "what it needs could not be opened (`needs: {modules: […]}` loads the driver of a device)"
            }
            Self::SystemCall => "the kernel has no such system call (`needs: {kernel: …}` makes it a skip)",
            Self::Time => "for want of time, by the program's own limit",
        };
        format!("{why}: {words}")
    }
}

/// Whether a shell says this: `sh: `, `/bin/sh: 1: `, `bash: line 1: `.
fn by_shell(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    matches!(name.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_what_was_lacking() {
        let table = [
            ("# mmap: Cannot allocate memory", Some(Lack::Memory)),
            ("# a.c:3:b:Expected 0 (0) == errno (12)", Some(Lack::Memory)),
            ("# a.c:3:b:Expected ENOMEM (12) == errno (22)", None),
            ("sh: mkfs.ext4: not found", Some(Lack::Command)),
            ("sh: 1: mkfs.ext4: not found", Some(Lack::Command)),
            ("/bin/bash: line 1: tc: command not found", Some(Lack::Command)),
            ("# dentry: not found", None),
            ("sh: 1: mkfs.ext4: found", None),
            ("# a.c:433:init:Expected self->virtual_nci_fd (-1) > -1 (-1)", Some(Lack::Opened)),
            ("# a.c:90:fork_only:Expected -1 (-1) != self->fd (-1)", Some(Lack::Opened)),
            ("# a.c:90:fork_only:Expected self->fd (3) == -1 (-1)", None),
            ("# a.c:90:fork_only:Expected self->ret (-1) == 0 (0)", None),
            (
                "# a.c:4:b:No such device - Failed to mount, check if CONFIG_ANDROID_BINDERFS is enabled",
                Some(Lack::Option),
            ),
            ("CONFIG_IDLE_PAGE_TRACKING is not enabled", Some(Lack::Option)),
            ("# kernel has CONFIG_A and CONFIG_B", None),
            ("# a.c:35:b:Expected EINVAL (22) == errno (38)", Some(Lack::SystemCall)),
            ("# a.c:35:b:Expected ENOSYS (38) == errno (22)", None),
            ("# a.c:35:b:Expected EINVAL (22) == errno (3)", None),
            ("# mseal: Function not implemented", Some(Lack::SystemCall)),
            ("# attach: Test terminated by timeout", Some(Lack::Time)),
            ("# Totals: pass:1 fail:1", None),
        ];
        for (line, lack) in table {
            assert_eq!(Lack::of(line), lack, "{line}");
        }
    }
}
