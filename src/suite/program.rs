//! What runs in the guest: where it comes from, and how its output is read.

use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use serde::Serialize;

/// What runs in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// A script for the guest's busybox shell.
    Shell {
        /// Its text.
        script: String,
        /// How it ends.
        #[serde(skip_serializing_if = "Ends::is_by_itself")]
        ends: Ends,
    },
    /// A C program, linked statically on the host.
    C {
        /// The file that is compiled.
        source: PathBuf,
        /// Added to the compiler's command line.
        flags: Vec<String>,
        /// Arguments in the guest.
        args: Vec<String>,
        /// How it ends.
        #[serde(skip_serializing_if = "Ends::is_by_itself")]
        ends: Ends,
    },
    /// A program that is there already; it must be static or a script for the guest's shell.
    Binary {
        /// The file.
        path: PathBuf,
        /// Arguments in the guest.
        args: Vec<String>,
        /// How it ends.
        #[serde(skip_serializing_if = "Ends::is_by_itself")]
        ends: Ends,
    },
    /// As `Binary`, but of the Linux Test Project: its lines and its exit code say what it found.
    Ltp {
        /// Where it is.
        #[serde(flatten)]
        file: ProgramFile,
        /// Arguments in the guest.
        args: Vec<String>,
        /// How long it runs by itself (`.runtime` of its `struct tst_test`): a dose with seconds makes it run for that
        /// much less or more. Absent: it has no such time.
        #[serde(skip_serializing_if = "Option::is_none")]
        runtime: Option<Duration>,
    },
    /// As `Binary`, but of the kernel's selftests: its KTAP, as far as it prints some, and its exit code say what it found.
    Kselftest {
        /// Where it is; in a tree below `tools/testing/selftests`.
        #[serde(flatten)]
        file: ProgramFile,
        /// Arguments in the guest.
        args: Vec<String>,
    },
    /// A test of xfstests, in a userland that the built collection is put into.
    Xfstests {
        /// Its name, `generic/001`.
        test: String,
        /// The source tree of xfstests.
        tree: PathBuf,
        /// The type of the file system (`FSTYP`).
        fstyp: String,
    },
    /// A test of blktests, in a userland that the built collection is put into.
    Blktests {
        /// Its name, `block/001`.
        test: String,
        /// The source tree of blktests.
        tree: PathBuf,
    },
    /// As `Binary`, but it prints KTAP (Documentation/dev-tools/ktap.rst): each `not ok` line counts as `symptom`.
    Ktap {
        /// The file.
        path: PathBuf,
        /// Arguments in the guest.
        args: Vec<String>,
    },
}

/// Where xfstests lies in its userland.
const XFSTESTS_FOLDER: &str = "/opt/xfstests";

/// What runs one of its tests there.
const XFSTESTS_DRIVER: &str = include_str!("xfstests.sh");

/// Where blktests lies in its userland.
const BLKTESTS_FOLDER: &str = "/opt/blktests";

/// What runs one of its tests there.
const BLKTESTS_DRIVER: &str = include_str!("blktests.sh");

/// How a program ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// When it has done its dose, and how says what it found.
    #[default]
    ByItself,
    /// It loops for ever or dies: the dose is over after its seconds whatever it did. Where it ended before, it is started
    /// again.
    Never,
}

impl Ends {
    fn is_by_itself(&self) -> bool {
        *self == Ends::ByItself
    }
}

/// A program of a collection: a file that is there already, or one that its source tree makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramFile {
    /// The file; where there is a tree, its path in that.
    pub path: PathBuf,
    /// The source tree that it is built in. Absent: it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<PathBuf>,
    /// Files of the same folder of the tree that lie beside it in the guest: data, or programs that are built as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

impl ProgramFile {
    fn source(&self, collection: Collection) -> ProgramSource<'_> {
        match &self.tree {
            None => ProgramSource::File(&self.path),
            Some(tree) => ProgramSource::Collection(CollectionProgram {
                collection,
                tree,
                program: &self.path,
                beside: &self.beside,
            }),
        }
    }
}

/// A collection of tests with a build system of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// The Linux Test Project; paths are from the top of its tree.
    Ltp,
    /// The kernel's selftests; paths are from `tools/testing/selftests` of a kernel's source.
    Kselftest,
    /// xfstests, which is built as a whole.
    Xfstests,
    /// blktests, which is built as a whole.
    Blktests,
}

impl Collection {
    /// Its key in a suite.
    pub fn word(self) -> &'static str {
        match self {
            Collection::Ltp => "ltp",
            Collection::Kselftest => "kselftest",
            Collection::Xfstests => "xfstests",
            Collection::Blktests => "blktests",
        }
    }

    /// Where programs lie in its tree.
    pub fn programs(self) -> &'static str {
        match self {
            Collection::Ltp | Collection::Xfstests | Collection::Blktests => "",
            Collection::Kselftest => "tools/testing/selftests",
        }
    }
}

/// A program that its collection's tree makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionProgram<'p> {
    /// Which collection.
    pub collection: Collection,
    /// Its source tree, which is only read.
    pub tree: &'p Path,
    /// The program's path in the tree.
    pub program: &'p Path,
    /// Files of the same folder that lie beside it in the guest.
    pub beside: &'p [String],
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
    /// What its userland has besides.
    pub installs: Option<Installed<'p>>,
    /// How it ends.
    pub ends: Ends,
}

/// A collection that is built as a whole and put into a test's userland.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installed<'p> {
    /// Which one.
    pub collection: Collection,
    /// Its source tree, which is only read.
    pub tree: &'p Path,
    /// Its folder in the guest.
    pub place: &'static str,
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
    /// A program that is built in the cache from a collection's tree.
    Collection(CollectionProgram<'p>),
}

/// How a program's output is read. `lab` has a reader for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Only the report descriptor counts (`suites/README.md`).
    Reports,
    /// As `Reports`, and what is printed is KTAP.
    Ktap,
    /// As `Reports`, and what is printed are results of the kernel's selftests, as is the exit code.
    Kselftest,
    /// As `Reports`, and what is printed are results of the Linux Test Project, as is the exit code.
    Ltp,
    /// As `Reports`, and what is printed is what `./check` of xfstests says of one test, as is the exit code.
    Xfstests,
    /// As `Reports`, and what is printed is what `./check` of blktests says of one test, as is the exit code.
    Blktests,
}

impl OutputFormat {
    /// Whether the reader says what an exit code other than 0 means.
    pub fn reads_exit_code(self) -> bool {
        match self {
            OutputFormat::Reports | OutputFormat::Ktap => false,
            OutputFormat::Kselftest | OutputFormat::Ltp | OutputFormat::Xfstests | OutputFormat::Blktests => {
                true
            }
        }
    }

    /// Whether the program itself decides when it has done enough: the dose's seconds are the most that it takes.
    pub fn ends_by_itself(self) -> bool {
        match self {
            OutputFormat::Reports | OutputFormat::Ktap => false,
            OutputFormat::Kselftest | OutputFormat::Ltp | OutputFormat::Xfstests | OutputFormat::Blktests => {
                true
            }
        }
    }
}

impl Program {
    /// How it is started and read: one row a kind.
    pub fn launch(&self) -> Launch<'_> {
        let (source, args, output) = match self {
            Program::Shell { script, .. } => (ProgramSource::Script(script), &[][..], OutputFormat::Reports),
            Program::C { source, flags, args, .. } => {
                (ProgramSource::Compiled { file: source, flags }, &args[..], OutputFormat::Reports)
            }
            Program::Binary { path, args, .. } => {
                (ProgramSource::File(path), &args[..], OutputFormat::Reports)
            }
            Program::Ltp { file, args, .. } => (file.source(Collection::Ltp), &args[..], OutputFormat::Ltp),
            Program::Kselftest { file, args } => {
                (file.source(Collection::Kselftest), &args[..], OutputFormat::Kselftest)
            }
            Program::Xfstests { test, .. } => {
                (ProgramSource::Script(XFSTESTS_DRIVER), slice::from_ref(test), OutputFormat::Xfstests)
            }
            Program::Blktests { test, .. } => {
                (ProgramSource::Script(BLKTESTS_DRIVER), slice::from_ref(test), OutputFormat::Blktests)
            }
            Program::Ktap { path, args } => (ProgramSource::File(path), &args[..], OutputFormat::Ktap),
        };
        let installs = match self {
            Program::Xfstests { tree, .. } => {
                Some(Installed { collection: Collection::Xfstests, tree, place: XFSTESTS_FOLDER })
            }
            Program::Blktests { tree, .. } => {
                Some(Installed { collection: Collection::Blktests, tree, place: BLKTESTS_FOLDER })
            }
            _ => None,
        };
        Launch { source, args, output, installs, ends: self.ends() }
    }

    fn ends(&self) -> Ends {
        match self {
            Program::Shell { ends, .. } | Program::C { ends, .. } | Program::Binary { ends, .. } => *ends,
            Program::Ltp { .. }
            | Program::Kselftest { .. }
            | Program::Xfstests { .. }
            | Program::Blktests { .. }
            | Program::Ktap { .. } => Ends::ByItself,
        }
    }
}

impl<'p> ProgramSource<'p> {
    /// The file of the host that it is made from.
    pub fn file(self) -> Option<&'p Path> {
        match self {
            ProgramSource::Script(_) | ProgramSource::Collection(_) => None,
            ProgramSource::Compiled { file, .. } | ProgramSource::File(file) => Some(file),
        }
    }
}
