//! What runs in the guest: where it comes from, and how its output is read.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// What runs in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// A script for the guest's busybox shell.
    Shell {
        /// Its text.
        script: String,
    },
    /// A C program, linked statically on the host.
    C {
        /// The file that is compiled.
        source: PathBuf,
        /// Added to the compiler's command line.
        flags: Vec<String>,
        /// Arguments in the guest.
        args: Vec<String>,
    },
    /// A program that is there already; it must be static or a script for the guest's shell.
    Binary {
        /// The file.
        path: PathBuf,
        /// Arguments in the guest.
        args: Vec<String>,
    },
    /// As `Binary`, but it prints KTAP (Documentation/dev-tools/ktap.rst): each `not ok` line counts as `symptom`.
    Ktap {
        /// The file.
        path: PathBuf,
        /// Arguments in the guest.
        args: Vec<String>,
    },
}

/// How a program is started and read, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch<'p> {
    /// Where it comes from.
    pub source: ProgramSource<'p>,
    /// Arguments in the guest.
    pub args: &'p [String],
    /// How its output is read.
    pub output: OutputFormat,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramSource<'p> {
    /// The text of a script for the guest's busybox shell.
    Script(&'p str),
    /// A C file, which is compiled with these flags and linked statically on the host.
    Compiled {
        /// The file.
        file: &'p Path,
        /// Added to the compiler's command line.
        flags: &'p [String],
    },
    /// A file of the host that is static or a script.
    File(&'p Path),
}

/// How a program's output is read. `lab` has a reader for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Only the report descriptor counts (`suites/README.md`).
    Reports,
    /// As `Reports`, and what is printed is KTAP.
    Ktap,
}

impl Program {
    /// How it is started and read: one row a kind.
    pub fn launch(&self) -> Launch<'_> {
        let (source, args, output) = match self {
            Program::Shell { script } => (ProgramSource::Script(script), &[][..], OutputFormat::Reports),
            Program::C { source, flags, args } => {
                (ProgramSource::Compiled { file: source, flags }, &args[..], OutputFormat::Reports)
            }
            Program::Binary { path, args } => (ProgramSource::File(path), &args[..], OutputFormat::Reports),
            Program::Ktap { path, args } => (ProgramSource::File(path), &args[..], OutputFormat::Ktap),
        };
        Launch { source, args, output }
    }
}

impl<'p> ProgramSource<'p> {
    /// The file of the host that it is made from.
    pub fn file(self) -> Option<&'p Path> {
        match self {
            ProgramSource::Script(_) => None,
            ProgramSource::Compiled { file, .. } | ProgramSource::File(file) => Some(file),
        }
    }
}
