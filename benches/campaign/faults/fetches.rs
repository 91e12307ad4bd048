//! `kill -9` while a kernel is fetched: no process of apt's is left, the store is whole, and the next fetch succeeds. And two
//! fetches at once into one cache that is new.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;

use super::left::left;
use super::table::{Outcome, Table};
use crate::place::{KERNEL, Place, ends_within, wait};

/// A cache of its own, in which nothing is.
fn cache(place: &Place) -> PathBuf {
    let cache = place.path().join("fetched");
    let _ = std::fs::remove_dir_all(&cache);
    cache
}

fn command(place: &Place, cache: &Path, words: &[&str]) -> Command {
    let mut command = place.command(words);
    command.env("KREGRESS_CACHE", cache).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(place: &Place, cache: &Path) -> Child {
    command(place, cache, &["kernels", "fetch", KERNEL]).spawn().expect("kregress starts")
}

/// Kills so many fetches, and starts two at once as often as that divided by ten.
pub fn attempt(place: &Place, times: u32, random: &mut impl Rng, table: &mut Table) {
    let begun = Instant::now();
    let there = cache(place);
    if !wait(&mut start(place, &there)).success() {
        let why = Outcome::NotHere(format!("{KERNEL} cannot be fetched"));
        return table.add("kill -9 while a kernel is fetched", why);
    }
    let whole = begun.elapsed();
    for n in 0..times {
        let moment = whole.mul_f64(random.gen_range(0.0..1.0));
        // most caches have the lists already
        let there = if n % 4 == 0 { cache(place) } else { without_kernels(place) };
        table.attempt("kill -9 while a kernel is fetched", || killed(place, &there, moment));
    }
    for _ in 0..times.div_ceil(10) {
        let there = cache(place);
        table.attempt("two fetches at once into a new cache", || {
            let both = [start(place, &there), start(place, &there)];
            let failed = both.into_iter().map(|mut child| wait(&mut child)).find(|status| !status.success());
            failed.map_or_else(
                || whole_store(place, &there),
                |status| Outcome::Wrong(format!("a fetch ended with {status}")),
            )
        });
    }
    let _ = cache(place);
}

fn without_kernels(place: &Place) -> PathBuf {
    let there = place.path().join("fetched");
    for name in ["kernels", "downloads"] {
        let _ = std::fs::remove_dir_all(there.join(name));
    }
    there
}

fn killed(place: &Place, there: &Path, moment: Duration) -> Outcome {
    let mut child = start(place, there);
    ends_within(child.id() as i32, moment);
    let _ = child.kill();
    let _ = child.wait();
    match whole_store(place, there) {
        Outcome::Right if wait(&mut start(place, there)).success() => whole_store(place, there),
        Outcome::Right => Outcome::Wrong("the next fetch fails".into()),
        other => other,
    }
}

fn whole_store(place: &Place, there: &Path) -> Outcome {
    let verified = command(place, there, &["cache", "verify"]).status().expect("kregress starts");
    if !verified.success() {
        return Outcome::Wrong("the store is damaged".into());
    }
    left(place)
}
