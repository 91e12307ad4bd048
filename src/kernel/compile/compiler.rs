//! The host's tools for compiling a kernel.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::BuildError;
use crate::arch::Arch;
use crate::kernel::tools::Tools;
use crate::version::KernelVersion;

/// Programs without which nothing compiles, and Debian's packages that have them.
const TOOLS: &[(&str, &str)] = &[("make", "make"), ("ld", "binutils"), ("objcopy", "binutils")];

/// Programs that a kernel's source asks for itself.
const KERNEL_TOOLS: &[(&str, &str)] = &[("flex", "flex"), ("bison", "bison"), ("bc", "bc")];

/// The compiler of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compiler {
    /// What `make` gets as `CC`: `gcc`, or `ccache gcc`.
    pub cc: String,
    /// First lines of the compiler and the linker about themselves: another one makes another kernel.
    pub id: String,
    /// `CROSS_COMPILE`: what the names of the tools begin with; `None` for the host's own.
    pub cross: Option<String>,
}

impl Compiler {
    /// Finds the compiler `asked`, or gcc, with ccache in front of it where that is installed, and checks that everything
    /// else is there. For another architecture it is the cross compiler, and the other tools are its: those that are
    /// installed, else Debian's, which are unpacked below the cache.
    pub(super) fn find(
        asked: Option<&str>,
        arch: &'static Arch,
        tools: &Tools,
        tell: &dyn Fn(&str),
    ) -> Result<Compiler, BuildError> {
        let cross = match arch.is_hosts() {
            true => None,
            false => Some(tools.cross_prefix(arch, tell).map_err(|error| {
                let packages = format!("gcc-{}", arch.triplet.replace('_', "-"));
                BuildError::CrossTools { arch: arch.debian, packages, source: error }
            })?),
        };
        let prefix = cross.as_deref().unwrap_or_default();
        let own = format!("{prefix}gcc");
        let compiler = asked.unwrap_or(&own);
        let version = first_line(compiler);
        let mut missing: Vec<Tool> = lacking(TOOLS);
        let linker = format!("{prefix}ld");
        let package = Path::new(compiler).file_name().and_then(|name| name.to_str()).unwrap_or("gcc");
        if version.is_none() {
            missing.insert(0, (compiler, package));
        }
        refuse(&missing)?;
        let version = version.unwrap_or_default();
        let id = format!("{version}; {}", first_line(&linker).unwrap_or_default());
        let cc = match on_path("ccache") {
            Some(_) if !compiler.contains("ccache") => format!("ccache {compiler}"),
            _ => compiler.to_string(),
        };
        Ok(Compiler { cc, id, cross })
    }

    /// Checks that the programs are there that the kernel in `tree` asks for; without a tree, those of any kernel.
    pub(super) fn check_for(tree: Option<&Path>, patches: bool) -> Result<(), BuildError> {
        // the parser of configurations is made with the kernel; a stand-in for a kernel has none
        let real = tree.is_none_or(|tree| tree.join("scripts/kconfig/lexer.l").is_file());
        let mut missing = if real { lacking(KERNEL_TOOLS) } else { Vec::new() };
        if patches {
            missing.extend(lacking(&[("patch", "patch")]));
        }
        refuse(&missing)
    }

    /// The compiler's line alone.
    pub(super) fn version(&self) -> &str {
        self.id.split(';').next().unwrap_or_default()
    }

    /// The compiler's major version, if it is gcc.
    fn gcc_major(&self) -> Option<u32> {
        let version = self.version();
        // `aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0`
        let program = version.split(' ').next()?;
        let is_gcc = program == "gcc" || program.ends_with("-gcc") || program.contains("gcc-");
        let digits = is_gcc.then(|| version.rsplit(' ').next())??;
        digits.split('.').next()?.parse().ok()
    }

    /// A remark about a compiler that is younger than the tree, for trees that do not compile.
    pub(super) fn too_young(&self, version: Option<&KernelVersion>) -> Option<String> {
        let line = version?.line()?;
        let major = self.gcc_major()?;
        let newest = newest_gcc(&line.to_string())?;
        (major > newest).then(|| {
            format!(
                "\ngcc {major} is younger than Linux {line}, which was made for gcc {newest} and older; \
                 `compiler: gcc-{newest}` in the catalogue chooses another one (Debian's package gcc-{newest})"
            )
        })
    }
}

/// The newest gcc at the time of the last release of a line that had a compiler of its year: what a tree was certainly
/// compiled with. Younger ones mostly do, too; this is for explaining a failure.
fn newest_gcc(line: &str) -> Option<u32> {
    let (major, minor) = line.split_once('.')?;
    let line: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    // the first line of each year's gcc (gcc.gnu.org/releases.html, kernel.org)
    const SINCE: &[((u32, u32), u32)] = &[
        ((4, 17), 8),
        ((5, 1), 9),
        ((5, 7), 10),
        ((5, 12), 11),
        ((5, 18), 12),
        ((6, 3), 13),
        ((6, 9), 14),
        ((6, 15), 15),
        ((7, 0), u32::MAX),
    ];
    SINCE.iter().rev().find(|(since, _)| line >= *since).map(|(_, gcc)| *gcc)
}

/// A program's first line about its version; `None` if there is no such program.
fn first_line(program: &str) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_string())
}

type Tool<'a> = (&'a str, &'a str);

fn lacking(tools: &[Tool<'static>]) -> Vec<Tool<'static>> {
    tools.iter().copied().filter(|(program, _)| on_path(program).is_none()).collect()
}

fn refuse(missing: &[Tool]) -> Result<(), BuildError> {
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    let tools: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
    Err(BuildError::Tools { tools: tools.join(", "), packages: packages.join(" ") })
}

/// Where a program is.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    which::which(program).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_on_a_compiler_that_is_younger_than_the_tree() {
        let compiler = |version: &str| Compiler {
            cc: "gcc".to_string(),
            id: format!("{version}; GNU ld 2.40"),
            cross: None,
        };
        let debian = compiler("gcc (Debian 12.2.0-14) 12.2.0");
        let table = [
            (&debian, "5.10.262", true),
            (&debian, "5.18", false),
            (&debian, "6.12.57", false),
            (&debian, "7.3.4", false),
            (&compiler("clang version 16.0.6"), "5.10.262", false),
            (&compiler("aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"), "5.10.262", true),
        ];
        for (compiler, version, expected) in table {
            let version = version.parse().ok();
            assert_eq!(compiler.too_young(version.as_ref()).is_some(), expected, "{compiler:?} {version:?}");
        }
        let remark = debian.too_young("5.10.262".parse().ok().as_ref()).unwrap_or_default();
        insta::assert_snapshot!(remark.trim(), @"gcc 12 is younger than Linux 5.10, which was made for gcc 10 and older; `compiler: gcc-10` in the catalogue chooses another one (Debian's package gcc-10)");
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        let tools = Tools::new(Path::new("/nowhere"));
        let found = Compiler::find(Some("gcc-99"), crate::arch::GUEST, &tools, &|_| {});
        let error = found.expect_err("no such compiler");
        assert!(error.to_string().starts_with("compiling a kernel needs gcc-99"), "{error}");
        let missing = [("flex", "flex"), ("ld", "binutils"), ("objcopy", "binutils")];
        insta::assert_snapshot!(refuse(&missing).expect_err("they are missing"), @"compiling a kernel needs flex, ld, objcopy, which this host lacks; `sudo apt-get install flex binutils` installs it");
    }
}
