//! Which tests and which kernels are meant.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::CliError;
use super::paths::PathArgs;
use crate::arch::{ARCHES, Arch, GUEST};
use crate::cli::word::words;
use crate::journal::RunDir;
use crate::kernel::{ArchChoice, Flavour, KernelSpec, Library, RequestedKernel};
use crate::plan::{CellChoice, EarlierCell, EarlierCells, NameFilter, select};
use crate::progress::Fetching;
use crate::report::RunSummary;
use crate::report::rerun::named_suites;
use crate::suite::{self, Suite, Test};
use crate::verdict::Verdict;

/// Kernels that a run takes when none is named: two that have the bugs of the first suites and two that do not, on
/// each side of each fix.
pub const DEFAULT_KERNELS: &[&str] = &["6.12.57", "6.12.117", "6.17.13", "7.2.13"];

/// The kernel that a run takes of another architecture, when none is named: Debian keeps fewer versions of them.
const FOREIGN_KERNEL: &str = "latest:6.12";

/// The architecture of this name.
///
/// # Errors
/// There is none; the names that there are.
pub fn named_arch(name: &str) -> Result<&'static Arch, String> {
    Arch::named(name).ok_or_else(|| {
        let known: Vec<&str> = ARCHES.iter().map(|arch| arch.debian).collect();
        format!("expected one of {}", known.join(", "))
    })
}

/// Which tests are meant.
#[derive(Debug, Default, clap::Args)]
pub struct TestArgs {
    /// Tests whose names contain one of these words, or fit one as a glob; `!` in front of a word takes tests away
    /// [default: every test]
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Words are whole names, `suite::test` or the test's alone
    #[arg(long)]
    pub exact: bool,
    /// Only what this expression holds for: `suite(block) & kernel(>=6.12) - test(/race$/)`, `needs(igb)`,
    /// `touches(fs/ext4)`, `fixes(COMMIT)`, `verdict(bad)`, `duration(>30s)`; of several, any
    #[arg(short = 'E', long = "filter-expr", value_name = "EXPRESSION")]
    pub expressions: Vec<String>,
    /// Only this suite: its name, a file, or a folder of suites
    #[arg(short, long = "suite", value_name = "SUITE")]
    pub suite: Vec<String>,
    /// Known messages besides the suites' own: reports that do no harm, and lines that count though they are no crash
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
}

/// Which kernels are meant.
#[derive(Debug, clap::Args)]
pub struct KernelArgs {
    /// Kernels: a version (6.17.13), range (6.12..7.2, 6.18.., 6.12.y), latest:LINE, oldest:LINE, each-line, all, cloud,
    /// plain, a glob (6.1*), a catalogue's name, or a file or folder (./bzImage, ./linux-image.deb, ./tuxmake-out); `!` in front takes kernels away, /cloud or
    /// /plain behind chooses the image, arm64: or s390x: in front the architecture (arm64:latest:6.12) [default: four that the suites were written on]
    #[arg(short, long = "kernel", value_name = "KERNEL", env = "KREGRESS_KERNELS", value_delimiter = ',')]
    pub kernel: Vec<String>,
    /// Kernels for this architecture, where -k names none: arm64, s390x … or each-arch [default: amd64]
    #[arg(long, value_name = "ARCH", value_delimiter = ',')]
    pub arch: Vec<ArchChoice>,
    /// The image that every test gets [default: for each test the smallest that has what it needs]
    #[arg(long, value_parser = words::<Flavour>(), value_name = "FLAVOUR")]
    pub flavour: Option<Flavour>,
    /// The modules of a kernel file given with -k: a lib/modules/RELEASE folder, a package or an archive
    #[arg(long, value_name = "PATH")]
    pub modules: Option<PathBuf>,
    /// The kernels of the configuration, for a command that names none.
    #[arg(skip)]
    pub otherwise: Option<Vec<String>>,
}

impl TestArgs {
    /// The filter expressions, which say more than which tests.
    ///
    /// # Errors
    /// One of them is none.
    pub fn choice(&self) -> Result<CellChoice, CliError> {
        let expressions = self.expressions.iter().map(|text| cell_filter::Filter::parse(text));
        Ok(CellChoice::new(expressions.collect::<Result<_, _>>().map_err(CliError::filter)?))
    }

    /// Loads the suites and selects.
    ///
    /// # Errors
    /// A filter or a suite cannot be read, or no test is left.
    pub fn tests(&self, paths: &PathArgs) -> Result<Vec<Arc<Test>>, CliError> {
        self.tests_of(&self.suite, paths)
    }

    /// As [`TestArgs::tests`], of these suites; of all where there are none.
    ///
    /// # Errors
    /// Those of [`TestArgs::tests`].
    pub fn tests_of(&self, named: &[String], paths: &PathArgs) -> Result<Vec<Arc<Test>>, CliError> {
        let filter = NameFilter::new(&self.filters, self.exact).map_err(CliError::filter)?;
        let choice = self.choice()?;
        let suites = load_suites(named, &paths.suites()?)?;
        let mut tests = select(&suites, &filter);
        tests.retain(|test| choice.may_mean(test));
        if let Some(file) = &self.known {
            let known = suite::load_messages(file).map_err(CliError::located)?;
            for test in &mut tests {
                Arc::make_mut(&mut Arc::make_mut(test).messages).extend(&known);
            }
        }
        if tests.is_empty() {
            let words = [&self.filters[..], &self.expressions[..]].concat().join(" ");
            return Err(CliError::nothing(format!(
                "no test fits {words:?}; `kregress list` shows the tests that there are"
            )));
        }
        Ok(tests)
    }
}

/// Loads the named suites from the first folder that has them, or all of the first folder.
pub fn load_suites(named: &[String], folders: &[PathBuf]) -> Result<Vec<Suite>, CliError> {
    let folder = &folders[0];
    if named.is_empty() {
        if !folder.is_dir() {
            return Err(CliError::setup(format!(
                "there is no folder {}; run kregress where the suites are, or name them with --suites DIR or -s FILE",
                folder.display()
            )));
        }
        return suite::load_dir(folder).map_err(CliError::located);
    }
    let mut suites = Vec::new();
    for name in named {
        let given = PathBuf::from(name);
        let places = || folders.iter().map(|folder| folder.join(name));
        // the collection that suites were imported from may stand here under the same name, without a suite in it
        let mut given_folders = [given.clone()].into_iter().chain(places()).filter(|path| path.is_dir());
        let first = given_folders.next();
        let folder =
            first.iter().cloned().chain(given_folders).find(|path| suite::has_suites(path)).or(first);
        let file = |place: PathBuf| place.with_file_name(format!("{name}.yaml"));
        let named = [given].into_iter().chain(places().map(file)).find(|path| path.is_file());
        // of a collection that was imported, which lie a folder deeper
        let found = match &folder {
            Some(_) => named,
            None => named.map_or_else(|| imported(name, folders), |path| Ok(Some(path)))?,
        };
        match (found, folder) {
            (Some(path), _) => suites.push(suite::load_file(&path).map_err(CliError::located)?),
            (None, Some(folder)) => suites.extend(suite::load_dir(&folder).map_err(CliError::located)?),
            (None, None) => {
                let path = folders[0].join(format!("{name}.yaml"));
                return Err(CliError::setup(format!(
                    "there is no suite {name:?}: neither a file or folder of that name nor {}",
                    path.display()
                )));
            }
        }
    }
    Ok(suites)
}

/// The suite of this name in one of the folders below those of suites, where imports write; the first of `folders` that has it.
fn imported(name: &str, folders: &[PathBuf]) -> Result<Option<PathBuf>, CliError> {
    for folder in folders {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path().join(format!("{name}.yaml")));
        let mut found: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
        found.sort();
        match &found[..] {
            [] => {}
            [path] => return Ok(Some(path.clone())),
            [first, second, ..] => {
                return Err(CliError::setup(format!(
                    "there is more than one suite {name:?}: {} and {}; name one by its path",
                    first.display(),
                    second.display()
                )));
            }
        }
    }
    Ok(None)
}

impl KernelArgs {
    /// Resolves what was named, or the default kernels.
    pub fn wanted(&self, library: &Library) -> Result<Vec<RequestedKernel>, CliError> {
        if let Some(kernels) = &self.otherwise {
            return self.wanted_of(library, kernels);
        }
        let foreign = |arch: &ArchChoice| !matches!(arch, ArchChoice::One(arch) if *arch == GUEST);
        let otherwise = if self.arch.iter().any(foreign) { &[FOREIGN_KERNEL] } else { DEFAULT_KERNELS };
        self.wanted_of(library, otherwise)
    }

    /// Resolves what was named; these kernels where none is named, or none but such as are taken away.
    ///
    /// # Errors
    /// An expression cannot be read, or covers nothing.
    pub fn wanted_of<T: AsRef<str>>(
        &self,
        library: &Library,
        otherwise: &[T],
    ) -> Result<Vec<RequestedKernel>, CliError> {
        let only_takes_away = self.kernel.iter().all(|kernel| kernel.starts_with('!'));
        let otherwise = otherwise.iter().map(|kernel| kernel.as_ref().to_owned());
        let named: Vec<String> = match only_takes_away {
            true => otherwise.chain(self.kernel.iter().cloned()).collect(),
            false => self.kernel.clone(),
        };
        let arches = if self.arch.is_empty() { vec![ArchChoice::Any] } else { self.arch.clone() };
        let specs = named
            .iter()
            .flat_map(|text| arches.iter().map(move |arch| (text, *arch)))
            .map(|(text, arch)| {
                let spec = text.parse::<KernelSpec>()?;
                Ok(spec.with_arch(arch).with_flavour(self.flavour).with_modules(self.modules.clone()))
            })
            .collect::<Result<Vec<_>, crate::kernel::SpecError>>()
            .map_err(CliError::setup)?;
        let progress = Fetching::on_stderr();
        let resolution = library.resolve(&specs, &progress).map_err(CliError::setup)?;
        for left_out in &resolution.left_out {
            eprintln!("warning: {} is left out: {}", left_out.name, left_out.reason);
        }
        Ok(resolution.wanted)
    }
}

/// Refuses to run again what never said what it would run, and says which parts of a plan are missing.
///
/// # Errors
/// There is no such run, its journal is damaged, or it was killed while it planned.
pub fn check_rerun(reports: &Path, asked: &str) -> Result<(), CliError> {
    let dirs = RunDir::find_all(reports, asked).map_err(CliError::setup)?;
    let (run, _) = RunSummary::of_runs(&dirs).map_err(CliError::setup)?;
    if run.planned() == 0 || run.unnamed() > 0 {
        return Err(CliError::setup(format!(
            "the run {asked} was ended before it had named all of its cells, so that it is not known what to run again; begin it anew"
        )));
    }
    run.holes().iter().for_each(|hole| eprintln!("warning: {hole}"));
    Ok(())
}

/// What an earlier run says of what is to be run again.
#[derive(Debug, Default)]
pub struct EarlierRun {
    /// Its cells.
    pub cells: EarlierCells,
    /// Its kernels, in their order.
    pub kernels: Vec<String>,
    /// The suites that it named; none where a part of it took all.
    pub suites: Vec<String>,
}

/// What a run in this folder, or several together, say of their cells.
///
/// # Errors
/// There is no such run, or its journal is damaged.
pub fn earlier_run(reports: &Path, asked: &str) -> Result<EarlierRun, CliError> {
    let dirs = RunDir::find_all(reports, asked).map_err(CliError::setup)?;
    let (run, _) = RunSummary::of_runs(&dirs).map_err(CliError::setup)?;
    let EarlierRun { mut cells, mut kernels, mut suites } = EarlierRun::default();
    let mut took_all = false;
    for cell in run.cells() {
        if !kernels.iter().any(|kernel| kernel == cell.kernel()) {
            kernels.push(cell.kernel().to_owned());
        }
        let passed = match cell.verdict() {
            Some(Verdict::Good | Verdict::Skip) => true,
            Some(Verdict::Bad | Verdict::Other) => cell.known() == Some("known"),
            Some(Verdict::Blind | Verdict::Lost) | None => false,
        };
        let named = named_suites(&run.options(cell));
        took_all |= named.is_empty();
        suites.extend(named);
        suites.sort_unstable();
        suites.dedup();
        cells.insert(cell.id(), EarlierCell { verdict: cell.verdict(), seconds: cell.seconds(), passed });
    }
    if took_all {
        suites.clear();
    }
    Ok(EarlierRun { cells, kernels, suites })
}
