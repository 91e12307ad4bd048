//! `kregress import`: suites from other test collections.

mod blktests;
mod reproducers;
mod scripts;
mod selftests;
mod store;
mod xfstests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use suite_import::{Import, ltp};

use super::error::CliError;
use super::paths::PathArgs;
use crate::report::ExitStatus;
use crate::vm::initramfs;

/// Where LTP's build leaves what it knows of its tests.
const LTP_METADATA: &str = "metadata/ltp.json";

/// The most names of tests that are listed behind a reason.
const MOST_NAMES: usize = 8;

/// Write suites for the tests of another collection
///
/// The collection's own sources or metadata say what its tests need, which commits they check and how long they run. What
/// a suite cannot say is left out, with the reason. The suites are for reading and changing: importing again keeps each
/// test that was changed or removed in them, and shows what the collection says otherwise. Programs are built when a test
/// first needs them.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    collection: Collection,
}

#[derive(Debug, Subcommand)]
enum Collection {
    /// The Linux Test Project: tests that name the commit or CVE that they check
    #[command(after_help = "\
Examples:
  make -C ~/ltp autotools && (cd ~/ltp && ./configure && make -C metadata)
  kregress import ltp ~/ltp                   writes suites/ltp/*.yaml
  kregress run -s ltp -k each-line            builds, runs and judges them")]
    Ltp(LtpArgs),
    /// The kernel's selftests: of a kernel's source, or as they were installed
    #[command(after_help = "\
Examples:
  kregress import kselftest ~/linux timers rtc   two folders of a source
  kregress import kselftest linux-source-6.12    out of Debian's package
  kregress import kselftest ~/kselftest_install  what is there already
  kregress run -s kselftest -k each-line         runs and judges them")]
    Kselftest(selftests::KselftestArgs),
    /// xfstests: tests of file systems, on one of a type
    #[command(after_help = "\
Examples:
  kregress import xfstests ~/xfstests          generic, group quick, on ext4
  kregress import xfstests ~/xfstests --fstyp xfs --group auto generic xfs
  kregress run -s xfstests -k each-line          builds, runs and judges them")]
    Xfstests(xfstests::XfstestsArgs),
    /// blktests: tests of block devices and their drivers
    #[command(after_help = "\
Examples:
  kregress import blktests ~/blktests          the group block
  kregress import blktests ~/blktests all      all of its groups
  kregress run -s blktests -k each-line        builds, runs and judges them")]
    Blktests(blktests::BlktestsArgs),
    /// Reproducers in C that syzkaller wrote: a folder of them, at any depth
    #[command(after_help = "\
Examples:
  kregress import syz ~/syzkaller-repros/linux   writes suites/syz/*.yaml
  kregress import syz ~/workdir/crashes          of a manager of one's own
  kregress run -s syz -k each-line               compiles, runs and judges them")]
    Syz(reproducers::SyzArgs),
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The folder of the suites [default: a folder of the collection's name
    /// where the suites are]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct LtpArgs {
    /// A tree of LTP in which `make -C metadata` was run
    #[arg(value_name = "PATH")]
    tree: PathBuf,
    /// Tests without a tag as well
    #[arg(long)]
    all: bool,
    /// The dose of tests that would run longer by themselves, seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    seconds: u32,
    #[command(flatten)]
    target: Target,
}

/// Imports.
pub fn run(args: &ImportArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    match &args.collection {
        Collection::Ltp(args) => {
            let import = ltp(args)?;
            finish(&import, "ltp", &args.target, paths)
        }
        Collection::Kselftest(args) => {
            let import = selftests::read(args, paths)?;
            finish(&import, "kselftest", &args.target, paths)
        }
        Collection::Xfstests(args) => {
            let import = xfstests::read(args)?;
            finish(&import, "xfstests", &args.target, paths)
        }
        Collection::Blktests(args) => {
            let import = blktests::read(args)?;
            finish(&import, "blktests", &args.target, paths)
        }
        Collection::Syz(args) => {
            let import = reproducers::read(args)?;
            finish(&import, "syz", &args.target, paths)
        }
    }
}

fn ltp(args: &LtpArgs) -> Result<Import, CliError> {
    let tree = folder(&args.tree)?;
    let file = tree.join(LTP_METADATA);
    let metadata = std::fs::read_to_string(&file).map_err(|error| {
        CliError::setup(format!(
            "{}: {error}; it is made by LTP's own build: in {}, `make autotools && ./configure && make -C metadata`",
            file.display(),
            tree.display()
        ))
    })?;
    let commands: BTreeSet<String> =
        initramfs::find_busybox().map_err(CliError::setup)?.applets.into_iter().collect();
    let options =
        ltp::Options { tree: tree.display().to_string(), all: args.all, seconds: args.seconds, commands };
    let source = |path: &str| std::fs::read_to_string(tree.join(path)).ok();
    ltp::read(&metadata, &source, &options)
        .map_err(|error| CliError::setup(format!("{}: {error}", file.display())))
}

/// A folder that the suites will name.
fn folder(path: &Path) -> Result<PathBuf, CliError> {
    let whole = std::fs::canonicalize(path);
    let whole = whole.map_err(|error| CliError::setup(format!("{}: {error}", path.display())))?;
    match whole.is_dir() {
        true => Ok(whole),
        false => Err(CliError::setup(format!("{} is no folder", path.display()))),
    }
}

/// Writes the suites and says what came of it.
fn finish(
    import: &Import,
    collection: &str,
    target: &Target,
    paths: &PathArgs,
) -> Result<ExitStatus, CliError> {
    let output = match &target.output {
        Some(output) => output.clone(),
        None => paths.own_suites().join(collection),
    };
    let by = format!("kregress import {collection}");
    for suite in &import.suites {
        store::store(suite, &by, &output, target.dry_run)?;
    }
    let tests: usize = import.suites.iter().map(|suite| suite.tests.len()).sum();
    println!("{tests} tests in {} suites below {}", import.suites.len(), output.display());
    print!("{}", left_out(import));
    if tests == 0 {
        return Err(CliError::nothing("no test was found that could be imported"));
    }
    Ok(ExitStatus::Success)
}

/// What was left out, by reason, the most frequent first.
fn left_out(import: &Import) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for left in &import.left_out {
        reasons.entry(&left.reason).or_default().push(&left.test);
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, tests)| (std::cmp::Reverse(tests.len()), *reason));
    let mut text = String::new();
    if !reasons.is_empty() {
        text += &format!("{} left out:\n", import.left_out.len());
    }
    for (reason, tests) in reasons {
        let more = if tests.len() > MOST_NAMES { ", …" } else { "" };
        let names = tests[..tests.len().min(MOST_NAMES)].join(", ");
        text += &format!("{:>6}  {reason}: {names}{more}\n", tests.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_said_by_reason() {
        let mut import = Import::default();
        for n in 0..10 {
            import.leave_out(&format!("t{n}"), "a guest has no mkfs");
        }
        import.leave_out("x", "it is for s390x");
        insta::assert_snapshot!(left_out(&import), @r"
        11 left out:
            10  a guest has no mkfs: t0, t1, t2, t3, t4, t5, t6, t7, …
             1  it is for s390x: x
        ");
        assert_eq!(left_out(&Import::default()), "");
    }
}
