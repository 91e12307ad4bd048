//! What the search costs and how often it errs, on kernels that do not exist: 1024 commits in a line, 500 searches a
//! row, the culprit drawn for each. Beside it the rules of others. Then how long the choice of the next commit takes in
//! 20,000 commits with merges.
//!
//! `cargo bench --bench bisect_simulation [-- SEARCHES [SEED]]`
//!
//! With `-- trace CULPRIT CHANCE` it prints what git_bayesect's rule would try on a line of 64 commits when an attempt
//! shows the symptom by a fixed rule, to be compared with the program itself.

mod rivals;

use std::sync::Arc;
use std::time::Instant;

use kregress::bisect::simulate::{Random, World, simulate};
use kregress::bisect::{Aims, Costs, Find, History, Posterior, Seen, choose};

const COMMITS: usize = 1024;
const ROWS: [(f64, f64); 5] = [(0.9, 0.0), (0.5, 0.0), (0.3, 0.0), (0.1, 0.0), (0.3, 0.01)];

fn main() {
    let numbers: Vec<f64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if std::env::args().any(|arg| arg == "trace") {
        return trace(numbers.first().map_or(20, |n| *n as usize), numbers.get(1).copied().unwrap_or(0.5));
    }
    let searches = numbers.first().map_or(500, |n| *n as u32);
    let seed = numbers.get(1).map_or(42, |n| *n as u64);
    for (kernel, what) in [(0.0, "kernels cost nothing"), (5.0, "a kernel costs as much as 5 attempts")] {
        println!("{COMMITS} commits in a line, {searches} searches a row, {what}\n");
        println!("| p | spurious | correct | wrong | inconclusive | mean attempts | most | mean kernels |");
        println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (bad, spurious) in ROWS {
            let history = Arc::new(History::linear(COMMITS));
            let world = World { history, bad, spurious, costs: Costs { kernel, attempt: 1.0 } };
            let found = simulate(&world, Aims::default(), searches, seed);
            println!(
                "| {bad} | {spurious} | {:.1}% | {:.1}% | {:.1}% | {:.1} | {} | {:.1} |",
                100.0 * found.share(found.correct),
                100.0 * found.share(found.wrong),
                100.0 * found.share(found.inconclusive),
                found.mean_attempts(),
                found.most_attempts,
                found.mean_kernels(),
            );
        }
        println!();
    }
    others(searches, seed);
    large_history();
}

/// A search by another rule.
type Rule = fn(rivals::Line<'_>) -> rivals::Trial;

/// The rules of others on the same rows.
fn others(searches: u32, seed: u64) {
    let rules: [(&str, Rule); 4] = [
        ("first symptom, 20 runs", rivals::first_symptom),
        ("syzkaller's", rivals::syzkaller),
        ("git_bayesect's, 95%", |line| rivals::bayesect(line, 0.95, 2000)),
        ("git_bayesect's, 99%", |line| rivals::bayesect(line, 0.99, 2000)),
    ];
    println!("{COMMITS} commits in a line, {searches} searches a row, the rules of others\n");
    println!("| rule | p | spurious | correct | wrong | inconclusive | mean attempts | mean kernels |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, rule) in rules {
        for (bad, spurious) in ROWS {
            let mut random = Random::new(seed);
            let (mut correct, mut wrong, mut attempts, mut kernels) = (0u32, 0u32, 0u64, 0u64);
            for _ in 0..searches {
                let culprit = 1 + random.below(COMMITS);
                let trial = rule(rivals::Line::new(COMMITS, culprit, bad, spurious, &mut random));
                match trial.correct {
                    Some(true) => correct += 1,
                    Some(false) => wrong += 1,
                    None => {}
                }
                attempts += u64::from(trial.attempts);
                kernels += u64::from(trial.kernels);
            }
            let share = |n: u32| 100.0 * f64::from(n) / f64::from(searches);
            println!(
                "| {name} | {bad} | {spurious} | {:.1}% | {:.1}% | {:.1}% | {:.1} | {:.1} |",
                share(correct),
                share(wrong),
                share(searches - correct - wrong),
                attempts as f64 / f64::from(searches),
                kernels as f64 / f64::from(searches),
            );
        }
    }
    println!();
}

/// What git_bayesect's rule tries on 64 commits, the newest first; the n-th attempt on the bad side shows the symptom
/// when the fraction of n times the golden ratio is below the chance.
fn trace(culprit: usize, chance: f64) {
    let mut search = rivals::Bayesect::new(64);
    for n in 1..=100 {
        let at = search.select();
        let seen = at <= culprit && (f64::from(n) * 0.618_033_988_749_894_9).fract() < chance;
        search.record(at, seen);
        let (leader, probability) = search.leader();
        println!("{n} {at} {} {leader} {probability:.9}", u8::from(seen));
    }
}

/// Topic branches of up to 40 commits that start at one of the last 2000 commits and are merged, until there are 20,000
/// nodes.
fn merged_history(random: &mut Random) -> History {
    let mut parents: Vec<Vec<usize>> = vec![vec![]];
    let mut main = 0;
    while parents.len() < 20_000 {
        let mut tip = parents.len() - 1 - random.below(parents.len().min(2000));
        for _ in 0..1 + random.below(40) {
            parents.push(vec![tip]);
            tip = parents.len() - 1;
        }
        parents.push(vec![main, tip]);
        main = parents.len() - 1;
    }
    History::new(parents).expect("a history by construction")
}

fn large_history() {
    let mut random = Random::new(7);
    let start = Instant::now();
    let history = Arc::new(merged_history(&mut random));
    println!("{} commits with merges: read in {:?}", history.candidates(), start.elapsed());
    let culprit = 1 + random.below(history.candidates());
    let mut posterior = Posterior::new(Arc::clone(&history), Find::Cause, None);
    posterior.observe(history.newest(), Seen::new(5, 10));
    posterior.observe(0, Seen::new(0, 5));
    let (mut slowest, mut attempts) = (std::time::Duration::ZERO, 15);
    while posterior.leader().1 < 0.99 && attempts < 2000 {
        let start = Instant::now();
        let Some(choice) = choose(&posterior, 1.0, |_| Some(0.0)) else { break };
        slowest = slowest.max(start.elapsed());
        let holds = history.ancestors(choice.node)[culprit];
        posterior.observe(choice.node, Seen::new(u32::from(holds && random.chance(0.5)), 1));
        attempts += 1;
    }
    let right = posterior.leader().0 == culprit;
    println!(
        "the slowest choice of {attempts}: {slowest:?}; the culprit was {}",
        if right { "found" } else { "missed" }
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    println!("most memory: {}", peak.trim());
}
