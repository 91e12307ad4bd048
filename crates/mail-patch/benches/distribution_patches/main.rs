//! Applying beside `git apply` and `patch -F0`, on the patches of Debian's source packages.
//!
//! Every patch of every package is tried on five trees: in its place in the series, on the upstream source, on the whole
//! series (which has it already), and on the upstream source and the whole series of another version.
//! What is taken must be taken by git with the same bytes as the result. Disagreements are counted by kind and listed.
//!
//! `cargo bench -p mail-patch --bench distribution_patches [-- PACKAGE…]` needs the network, apt with entries for Debian,
//! `git`, `patch`, `tar` and `xz`. What apt fetches goes to a folder below the target folder and is kept there.

mod packages;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

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
    match run(&names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(names: &[&str]) -> Result<usize, String> {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("distribution-patches");
    let apt = Apt::prepare(&place, &RELEASES)?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut counts = Counts::default();
    for name in names {
        let fetched = apt.package(name)?;
        // each is the other's neighbour, so that both need all files
        let paths = fetched.iter().flat_map(Fetched::touched).collect();
        let fetched: Vec<Release> =
            fetched.into_iter().map(|one| one.unpacked(&paths)).collect::<Result<_, _>>()?;
        let before = counts.pairs;
        let trees: Vec<(Tree, Tree)> =
            fetched.iter().map(|release| counts.series(release, scratch.path())).collect();
        for (at, release) in fetched.iter().enumerate() {
            counts.others(release, &trees, at, scratch.path());
        }
        let patches: usize = fetched.iter().map(|release| release.patches.len()).sum();
        eprintln!("{name}: {patches} patches, {} pairs", counts.pairs - before);
    }
    counts.print(started.elapsed().as_secs_f64());
    Ok(counts.unexplained())
}

/// What was seen.
#[derive(Default)]
struct Counts {
    pairs: usize,
    /// By the tree, and by what each program answered: own, git, patch.
    table: BTreeMap<(&'static str, [Answer; 3]), usize>,
    /// Kinds of disagreement, with examples.
    kinds: BTreeMap<String, (usize, Vec<String>)>,
}

impl Counts {
    /// Tries the patches of a release in their places; answers its upstream tree and the one with all of them.
    fn series(&mut self, release: &Release, scratch: &std::path::Path) -> (Tree, Tree) {
        let mut tree = release.upstream.clone();
        for patch in &release.patches {
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
