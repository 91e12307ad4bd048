//! Which patches of a queue cannot be without which: those that do not apply without them, and those that repair them.

use std::collections::BTreeSet;

use crate::patch::queue::{self, Queued};
use crate::patch::{Options, PatchMail, Source};

/// For every patch the places (from 0) of the patches before it that it cannot be without. `applied` apply in this order.
pub fn needs(applied: &[Queued], source: &dyn Source, options: Options) -> Vec<BTreeSet<usize>> {
    let files: Vec<BTreeSet<&str>> = applied.iter().map(|queued| paths(&queued.patch)).collect();
    let mut needs = vec![BTreeSet::new(); applied.len()];
    for out in 0..applied.len() {
        for at in without(out, applied, &files, source, options) {
            needs[at].insert(out);
        }
        for (at, later) in applied.iter().enumerate().skip(out + 1) {
            if repairs(&later.patch, &applied[out].patch) {
                needs[at].insert(out);
            }
        }
    }
    needs
}

/// Every path that a patch names.
pub fn paths(patch: &PatchMail) -> BTreeSet<&str> {
    let files = patch.decoded.files.iter();
    files.flat_map(|file| [file.old_path.as_deref(), file.new_path.as_deref()]).flatten().collect()
}

/// The patches behind `out` that do not apply where it is not there. Only those that touch the same files can be, and
/// what decides is the patches that have to do with these.
fn without(
    out: usize,
    applied: &[Queued],
    files: &[BTreeSet<&str>],
    source: &dyn Source,
    options: Options,
) -> Vec<usize> {
    let meets = |paths: &BTreeSet<&str>, at: &usize| !files[*at].is_disjoint(paths);
    if !(out + 1..applied.len()).any(|at| meets(&files[out], &at)) {
        return Vec::new();
    }
    let mut paths = files[out].clone();
    let mut group: BTreeSet<usize> = BTreeSet::new();
    loop {
        let more: Vec<usize> = (0..applied.len())
            .filter(|at| *at != out && !group.contains(at))
            .filter(|at| meets(&paths, at))
            .collect();
        if more.is_empty() {
            break;
        }
        for at in more {
            group.insert(at);
            paths.extend(&files[at]);
        }
    }
    let rest: Vec<Queued> = group.iter().map(|at| applied[*at].clone()).collect();
    let result = queue::apply(&rest, source, options);
    let lost = group.iter().zip(&result.patches).filter(|(_, one)| !one.result.outcome.applies());
    lost.map(|(at, _)| *at).filter(|at| *at > out).collect()
}

/// Whether one patch says that it repairs the other.
fn repairs(later: &PatchMail, earlier: &PatchMail) -> bool {
    let ids = || [&earlier.tags.upstream, &earlier.commit, &earlier.tags.from_stable].into_iter().flatten();
    let fixed = later.tags.fixes.iter().map(|fixes| fixes.commit.as_str());
    let reverted = later.tags.reverts.iter().map(|reverted| reverted.commit.as_str());
    let mut named = fixed.chain(reverted);
    named.any(|named| ids().any(|id| same_commit(id, named)))
}

/// Whether two ids, which may be shortened, are of one commit.
pub fn same_commit(one: &str, other: &str) -> bool {
    let length = one.len().min(other.len());
    let start = |id: &str| id.get(..length).map(str::to_ascii_lowercase);
    length >= 7 && start(one) == start(other)
}
