//! From the arguments to the record of a bisection: its candidates in order, checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BisectArgs, CliError, PathArgs};
use crate::arch::{Arch, GUEST};
use crate::bisect::{Costs, Find, Seen};
use crate::bisection::gitlog::{Called, Log};
use crate::bisection::tree::{Range, Tree};
use crate::bisection::{Misuse, Series, reuse};
use crate::event::{BisectionRecord, BisectionSource, Event};
use crate::kernel::{ArchChoice, KernelSpec, Library, RequestedKernel};
use crate::plan::PlacedTest;
use crate::progress::Fetching;
use crate::suite::Test;

/// What a kernel costs before one was got, seconds: a package's download, a commit's compilation.
const PACKAGE: f64 = 20.0;
const BUILD: f64 = 240.0;

/// What a boot takes, seconds, before one was made.
const BOOT: f64 = 5.0;

/// A bisection that can begin.
pub struct PreparedBisection {
    /// What is searched.
    pub record: BisectionRecord,
    /// The kernels of packages; empty for commits.
    pub kernels: Vec<RequestedKernel>,
    /// What is known from elsewhere.
    pub earlier: Vec<Event>,
    /// What the user should know.
    pub notices: Vec<String>,
}

/// The one test that is meant.
pub fn test(args: &BisectArgs, paths: &PathArgs, filter: &str) -> Result<Arc<Test>, CliError> {
    let tests = args.run.tests(vec![filter.to_owned()]).tests(paths)?;
    if let [test] = tests.as_slice() {
        return Ok(Arc::clone(test));
    }
    let exact: Vec<&Arc<Test>> =
        tests.iter().filter(|test| test.id() == filter || test.name == filter).collect();
    match exact.as_slice() {
        [test] => Ok(Arc::clone(test)),
        _ => {
            let names: Vec<String> = tests.iter().map(|test| test.id()).collect();
            Err(CliError::usage(format!("a bisection is of one test, {filter:?} fits {}", names.join(", "))))
        }
    }
}

/// What the arguments ask for.
pub fn begin(args: &BisectArgs, at: &PlacedTest, library: &Library) -> Result<PreparedBisection, CliError> {
    let test = at.test.as_ref();
    let find = Find::from(args.find);
    let (candidates, source, kernels, earlier, notices, kernel_cost) = match &args.tree.tree {
        Some(path) => {
            let (tree, earlier) = commits(args, find, path)?;
            let arch = args.arch.unwrap_or(GUEST);
            let config_digest = library.builder().config_digest(&args.tree.config, arch);
            let source = BisectionSource::Tree {
                path: shown(path)?,
                config_digest: config_digest.map_err(CliError::setup)?,
                config: args.tree.config.clone(),
                compiler: args.tree.compiler.clone(),
                arch: arch.to_tell(),
                paths: args.tree.paths.clone(),
            };
            (tree.candidates, source, Vec::new(), earlier, tree.notices, BUILD)
        }
        None => {
            let series = series(args, find, library)?;
            let mut notices = Vec::new();
            if series.several_lines {
                notices.push(
                    "the kernels are of several lines: the order of their versions is not that of time, and a fix in some lines \
                     only makes several boundaries"
                        .to_owned(),
                );
            }
            (series.candidates(), series.source(), series.kernels, Vec::new(), notices, PACKAGE)
        }
    };
    let dose = test.dose.seconds.map_or(5.0, f64::from);
    let record = BisectionRecord {
        test: test.id(),
        summary: test.summary.clone(),
        test_digest: reuse::test_digest(test, &at.machine),
        find,
        aims: args.search.aims(Some(test)),
        costs: Costs { kernel: kernel_cost, attempt: BOOT + dose },
        source,
        candidates,
    };
    Ok(PreparedBisection { record, kernels, earlier, notices })
}

/// A path that means the same from everywhere.
fn shown(path: &Path) -> Result<String, CliError> {
    let path =
        std::path::absolute(path).map_err(|error| CliError::setup(format!("{}: {error}", path.display())))?;
    Ok(path.display().to_string())
}

fn series(args: &BisectArgs, find: Find, library: &Library) -> Result<Series, CliError> {
    let (good, bad) = (one(args, library, "--good", &args.good)?, one(args, library, "--bad", &args.bad)?);
    let series = if args.kernels.is_empty() {
        let (known, left_out) = between(args, library, &good, &bad)?;
        Series::between(find, good, bad, known, &left_out)
    } else {
        let specs = args.kernels.iter().map(|text| spec(args, text)).collect::<Result<Vec<_>, _>>()?;
        let resolution = library.resolve(&specs, &Fetching::on_stderr()).map_err(CliError::setup)?;
        Series::listed(find, good, bad, resolution.wanted, &resolution.left_out)
    };
    series.map_err(CliError::usage)
}

fn spec(args: &BisectArgs, text: &str) -> Result<KernelSpec, CliError> {
    let arch = args.arch.map_or(ArchChoice::Any, ArchChoice::One);
    let spec = text.parse::<KernelSpec>().map_err(CliError::usage)?;
    Ok(spec.with_flavour(args.flavour).with_arch(arch))
}

/// The one kernel that an end is.
fn one(
    args: &BisectArgs,
    library: &Library,
    option: &'static str,
    text: &Option<String>,
) -> Result<RequestedKernel, CliError> {
    let text = text.as_deref().ok_or_else(|| CliError::usage(format!("{option} KERNEL is missing")))?;
    let resolution = library
        .resolve(&[spec(args, text)?], &Fetching::on_stderr())
        .map_err(|error| CliError::setup(format!("{option} {text}: {error}")))?;
    match resolution.wanted.as_slice() {
        [wanted] => Ok(wanted.clone()),
        several => {
            let kernels: Vec<&str> = several.iter().take(4).map(RequestedKernel::name).collect();
            let (asked, count) = (text.to_owned(), several.len());
            Err(CliError::usage(Misuse::Several { option, asked, count, kernels: kernels.join(", ") }))
        }
    }
}

/// The kernels whose versions lie between two.
fn between(
    args: &BisectArgs,
    library: &Library,
    good: &RequestedKernel,
    bad: &RequestedKernel,
) -> Result<(Vec<RequestedKernel>, Vec<crate::kernel::UnavailableKernel>), CliError> {
    let mut ends: Vec<_> = [good, bad].into_iter().filter_map(RequestedKernel::version).collect();
    ends.sort();
    let [first, last] = &ends[..] else { return Ok((Vec::new(), Vec::new())) };
    let range = format!("{}..{}", first.upstream(), last.upstream());
    let range = range.parse::<KernelSpec>().map_err(CliError::usage)?;
    let range = range.with_flavour(args.flavour).with_arch(ArchChoice::One(good.arch()));
    match library.resolve(&[range], &Fetching::on_stderr()) {
        Ok(resolution) => Ok((resolution.wanted, resolution.left_out)),
        // ends that are files need no package between them
        Err(crate::kernel::KernelError::Empty { .. }) => Ok((Vec::new(), Vec::new())),
        Err(error) => Err(CliError::setup(error)),
    }
}

/// The commits, and what an imported log says of them.
fn commits(args: &BisectArgs, find: Find, path: &Path) -> Result<(Tree, Vec<Event>), CliError> {
    let log = args.tree.import.as_deref().map(read_log).transpose()?;
    let end = |given: &Option<String>, option: &str, called: Called| {
        let logged = || log.as_ref().and_then(|(_, log)| log.first(called)).map(str::to_owned);
        given.clone().or_else(logged).ok_or_else(|| {
            CliError::usage(format!("{option} COMMIT is missing, and no imported log names one"))
        })
    };
    let (old, new) = (Called::Old, Called::New);
    let (good_is, bad_is) = if find == Find::Cause { (old, new) } else { (new, old) };
    let mut paths = args.tree.paths.clone();
    if let (Some((_, log)), true) = (&log, paths.is_empty()) {
        paths.clone_from(&log.paths);
    }
    let range = Range {
        repository: path.to_owned(),
        good: end(&args.good, "--good", good_is)?,
        bad: end(&args.bad, "--bad", bad_is)?,
        find,
        first_parent: args.tree.first_parent || log.as_ref().is_some_and(|(_, log)| log.first_parent),
        paths,
    };
    let mut tree = Tree::read(&range).map_err(|error| match error {
        crate::bisection::tree::TreeError::Git { .. } => CliError::setup(error),
        error => CliError::usage(error),
    })?;
    let mut earlier = Vec::new();
    for (file, (called, commit)) in
        log.iter().flat_map(|(file, log)| log.commits.iter().map(move |c| (file, c)))
    {
        let known = tree.candidates.iter().find(|candidate| candidate.id.starts_with(commit.as_str()));
        let Some(candidate) = known else {
            tree.notices.push(format!("{file}: {commit} is no candidate, and is left out"));
            continue;
        };
        let (kernel, from) = (candidate.name.clone(), file.clone());
        let bad = (*called == bad_is) as u32;
        earlier.push(match called {
            Called::Skipped => Event::CandidateClosed { kernel, reason: format!("skipped in {file}") },
            _ => Event::Earlier { kernel, seen: Seen::new(bad, 1), from, content: None },
        });
    }
    Ok((tree, earlier))
}

fn read_log(path: &Path) -> Result<(String, Log), CliError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| CliError::setup(format!("{name}: {error}")))?;
    let log = Log::parse(&text).map_err(|error| CliError::usage(format!("{name}: {error}")))?;
    Ok((name, log))
}

/// The kernels of a bisection that is resumed.
pub fn again(record: &BisectionRecord, library: &Library) -> Result<Vec<RequestedKernel>, CliError> {
    if let BisectionSource::Tree { config, config_digest, arch, .. } = &record.source {
        let arch = arch.as_deref().and_then(Arch::named).unwrap_or(GUEST);
        let now = library.builder().config_digest(config, arch).map_err(CliError::setup)?;
        if !config_digest.is_empty() && *config_digest != now {
            return Err(CliError::setup(format!(
                "the configuration {config} was changed since the bisection began, so that its kernels would differ in \
                 more than their commits; begin a new one"
            )));
        }
        return Ok(Vec::new());
    }
    let named = |candidate: &crate::event::CandidateRecord| {
        let text = if PathBuf::from(&candidate.id).is_absolute() { &candidate.id } else { &candidate.name };
        text.parse::<KernelSpec>().map_err(CliError::setup)
    };
    let specs = record.candidates.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let wanted = library.resolve(&specs, &Fetching::on_stderr()).map_err(CliError::setup)?.wanted;
    for (candidate, nth) in record.candidates.iter().zip(0..) {
        let found = wanted.get(nth).map(crate::bisection::id_of);
        if found.as_ref() != Some(&candidate.id) {
            return Err(CliError::setup(format!(
                "{} was {} when the bisection began, and is {} now; begin a new one",
                candidate.name,
                candidate.id,
                found.as_deref().unwrap_or("not available")
            )));
        }
    }
    Ok(wanted)
}
