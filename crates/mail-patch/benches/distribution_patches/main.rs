//! Applying beside `git apply` and `patch -F0`, on the patches of Debian's source packages.
//!
//! Every patch of every package is tried on five trees: in its place in the series, on the upstream source, on the whole
//! series (which has it already), and on the upstream source and the whole series of another version.
//! What is taken must be taken by git with the same bytes as the result. Disagreements are counted by kind and listed.
//!
//! `cargo bench -p mail-patch --bench distribution_patches [-- [--seconds=N] PACKAGE…]` needs the network, apt with entries
//! for Debian, `git`, `patch`, `tar` and `xz`. What apt fetches goes to a folder below the target folder and is kept there.
//! A package that takes longer than N seconds (600) is cut, and what was not tried is counted; a package that cannot be
//! fetched is passed over. The table is printed all the same.

mod packages;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use packages::{Apt, Fetched, Release, Tree};
use trial::{Answer, Trial};

/// Packages with many patches, and the kernel.
const PACKAGES: [&str; 14] = [
    "linux",
    "glibc",
    "grub2",
    "systemd",
    "perl",
    "vim",
    "qemu",
    "openssh",
    "unzip",
    "cups",
    "ghostscript",
    "util-linux",
    "xen",
    "busybox",
];
/// Releases that are looked through for two versions, each the other's neighbour.
const RELEASES: [&str; 2] = ["bookworm", "trixie"];
/// How long a package may take.
const SECONDS: u64 = 600;
/// How often is said how far it is.
const PROGRESS: Duration = Duration::from_secs(20);
/// Examples that are printed of each kind of disagreement.
const EXAMPLES: usize = 6;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("not run: it downloads packages; `cargo bench` runs it");
        return ExitCode::SUCCESS;
    }
    let named: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let names = if named.is_empty() { PACKAGES.to_vec() } else { named };
    let seconds = arguments.iter().find_map(|word| word.strip_prefix("--seconds=")?.parse().ok());
    match run(&names, Duration::from_secs(seconds.unwrap_or(SECONDS))) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(names: &[&str], limit: Duration) -> Result<usize, String> {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("distribution-patches");
    let apt = Apt::prepare(&place, &RELEASES)?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut counts = Counts::default();
    for name in names {
        let fetched = match unpacked(&apt, name) {
            Ok(fetched) => fetched,
            Err(why) => {
                eprintln!("{name}: passed over: {why}");
                continue;
            }
        };
        let before = (counts.pairs, counts.doubtful);
        counts.begin(name, limit);
        let trees: Vec<(Tree, Tree)> =
            fetched.iter().map(|release| counts.series(release, scratch.path())).collect();
        for (at, release) in fetched.iter().enumerate() {
            counts.others(release, &trees, at, scratch.path());
        }
        let patches: usize = fetched.iter().map(|release| release.patches.len()).sum();
        println!(
            "{name}: {patches} patches, {} pairs, {} with a doubt{} in {:.0} s",
            counts.pairs - before.0,
            counts.doubtful - before.1,
            if counts.cut > 0 { format!(", {} not tried", counts.cut) } else { String::new() },
            counts.began.elapsed().as_secs_f64()
        );
    }
    counts.print(started.elapsed().as_secs_f64());
    Ok(counts.unexplained())
}

/// The newest versions of a package with the files of both that any patch touches: each is the other's neighbour.
fn unpacked(apt: &Apt, name: &str) -> Result<Vec<Release>, String> {
    let fetched = apt.package(name)?;
    let paths = fetched.iter().flat_map(Fetched::touched).collect();
    fetched.into_iter().map(|one| one.unpacked(&paths)).collect()
}

/// What was seen.
struct Counts {
    pairs: usize,
    /// Pairs that all of the programs applied and that the own result is doubted of.
    doubtful: usize,
    /// The package that is tried, since when, until when, and what was last said of it.
    package: String,
    began: Instant,
    limit: Duration,
    said: Instant,
    /// Pairs of it that were not tried, as its time was over.
    cut: usize,
    /// By the tree, and by what each program answered: own, git, patch.
    table: BTreeMap<(&'static str, [Answer; 3]), usize>,
    /// Kinds of disagreement, with examples.
    kinds: BTreeMap<String, (usize, Vec<String>)>,
}

impl Default for Counts {
    fn default() -> Counts {
        let now = Instant::now();
        Counts {
            pairs: 0,
            doubtful: 0,
            package: String::new(),
            began: now,
            limit: Duration::from_secs(SECONDS),
            said: now,
            cut: 0,
            table: BTreeMap::new(),
            kinds: BTreeMap::new(),
        }
    }
}

impl Counts {
    fn begin(&mut self, package: &str, limit: Duration) {
        let now = Instant::now();
        (self.package, self.limit) = (package.to_owned(), limit);
        (self.began, self.said, self.cut) = (now, now, 0);
    }

    /// Whether the package has time for one more pair.
    fn has_time(&mut self) -> bool {
        if self.said.elapsed() > PROGRESS {
            self.said = Instant::now();
            eprintln!(
                "{}: {} pairs after {:.0} s",
                self.package,
                self.pairs,
                self.began.elapsed().as_secs_f64()
            );
        }
        let left = self.began.elapsed() < self.limit;
        self.cut += usize::from(!left);
        left
    }

    /// Tries the patches of a release in their places; answers its upstream tree and the one with all of them.
    fn series(&mut self, release: &Release, scratch: &std::path::Path) -> (Tree, Tree) {
        let mut tree = release.upstream.clone();
        for patch in &release.patches {
            if !self.has_time() {
                continue;
            }
            let trial = Trial::of(&patch.bytes, &tree, scratch);
            self.count("in its place", &format!("{} {}", release.name, patch.name), &trial);
            if let Some(changed) = trial.taken() {
                tree.extend(changed);
            }
        }
        (release.upstream.clone(), tree)
    }

    fn others(&mut self, release: &Release, trees: &[(Tree, Tree)], own: usize, scratch: &std::path::Path) {
        for patch in &release.patches {
            let mut on = |what, tree: &Tree| {
                if !self.has_time() {
                    return;
                }
                let trial = Trial::of(&patch.bytes, tree, scratch);
                self.count(what, &format!("{} {}", release.name, patch.name), &trial);
            };
            for (at, (upstream, whole)) in trees.iter().enumerate() {
                match at == own {
                    true => {
                        on("upstream", upstream);
                        on("whole series", whole);
                    }
                    false => {
                        on("neighbour", upstream);
                        on("neighbour's series", whole);
                    }
                }
            }
        }
    }

    fn count(&mut self, tree: &'static str, name: &str, trial: &Trial) {
        self.pairs += 1;
        if let Some((kind, doubt)) = trial.doubt() {
            self.doubtful += 1;
            let (count, examples) = self.kinds.entry(format!("applied, with a doubt: {kind}")).or_default();
            *count += 1;
            if examples.len() < EXAMPLES {
                examples.push(format!("{name}, {tree}: {doubt}"));
            }
        }
        *self.table.entry((tree, trial.answers())).or_default() += 1;
        if let Some(kind) = trial.disagreement() {
            let (count, examples) = self.kinds.entry(kind).or_default();
            *count += 1;
            if examples.len() < EXAMPLES {
                examples.push(format!("{name}, {tree}: {}", trial.said()));
            }
        }
    }

    fn unexplained(&self) -> usize {
        self.kinds.iter().filter(|(kind, _)| kind.starts_with('?')).map(|(_, (count, _))| count).sum()
    }

    fn print(&self, seconds: f64) {
        println!("{} pairs in {seconds:.0} s\n", self.pairs);
        println!("{:<20} {:<9} {:<9} {:<9} PAIRS", "TREE", "OWN", "GIT", "PATCH -F0");
        for ((tree, [own, git, patch]), count) in &self.table {
            println!("{tree:<20} {:<9} {:<9} {:<9} {count:>5}", own.words(), git.words(), patch.words());
        }
        println!();
        for (kind, (count, examples)) in &self.kinds {
            println!("{count:>5} {kind}");
            examples.iter().for_each(|example| println!("        {example}"));
        }
        println!("\n{} of {} pairs are not explained", self.unexplained(), self.pairs);
    }
}
