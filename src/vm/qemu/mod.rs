//! QEMU as a backend: finding it, its command line, its monitor, live machines.

pub mod args;
mod backend;
pub mod capabilities;
pub mod device;
mod memory;
mod monitor;
mod privileges;
mod session;
mod vmcore;

pub use backend::QemuBackend;

use std::path::{Path, PathBuf};

use crate::arch::{Arch, GUEST};
use crate::kernel::tools::{Tell, Tool, Tools};
use crate::vm::VmError;

/// The program that is looked for in `PATH`.
pub const PROGRAM: &str = GUEST.qemu.program;

/// A QEMU that is there and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qemu {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: QemuVersion,
    /// Arguments that every call needs, for example where its firmware lies (`-L`).
    pub extra: Vec<String>,
}

/// A QEMU version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuVersion {
    /// Before the first point.
    pub major: u32,
    /// Between the points.
    pub minor: u32,
    /// After the second point.
    pub micro: u32,
}

impl std::fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl QemuVersion {
    /// Whether its TCG, with several processors, could translate instructions for one while another replaces them: that
    /// was mended in 8.1 (QEMU commit deba78709a). Kernels replace their own code while they boot and when they load
    /// modules.
    pub fn may_run_stale_code(self) -> bool {
        self < QemuVersion { major: 8, minor: 1, micro: 0 }
    }

    /// Whether its TCG keeps no translation of a program whose address the kernel chooses at random: seen with 7.2.22 (a test
    /// of xfstests took 27 seconds of a processor, and 16 with `kernel.randomize_va_space=0`), not with 10.0.2 (17 and 17). What
    /// lies between was not tried.
    pub fn translates_each_start(self) -> bool {
        self < QemuVersion { major: 10, minor: 0, micro: 0 }
    }
}

impl Qemu {
    /// The QEMU that `KREGRESS_QEMU` names (a program, then arguments, divided by blanks), else the one in `PATH`.
    ///
    /// # Errors
    /// [`VmError::NoQemu`], [`VmError::Start`], [`VmError::Version`].
    pub fn find() -> Result<Qemu, VmError> {
        let setting = std::env::var("KREGRESS_QEMU").ok().filter(|s| !s.trim().is_empty());
        let mut words = setting.as_deref().unwrap_or(PROGRAM).split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_else(|| PROGRAM.to_owned());
        Qemu::open(Path::new(&program), words.collect())
    }

    /// The QEMU of another architecture: the one that its variable names (`KREGRESS_QEMU_ARM64`, as above), the one in
    /// `PATH`, or one that is unpacked from Debian's packages.
    ///
    /// # Errors
    /// As [`Qemu::find`]; [`VmError::Tools`].
    pub fn find_for(arch: &'static Arch, tools: &Tools, tell: Tell<'_>) -> Result<Qemu, VmError> {
        Qemu::unpacked(Tool::Emulator, arch, tools, tell)
    }

    /// A newer QEMU than the host's release has: the one that `KREGRESS_NEWER_QEMU` names, or that of Debian's backports,
    /// which is unpacked below the cache.
    ///
    /// # Errors
    /// As [`Qemu::find_for`].
    pub fn newer(tools: &Tools, tell: Tell<'_>) -> Result<Qemu, VmError> {
        Qemu::unpacked(Tool::NewerEmulator, GUEST, tools, tell)
    }

    fn unpacked(tool: Tool, arch: &'static Arch, tools: &Tools, tell: Tell<'_>) -> Result<Qemu, VmError> {
        let program = tools.get(tool, arch, tell);
        let program = program.map_err(|source| VmError::Tools { name: arch.debian, source })?;
        let shown = program.display().to_string();
        let mut words = shown.split_whitespace().map(str::to_owned);
        // what is named may have arguments, and a path of the cache may have blanks
        match program.is_file() {
            true => Qemu::open(&program, Vec::new()),
            false => Qemu::open(Path::new(&words.next().unwrap_or_default()), words.collect()),
        }
    }

    /// Asks one program for its version.
    ///
    /// # Errors
    /// As [`Qemu::find`].
    pub fn open(program: &Path, extra: Vec<String>) -> Result<Qemu, VmError> {
        let shown = program.display().to_string();
        let output = duct::cmd!(program.as_os_str(), "--version").stderr_to_stdout().unchecked().read();
        let text = match output {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(VmError::NoQemu { program: shown });
            }
            Err(source) => return Err(VmError::Start { program: shown, source }),
        };
        let first = text.lines().next().unwrap_or_default().to_owned();
        let version = parse_version(&first).ok_or(VmError::Version { program: shown, found: first })?;
        Ok(Qemu { path: program.to_owned(), version, extra })
    }
}

/// Reads the first line of what QEMU says with `--version`.
fn parse_version(line: &str) -> Option<QemuVersion> {
    let word = line.split_whitespace().skip_while(|w| *w != "version").nth(1)?;
    let mut numbers = word.split('.').map(|n| n.parse::<u32>());
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    let micro = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(QemuVersion { major, minor, micro })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_lines() {
        let table = [
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", Some((7, 2, 22))),
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", Some((10, 0, 2))),
            ("QEMU emulator version 9.1.50 (v9.1.0-1234-gabcdef)", Some((9, 1, 50))),
            ("bash: line 1", None),
            ("", None),
        ];
        for (line, expected) in table {
            let found = parse_version(line).map(|v| (v.major, v.minor, v.micro));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn old_translators_are_known() {
        let table =
            [("7.2.22", true, true), ("8.0.5", true, true), ("8.1.0", false, true), ("10.0.2", false, false)];
        for (line, stale_code, each_start) in table {
            let version = parse_version(&format!("QEMU emulator version {line}")).unwrap();
            assert_eq!(version.may_run_stale_code(), stale_code, "{line}");
            assert_eq!(version.translates_each_start(), each_start, "{line}");
        }
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let error = Qemu::open(Path::new("no-such-qemu"), Vec::new()).unwrap_err();
        insta::assert_snapshot!(error, @"no-such-qemu was not found; install it (Debian: apt-get install qemu-system-x86) or name one in KREGRESS_QEMU");
    }
}
