//! The fault campaign: what guests, hosts and kills do to kregress, and what kregress makes of it. Prints the table fault →
//! times tried → outcome as Markdown; ends with 1 where a verdict was wrong, a result lost or something left behind.
//!
//! `cargo bench --bench campaign [-- [PART...] [ROUNDS] [KILLS]]`: a part is `guests`, `hosts`, `cuts`, `fetches`,
//! `kills`, `builds`, `searches` or `power` [all of them]; `guests` and `hosts` are tried ROUNDS times [3], and KILLS runs are killed at random
//! moments [200], half as many builds and queues, and a tenth of that bisections and fetches. Run in the crate's folder; needs what a run needs, and some hours on a host without KVM. As root, or where `unshare -rm` works, also file
//! systems that are full. `KREGRESS_CAMPAIGN_FAULTS=WORDS` takes of the host's faults those whose names contain the words, and
//! `KREGRESS_CAMPAIGN_SEED` repeats the random choices of an earlier campaign. `KREGRESS_CAMPAIGN_TABLE=FILE` has the table in a file
//! as well, to which later parts add: docs/campaign.md is one. Its short form is
//! `cargo test --test guest campaign`.

mod faults;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/guest/place.rs"]
mod place;

use faults::{builds, cuts, fetches, guests, hosts, kills, power, searches, table::Table};
use place::Place;
use rand::SeedableRng;
use rand::rngs::StdRng;

const PARTS: [&str; 8] = ["guests", "hosts", "cuts", "power", "fetches", "kills", "builds", "searches"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (parts, numbers): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| PARTS.contains(&word.as_str()));
    let numbers: Vec<u32> = numbers
        .iter()
        .map(|word| word.parse().unwrap_or_else(|_| panic!("{word} is none of {PARTS:?} and no number")))
        .collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    let (rounds, kills) = (numbers.first().copied().unwrap_or(3), numbers.get(1).copied().unwrap_or(200));
    let seed = std::env::var("KREGRESS_CAMPAIGN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 ^ u64::from(rounds));
    eprintln!("KREGRESS_CAMPAIGN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let Some(place) = Place::new() else { std::process::exit(2) };
    let kept = std::env::var_os("KREGRESS_CAMPAIGN_TABLE");
    let mut table = kept.map_or_else(Table::default, |file| Table::kept(file.into()));
    if wanted("guests") {
        for _ in 0..rounds {
            guests::attempt(&place, &guests::list(), &mut table);
        }
    }
    if wanted("hosts") {
        hosts::attempt(&place, rounds, false, &mut table);
    }
    if wanted("cuts") {
        cuts::attempt(&place, 10 * rounds, &mut random, &mut table);
    }
    if wanted("power") {
        power::attempt(&place, &mut table);
    }
    if wanted("fetches") {
        fetches::attempt(&place, kills.div_ceil(10), &mut random, &mut table);
    }
    if wanted("kills") {
        kills::attempt(&place, kills, &mut random, &mut table);
    }
    if wanted("builds") {
        builds::attempt(&place, kills.div_ceil(2), &mut random, &mut table);
    }
    if wanted("searches") {
        searches::attempt(&place, kills.div_ceil(10), &mut random, &mut table);
    }
    println!("{}", table.markdown());
    let passed = table.passed();
    drop(place);
    std::process::exit(if passed { 0 } else { 1 });
}
